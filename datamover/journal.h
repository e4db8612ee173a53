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

struct JournalSettings {
  std::string directory;
  std::uint64_t bytes = 256ull << 20;  // of all files together
  std::uint32_t files = 2;
};

class Journal {
 public:
  ~Journal();
  // Opens or creates. A torn tail (crash while appending) is cut off at the last whole record; a damaged record with whole records behind
  // it is an error that names file and position: nothing is guessed.
  static Result<std::unique_ptr<Journal>> open(const JournalSettings& settings);
  // Calls `visit` for every record from `position` to the end, in order.
  Status replay(std::uint64_t position, const std::function<Status(std::uint64_t position, std::span<const std::uint8_t> record)>& visit);
  // Position of the record; an error when the journal is full (nothing written) or the disk refuses (nothing acknowledged).
  Result<std::uint64_t> append(std::span<const std::uint8_t> record);
  Status sync();  // everything appended is durable
  std::uint64_t end() const;
  std::uint64_t free_bytes() const;
  Status release_before(std::uint64_t position);  // space before it may be reused
  Status reset();                                 // a new epoch: empty
 private:
  Journal();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace afterimage
