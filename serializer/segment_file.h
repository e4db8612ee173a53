// io: questions about a segment's file, and its pages. For common_storage.cpp.
#pragma once

#include <boost/interprocess/shared_memory_object.hpp>
#include <cstdint>
#include <string>

#include "serializer/status.h"

namespace afterimage {

using SharedMemory = boost::interprocess::shared_memory_object;

int segment_descriptor(const SharedMemory& object);
// False if another has removed the name, or made a new segment under it, since `object` was opened.
bool segment_still_named(const SharedMemory& object, const std::string& name);
// Its length; an error if it belongs to another user.
Status segment_bytes(const SharedMemory& object, const std::string& name, std::uint64_t& bytes);
// Empties it and allocates all its pages, zero; a page that cannot be had later would be a SIGBUS in a guest's I/O.
Status allocate_segment(const SharedMemory& object, const std::string& name, std::uint64_t bytes);
// Its header says that it is ready: from then on its length does not change. The header is not judged.
bool segment_is_ready(const SharedMemory& object);
// Ours, but not ready: to be made anew by whoever holds its lock. Anything unknown is another program's and is left alone.
bool segment_is_unfinished(const SharedMemory& object);

}  // namespace afterimage
