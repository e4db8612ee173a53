// See sim_trace.h.
#include "tests/sim/sim_trace.h"

#include <cstdio>
#include <utility>

namespace afterimage::sim {

namespace {
constexpr std::size_t kKept = 60;
}

void Trace::mix(std::uint64_t value) {
  hash_ ^= value;
  hash_ *= 0xFF51AFD7ED558CCDu;
  hash_ ^= hash_ >> 32;
}

void Trace::note(std::uint64_t time_us, const char* what, std::uint64_t first, std::uint64_t second) {
  ++events_;
  mix(time_us);
  for (const char* c = what; *c != 0; ++c) hash_ = (hash_ ^ static_cast<unsigned char>(*c)) * 0x100000001B3u;
  mix(first);
  mix(second);
  keep({time_us, what, first, second, {}});
}

void Trace::say(std::uint64_t time_us, const std::string& who, const std::string& text) {
  ++events_;
  mix(time_us);
  for (const char c : who) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  // The message number only: texts hold random identities.
  for (std::size_t i = 0; i < 8 && i < text.size(); ++i) hash_ = (hash_ ^ static_cast<unsigned char>(text[i])) * 0x100000001B3u;
  keep({time_us, "", 0, 0, who + ": " + text});
}

void Trace::keep(Event event) {
  if (print_) std::printf("%s\n", line(event).c_str());
  last_.push_back(std::move(event));
  if (last_.size() > kKept) last_.pop_front();
}

std::string Trace::line(const Event& event) {
  char text[160];
  std::snprintf(text, sizeof text, "%12.6f %s", static_cast<double>(event.time_us) / 1e6, event.what);
  std::string out = text;
  if (!event.text.empty()) return out + event.text;
  std::snprintf(text, sizeof text, " %llu %llu", static_cast<unsigned long long>(event.first),
                static_cast<unsigned long long>(event.second));
  return out + text;
}

std::deque<std::string> Trace::tail() const {
  std::deque<std::string> lines;
  for (const Event& event : last_) lines.push_back(line(event));
  return lines;
}

}  // namespace afterimage::sim
