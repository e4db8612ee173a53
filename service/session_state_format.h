// The bytes of session.state, what a site remembers of its session across the loss of common storage: five `name=value` lines
// (docs/FORMATS.md, "Session state"). Pure codec.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace afterimage {

struct SessionMemory {
  std::string session;  // a name, or empty before the first session
  std::uint64_t epoch = 0;
  std::uint64_t first_sequence = 0;  // of the epoch
  std::uint64_t storage_id = 0;
  bool active = false;
  friend bool operator==(const SessionMemory&, const SessionMemory&) = default;
};

std::string session_state_text(const SessionMemory& memory);
// Takes exactly what session_state_text() gives for some memory, else nothing: a line too many, a doubled line or a number written in
// another way was not written by this program, and what it says cannot be believed.
std::optional<SessionMemory> parse_session_state(std::string_view text);

}  // namespace afterimage
