// Names as MVS and VTAM write them, and how fixed-width fields of our formats carry them. Pure; nothing here throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace afterimage {

inline constexpr std::size_t kNameBytes = 8;     // session, system, NETID and LU names
inline constexpr std::size_t kLuNameBytes = 17;  // NETID.NAME
inline constexpr std::size_t kVolserBytes = 6;

// 1 to 8 of A-Z 0-9 @ # $, the first not a digit.
bool is_name(std::string_view text);
// NAME or NETID.NAME, both parts names.
bool is_lu_name(std::string_view text);
// 1 to 6 of A-Z 0-9 @ # $ -.
bool is_volser(std::string_view text);
// 0 to `most` printable ASCII characters, no blank at either end.
bool is_printable(std::string_view text, std::size_t most);

// Text as a field of `width` bytes, padded with blanks; what is longer is cut (encoders check before they come here).
void put_padded(std::uint8_t* field, std::size_t width, std::string_view text);
// The text of a padded field, or nothing when a blank is followed by something else.
std::optional<std::string> get_padded(const std::uint8_t* field, std::size_t width);

// A sentence made safe to send and to show: control characters and bytes that are not UTF-8 become '?', at most `most` bytes (cut between
// characters).
std::string safe_sentence(std::string_view text, std::size_t most);
// True if safe_sentence() would leave the text as it is.
bool is_safe_sentence(std::string_view text, std::size_t most);

}  // namespace afterimage
