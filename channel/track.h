// A CKD track image as Hercules keeps it: home address (5 bytes), then count-key-data records, then eight X'FF' (end of track).
// Volumes are compared as records up to that marker; what lies behind it is not part of a volume. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "serializer/status.h"

namespace afterimage {

inline constexpr std::uint32_t kHomeAddressBytes = 5;
inline constexpr std::uint32_t kCountBytes = 8;

struct CkdRecord {                      // all offsets are from the start of the track image
  std::uint16_t cylinder = 0, head = 0; // as in the count field (may differ from the track's own: that is legal)
  std::uint8_t record = 0, key_length = 0;
  std::uint16_t data_length = 0;
  std::uint32_t count_offset = 0, key_offset = 0, data_offset = 0;
  bool overflow = false;                // high bit of CC: the record continues on the next track
};

struct TrackView {
  std::uint16_t cylinder = 0, head = 0; // from the home address
  std::vector<CkdRecord> records;
  std::uint32_t used_bytes = 0;         // with the end-of-track marker
};

// Parses a track image of `size` bytes. Refuses one that runs past its end, without reading past it.
Result<TrackView> parse_track(std::span<const std::uint8_t> track);
// Bytes of the track up to and with its end marker, or an error when there is none.
Result<std::uint32_t> track_used_bytes(std::span<const std::uint8_t> track);
// CRC32C-based 16-byte digest over the used bytes: equal tracks (as records) have equal digests.
std::vector<std::uint8_t> track_digest(std::span<const std::uint8_t> track);
// "" when equal as records, else one phrase that names the first difference: "record 3: data differs at byte 17".
std::string track_difference(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right);

}  // namespace afterimage
