// Where the module gets its plex, system and storage names: the statement DSM in hercules.cnf (or typed at the panel), else the
// environment. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "serializer/status.h"

namespace afterimage {

struct TapSettings {
  std::string plex;     // 1 to 8 characters, upper case
  std::string system;   // likewise
  std::string storage;  // segment name; "" = CommonStorage::segment_name(plex)
  bool complete() const { return !plex.empty() && !system.empty(); }
  friend bool operator==(const TapSettings&, const TapSettings&) = default;
};

// `words` are the operands: PLEX name SYSTEM name [STORAGE name], in any order and case. Both names are needed.
Result<TapSettings> parse_tap_settings(std::span<const std::string_view> words);
// From AFTERIMAGE_PLEX, AFTERIMAGE_SYSTEM and AFTERIMAGE_STORAGE as given (null = unset). Unset names stay empty; a bad one is an error.
Result<TapSettings> tap_settings_from(const char* plex, const char* system, const char* storage);

}  // namespace afterimage
