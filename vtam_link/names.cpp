// Names as MVS and VTAM write them, and how fixed-width fields of our formats carry them. Pure.
#include "vtam_link/names.h"

#include <algorithm>

namespace afterimage {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) { return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '@' || c == '#' || c == '$'; }

// Bytes of the UTF-8 character at the front of `text`; 0 when there is none (a wrong lead, a missing continuation, a longer form than
// needed, a surrogate, beyond U+10FFFF) or it is a control character (C0, DEL, and C1, which a terminal obeys as well).
std::size_t shown_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return lead < 0x20 || lead == 0x7F ? 0 : 1;
  const std::size_t length = lead < 0xC2 || lead > 0xF4 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  std::uint32_t point = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    point = point << 6 | (byte(i) & 0x3F);
  }
  if (point < 0xA0 || (point >= 0xD800 && point < 0xE000) || point > 0x10FFFF) return 0;
  if ((length == 3 && point < 0x800) || (length == 4 && point < 0x10000)) return 0;
  return length;
}

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
  std::string safe;
  while (!text.empty()) {
    const std::size_t length = shown_character(text);
    if (safe.size() + (length == 0 ? 1 : length) > most) break;
    if (length == 0)
      safe += '?';
    else
      safe += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return safe;
}

bool is_safe_sentence(std::string_view text, std::size_t most) {
  if (text.size() > most) return false;
  while (!text.empty()) {
    const std::size_t length = shown_character(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace afterimage
