// A token: what the DASD subsystem tells the serializer about one write CCW, with the global sequence number it was given.
// Source: document 002 (A2, A3, A5). Pure. In memory here; the bytes on the wire are in vtam_link/message.h and docs/FORMATS.md.
#pragma once

#include <array>
#include <cstdint>

#include "serializer/tod.h"

namespace afterimage {

using Sequence = std::uint64_t;  // global, contiguous within an epoch, first token is 1; 0 means "none"
using VolumeId = std::uint16_t;  // index of the volume in its session's volume table, fixed for the epoch

inline constexpr unsigned kMaxRanges = 16;              // a capture that needs more becomes whole-track ranges
inline constexpr std::uint32_t kMaxTrackBytes = 65535;  // the largest track image of any CKD type is 56,832 (3390)
inline constexpr std::uint32_t kMaxTokenData = 2 * (kMaxTrackBytes + 1);

enum class TokenKind : std::uint8_t {
  kWrite = 1,        // one write CCW of a guest's channel program
  kSharedWrite = 2,  // one update made by the shared-device server; CCW code X'00'
  kTrackImage = 3,   // corrective image of one whole track (after a death), data up to and with the end-of-track marker
  kVerify = 4,       // no change: data is the digest of one track at exactly this sequence number
};

// Bytes replaced in one track image. `offset` counts from the start of the track image (home address included).
struct TrackRange {
  std::uint32_t track = 0;  // relative track on the volume: cylinder * heads + head
  std::uint16_t offset = 0;
  std::uint16_t length = 0;
  friend bool operator==(const TrackRange&, const TrackRange&) = default;
};

struct Token {
  Sequence sequence = 0;
  Tod tod = 0;              // strictly rising with the sequence number
  std::uint32_t event = 0;  // optional subsystem event token: number of the channel program on its device, 0 = none
  VolumeId volume = 0;
  std::uint8_t system = 0;  // index of the writing system in common storage
  TokenKind kind = TokenKind::kWrite;
  std::uint8_t ccw_code = 0;
  std::uint8_t record = 0;     // R of the record written (for a format write: of the record created); 0 for R0 and home address
  std::uint16_t cylinder = 0;  // CC of the track written
  std::uint16_t head = 0;      // HH
  std::uint8_t range_count = 0;
  std::array<TrackRange, kMaxRanges> ranges{};
  std::uint32_t data_length = 0;  // sum of the ranges' lengths, except kVerify, where it is the digest's length

  friend bool operator==(const Token&, const Token&) = default;
};

// True if counts, lengths and the sum agree and nothing exceeds its bound. Every decoder calls it.
bool token_is_well_formed(const Token& token);

}  // namespace afterimage
