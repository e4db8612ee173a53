// The cause of a delay. Pure.
#include "automation/delay_cause.h"

#include <algorithm>

namespace afterimage {
namespace {
bool nearly_full(std::uint64_t used, std::uint64_t size) { return size != 0 && used > size - size / 10; }
}  // namespace

DelayCause delay_cause(const DelayFacts& facts) {
  if (!facts.link_up) return DelayCause::kLink;
  if (nearly_full(facts.journal_used_bytes, facts.journal_bytes)) return DelayCause::kJournal;
  if (nearly_full(facts.ring_used_bytes, facts.ring_bytes)) return DelayCause::kBuffers;
  if (facts.delay_us <= kOrdinaryDelay_us) return DelayCause::kNone;
  const std::uint64_t on_link = facts.unsent_tokens + facts.unacknowledged_tokens;
  const std::uint64_t most = std::max({facts.unflushed_tokens, on_link, facts.unapplied_tokens});
  if (most == 0) return DelayCause::kPrimary;
  if (most == on_link) return DelayCause::kLink;
  return most == facts.unapplied_tokens ? DelayCause::kSecondary : DelayCause::kPrimary;
}

std::string_view delay_cause_name(DelayCause cause) {
  switch (cause) {
    case DelayCause::kNone:
      return "NONE";
    case DelayCause::kPrimary:
      return "PRIMARY";
    case DelayCause::kBuffers:
      return "BUFFERS";
    case DelayCause::kLink:
      return "LINK";
    case DelayCause::kJournal:
      return "JOURNAL";
    case DelayCause::kSecondary:
      return "SECONDARY";
  }
  return "UNKNOWN";
}

}  // namespace afterimage
