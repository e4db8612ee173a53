// A CKD track image as Hercules keeps it: home address (5 bytes), then count-key-data records, then eight X'FF' (end of track).
// Volumes are compared as records up to that marker; what lies behind it is not part of a volume. Pure.
// Threads: plain functions on the caller's memory; nothing is kept. Every length in a track is checked before it is followed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "serializer/status.h"

namespace afterimage {

inline constexpr std::uint32_t kHomeAddressBytes = 5;
inline constexpr std::uint32_t kCountBytes = 8;
inline constexpr std::uint32_t kTrackDigestBytes = 16;

struct CkdRecord {                       // all offsets are from the start of the track image
  std::uint16_t cylinder = 0, head = 0;  // as in the count field, overflow bit included (may differ from the track's own: that is legal)
  std::uint8_t record = 0, key_length = 0;
  std::uint16_t data_length = 0;
  std::uint32_t count_offset = 0, key_offset = 0, data_offset = 0;
  // High bit of CC: the record continues on the next track. Not on a track whose own cylinder is 32768 or higher, where that bit
  // belongs to the address.
  bool overflow = false;
};

struct TrackView {
  std::uint16_t cylinder = 0, head = 0;  // from the home address
  std::vector<CkdRecord> records;
  std::uint32_t used_bytes = 0;  // with the end-of-track marker
};

// Parses a track image of `track.size()` bytes. Refuses one that runs past its end, without reading past it. The error is a sentence
// that names the offset; the caller adds the volume and the track.
Result<TrackView> parse_track(std::span<const std::uint8_t> track);
// Bytes of the track up to and with its end marker, or an error when there is none. Allocates nothing unless it fails.
Result<std::uint32_t> track_used_bytes(std::span<const std::uint8_t> track);
// 16-byte digest over the used bytes: tracks that are equal as records have equal digests. A track without an end marker is digested
// whole. Four CRC-32C, big-endian, each over the bytes followed by their number as 4 bytes big-endian: of the bytes as they are, and
// of the bytes after b := (b * m + a) modulo 256 with (m, a) = (167, 13), (59, 101) and (229, 197). The maps are not linear
// over GF(2), so what escapes one CRC does not escape the others. Part of the kVerify format (docs/FORMATS.md).
std::vector<std::uint8_t> track_digest(std::span<const std::uint8_t> track);
// "" when equal as records, else one phrase that names the first difference: "record 3: data differs at byte 17" (byte 0 is the first).
// Tracks that cannot be parsed are compared byte by byte over their whole length.
std::string track_difference(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right);

}  // namespace afterimage
