// io: the secondary's journal: at least two preallocated files used in turn, records length-prefixed with CRC32C on header and payload,
// synced before any acknowledgement, reused when a checkpoint has passed them. Positions are 64-bit, rising for ever.
// Format: docs/FORMATS.md. Threads: one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serializer/status.h"

namespace afterimage {

// The configuration asks for at least kMinJournalBytes. One record must fit into one file.
struct JournalSettings {
  std::string directory;
  std::uint64_t bytes = 256ull << 20;  // of all files together
  std::uint32_t files = 2;
};

// What can be held at the least before something is released: a file is used again only when all of it is released, so up to a whole one is
// taken by the end of what is needed.
std::uint64_t least_capacity(const JournalSettings& settings);

class Journal {
 public:
  ~Journal();
  // Opens or creates. What a crash tore before it was synced is cut off at the last whole record; a record that was durable and cannot be
  // read is an error that names file and position: nothing is guessed. What is found is durable on return. A second process on the same
  // directory is refused.
  static Result<std::unique_ptr<Journal>> open(const JournalSettings& settings);
  // Calls `visit` for every record from `position` (a record boundary; 0 = begin()) to the end, in order. Stops at the first error of
  // `visit` and returns it. A damaged record is an error that names file and position.
  Status replay(std::uint64_t position, const std::function<Status(std::uint64_t position, std::span<const std::uint8_t> record)>& visit);
  // Position of the record; an error when the journal is full (nothing written, is_full() is then true; usable again after a release)
  // or the disk refuses (nothing acknowledged; every later append and sync is refused, because the kernel reports a lost page only once).
  Result<std::uint64_t> append(std::span<const std::uint8_t> record);
  Status sync();                // everything appended is durable
  bool is_full() const;         // the last append was refused for want of space
  std::uint64_t begin() const;  // oldest position that can be replayed
  std::uint64_t end() const;
  std::uint64_t free_bytes() const;  // what can be appended at most before something is released
  // Space before it may be reused. Not remembered across open(): there everything still readable counts as needed until this is called.
  Status release_before(std::uint64_t position);
  Status reset();  // empties it; positions go on rising
 private:
  Journal();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace afterimage
