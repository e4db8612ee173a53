// Names as MVS and VTAM write them, and how fixed-width fields of our formats carry them. Pure.
#include "vtam_link/names.h"

#include <algorithm>

namespace afterimage {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) { return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '@' || c == '#' || c == '$'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

}  // namespace

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kNameBytes || is_digit(text.front())) return false;
  return std::all_of(text.begin(), text.end(), is_name_character);
}

bool is_lu_name(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return is_name(text);
  return is_name(text.substr(0, dot)) && is_name(text.substr(dot + 1));
}

bool is_volser(std::string_view text) {
  if (text.empty() || text.size() > kVolserBytes) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_name_character(c) || c == '-'; });
}

bool is_printable(std::string_view text, std::size_t most) {
  if (text.size() > most) return false;
  if (text.empty()) return true;
  if (text.front() == ' ' || text.back() == ' ') return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

void put_padded(std::uint8_t* field, std::size_t width, std::string_view text) {
  const std::size_t used = std::min(width, text.size());
  std::copy_n(text.begin(), used, field);
  std::fill(field + used, field + width, static_cast<std::uint8_t>(' '));
}

std::optional<std::string> get_padded(const std::uint8_t* field, std::size_t width) {
  const std::uint8_t* end = std::find(field, field + width, static_cast<std::uint8_t>(' '));
  if (std::any_of(end, field + width, [](std::uint8_t c) { return c != ' '; })) return std::nullopt;
  return std::string(field, end);
}

std::string safe_sentence(std::string_view text, std::size_t most) {
  std::size_t size = std::min(most, text.size());
  const auto is_continuation = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  if (size < text.size()) {
    while (size > 0 && is_continuation(text[size])) --size;
  }
  std::string safe(text.substr(0, size));
  std::replace_if(safe.begin(), safe.end(), is_control, '?');
  return safe;
}

bool is_safe_sentence(std::string_view text, std::size_t most) {
  return text.size() <= most && std::none_of(text.begin(), text.end(), is_control);
}

}  // namespace afterimage
