// The writes of the stress: what each must look like follows from its device and number alone, so that an auditor who has never spoken to
// the writer can tell any byte that is torn, stale or misplaced. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "serializer/slot_reader.h"

namespace afterimage::testing {

inline constexpr std::uint32_t kStressTracks = 15000;
inline constexpr std::uint32_t kStressBytes = 61000;  // the longest write

// splitmix64's finisher. Without ThreadSanitizer's marks of calls, so that it can become part of what calls it.
__attribute__((no_sanitize("thread"))) inline std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

struct StressWrite {
  std::uint32_t device = 0;
  std::uint32_t attempt = 0;
  TokenKind kind = TokenKind::kWrite;

  __attribute__((no_sanitize("thread"))) std::uint64_t hash() const {
    return mixed((static_cast<std::uint64_t>(device) << 40) + attempt * 0x9E3779B97F4A7C15ULL);
  }
  // Two tracks a write, used by no other of the 7,499 before: so a mark in a change map tells whose it is.
  std::uint32_t track() const { return (attempt * 2) % kStressTracks; }
  bool on_two_tracks() const { return kind != TokenKind::kVerify && hash() % 5 == 0; }
  std::uint32_t length() const {
    const std::uint32_t kind_of_length = static_cast<std::uint32_t>(hash() >> 20) % 1000, spread = static_cast<std::uint32_t>(hash() >> 40);
    if (kind == TokenKind::kVerify) return 32;
    if (kind_of_length < 850) return 32 + spread % 130;
    if (kind_of_length < 980) return 32 + spread % 1000;
    if (kind_of_length < 999) return 32 + spread % 6000;
    return 32 + spread % (kStressBytes - 32);
  }
  // What is written is one range, or two: on two tracks, or on one with a gap between them.
  std::array<TrackRange, 2> ranges() const {
    const std::uint32_t whole = length(), half = whole / 2;
    const bool gap = kind != TokenKind::kVerify && hash() % 5 == 1;
    std::array<TrackRange, 2> both{};
    both[0] = {track(), 16, static_cast<std::uint16_t>(on_two_tracks() || gap ? half : whole)};
    const auto rest = static_cast<std::uint16_t>(whole - both[0].length);
    if (on_two_tracks()) both[1] = {track() + 1, 16, rest};
    if (gap) both[1] = {track(), static_cast<std::uint16_t>(16 + half + 24), rest};
    return both;
  }

  Token token(std::uint8_t system) const {
    Token token;
    token.event = attempt;
    token.ccw_code = 0x85;
    token.volume = static_cast<VolumeId>(device);
    token.system = system;
    token.kind = kind;
    return token;
  }

  // The first word is the highest sequence number anybody had been given when the write began: its own must be above it. Not watched
  // by a sanitizer, for speed: the buffer is the caller's alone.
  __attribute__((no_sanitize("thread"))) void fill(std::span<std::uint8_t> bytes, Sequence after) const {
    std::uint64_t words[2] = {after, (static_cast<std::uint64_t>(device) << 32) | attempt};
    std::memcpy(bytes.data(), words, sizeof words);
    std::uint64_t word = hash();
    for (std::uint32_t i = sizeof words; i < length(); i += 8, word = mixed(word + i)) {
      const std::uint32_t count = std::min<std::uint32_t>(8, length() - i);
      std::memcpy(bytes.data() + i, &word, count);
    }
  }
};

// Empty if the token is the write that its own fields name; else what is wrong with it.
inline std::string fault_in(const HeldToken& held, std::uint32_t per_system) {
  const StressWrite write{held.device, held.token.event, held.token.kind};
  if (held.token.volume != held.device) return "its volume and its device differ";
  if (held.token.system != held.device / per_system) return "its system is another";
  if (held.data.size() != write.length())
    return "it has " + std::to_string(held.data.size()) + " bytes of " + std::to_string(write.length());
  const auto ranges = write.ranges();
  if (held.token.range_count != (ranges[1].length == 0 ? 1 : 2)) return "it has another number of ranges";
  for (unsigned i = 0; i < held.token.range_count; ++i)
    if (!(held.token.ranges[i] == ranges[i])) return "its range " + std::to_string(i) + " is another";
  Sequence after = 0;
  std::memcpy(&after, held.data.data(), sizeof after);
  if (after >= held.token.sequence) return "it depends on token " + std::to_string(after) + " and has no higher number";
  static thread_local std::array<std::uint8_t, kStressBytes> expected;
  write.fill(expected, after);
  if (std::memcmp(expected.data(), held.data.data(), held.data.size()) != 0) return "its data is not what was written";
  return {};
}

}  // namespace afterimage::testing
