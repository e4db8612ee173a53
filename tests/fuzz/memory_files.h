// Files in memory for the product's own file calls, in a program linked with the wrap options of tests/fuzz/CMakeLists.txt: paths below
// /fuzz/ exist only here, every other path is the system's. What was written and not synced can be looked at, and lost.
// Threads: one.
#pragma once

#include <functional>
#include <map>

#include "tests/fuzz/fuzz_check.h"

namespace afterimage::fuzz {

inline constexpr char kMemoryFolder[] = "/fuzz";

// Everything is gone; descriptors still open answer EBADF.
void clear_memory_files();
bool memory_file_exists(const std::string& path);
// Made if it is not there; what is put is synced.
void put_memory_file(const std::string& path, View bytes);
Bytes& memory_file(const std::string& path);

// The host's page cache is lost: each sector of 512 bytes that was written since the file's last sync is the new or the old one, as `kept`
// says. Descriptors are closed.
void lose_page_cache(const std::function<bool()>& kept);

}  // namespace afterimage::fuzz
