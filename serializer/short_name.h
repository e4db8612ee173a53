// The names of plexes and systems: 1 to 8 characters of A-Z 0-9 @ # $, the first no digit. Pure.
#pragma once

#include <algorithm>
#include <string_view>

namespace afterimage {

inline bool is_short_name(std::string_view name) {
  if (name.empty() || name.size() > 8) return false;
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || c == '@' || c == '#' || c == '$'; };
  return letter(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace afterimage
