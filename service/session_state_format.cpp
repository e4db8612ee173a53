// Codec of session.state.
#include "service/session_state_format.h"

#include <charconv>
#include <initializer_list>

#include "serializer/crc32c.h"
#include "vtam_link/names.h"

namespace afterimage {

namespace {

// Takes "name=value\n" from the front of `rest`.
std::optional<std::string_view> take_line(std::string_view& rest, std::string_view name) {
  if (!rest.starts_with(name) || rest.size() == name.size() || rest[name.size()] != '=') return {};
  const std::size_t begin = name.size() + 1, end = rest.find('\n', begin);
  if (end == std::string_view::npos) return {};
  const std::string_view value = rest.substr(begin, end - begin);
  rest.remove_prefix(end + 1);
  return value;
}

bool take_number(std::string_view& rest, std::string_view name, std::uint64_t& into) {
  const auto value = take_line(rest, name);
  if (!value) return false;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), into);
  return error == std::errc() && end == value->data() + value->size();
}

}  // namespace

std::string session_state_text(const SessionMemory& memory) {
  const std::string text = "session=" + memory.session + "\nepoch=" + std::to_string(memory.epoch) +
                           "\nfirst=" + std::to_string(memory.first_sequence) + "\nstorage=" + std::to_string(memory.storage_id) +
                           "\nactive=" + (memory.active ? "1" : "0") + "\n";
  return text + "crc=" + std::to_string(crc32c(0, text.data(), text.size())) + "\n";
}

std::optional<SessionMemory> parse_session_state(std::string_view text) {
  SessionMemory memory;
  std::string_view rest = text;
  const auto session = take_line(rest, "session");
  if (!session || !(session->empty() || is_name(*session))) return {};
  memory.session = *session;
  std::uint64_t active = 0;
  if (!take_number(rest, "epoch", memory.epoch) || !take_number(rest, "first", memory.first_sequence) ||
      !take_number(rest, "storage", memory.storage_id) || !take_number(rest, "active", active))
    return {};
  memory.active = active != 0;
  if (session_state_text(memory) != text) return {};  // with its CRC: a digit that changed is no other number
  return memory;
}

}  // namespace afterimage
