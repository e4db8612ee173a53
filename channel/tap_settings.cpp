// See tap_settings.h.
#include "channel/tap_settings.h"

#include <algorithm>
#include <cctype>

#include "serializer/short_name.h"

namespace afterimage {
namespace {

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

Status set_name(std::string& field, std::string_view keyword, std::string_view value) {
  const std::string name = upper(value);
  if (!is_short_name(name)) {
    return Status::error("'" + std::string(value) + "' is not a " + std::string(keyword) +
                         " name; use 1 to 8 characters of A-Z, 0-9, @, #, $, not beginning with a digit");
  }
  field = name;
  return Status::ok();
}

Status set_storage(std::string& field, std::string_view value) {
  if (value.empty() || value.size() > 200 || value.find('/') != std::string_view::npos) {
    return Status::error("'" + std::string(value) + "' is not a STORAGE name; use 1 to 200 characters without a slash");
  }
  field = value;
  return Status::ok();
}

}  // namespace

Result<TapSettings> parse_tap_settings(std::span<const std::string_view> words) {
  TapSettings settings;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string keyword = upper(words[i]);
    if (keyword != "PLEX" && keyword != "SYSTEM" && keyword != "STORAGE") {
      return failed<TapSettings>(Status::error("'" + std::string(words[i]) +
                                               "' is not known in the DSM statement; write DSM PLEX name SYSTEM name [STORAGE name]"));
    }
    if (i + 1 == words.size()) {
      return failed<TapSettings>(Status::error(keyword + " has no name after it; write DSM PLEX name SYSTEM name [STORAGE name]"));
    }
    Status status = keyword == "STORAGE" ? set_storage(settings.storage, words[i + 1])
                                         : set_name(keyword == "PLEX" ? settings.plex : settings.system, keyword, words[i + 1]);
    if (!status) return failed<TapSettings>(std::move(status));
  }
  if (!settings.complete()) {
    return failed<TapSettings>(Status::error("the DSM statement needs both a plex and a system; write DSM PLEX name SYSTEM name"));
  }
  return result_of(std::move(settings));
}

Result<TapSettings> tap_settings_from(const char* plex, const char* system, const char* storage) {
  TapSettings settings;
  Status status = Status::ok();
  if (plex != nullptr && *plex != '\0') status = set_name(settings.plex, "PLEX", plex);
  if (status && system != nullptr && *system != '\0') status = set_name(settings.system, "SYSTEM", system);
  if (status && storage != nullptr && *storage != '\0') status = set_storage(settings.storage, storage);
  if (!status) return failed<TapSettings>(std::move(status));
  return result_of(std::move(settings));
}

}  // namespace afterimage
