// Names what makes the copy late, for XQUERY's DELAY. Pure, thread safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace afterimage {

enum class DelayCause : std::uint8_t { kNone = 0, kPrimary, kBuffers, kLink, kJournal, kSecondary };

// What is known at the site asked; counts it cannot know stay 0.
struct DelayFacts {
  std::uint64_t delay_us = 0;
  bool link_up = true;
  std::uint64_t ring_used_bytes = 0, ring_bytes = 0;
  std::uint64_t unflushed_tokens = 0;       // numbered, their data not yet in the volume's file (primary)
  std::uint64_t unsent_tokens = 0;          // ready, not yet sent
  std::uint64_t unacknowledged_tokens = 0;  // sent, not acknowledged
  std::uint64_t unapplied_tokens = 0;       // held by the secondary, not applied
  std::uint64_t journal_used_bytes = 0, journal_bytes = 0;
};

inline constexpr std::uint64_t kOrdinaryDelay_us = 1'000'000;  // an idle session's consistency time moves every 0.5 s

// The first that holds: LINK when it is down; JOURNAL, then BUFFERS, when more than 90 % is used (a full journal fills the buffers behind
// it); NONE while the delay is ordinary; else where most tokens wait, and PRIMARY when none wait anywhere that is known (it has not
// spoken).
DelayCause delay_cause(const DelayFacts& facts);
std::string_view delay_cause_name(DelayCause cause);  // "BUFFERS"

}  // namespace afterimage
