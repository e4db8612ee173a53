// Time of day as the machine keeps it: a 64-bit STCK value whose bit 51 is one microsecond since 1900-01-01 00:00 UTC.
// Formats carry the STCK value; people see `yyyy.ddd hh:mm:ss.thmiju` (UTC). Pure: the clock itself is read in clock.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "serializer/status.h"

namespace afterimage {

using Tod = std::uint64_t;

// Microseconds between 1900-01-01 and 1970-01-01.
inline constexpr std::uint64_t kTodUnixEpoch_us = 2208988800ULL * 1000000ULL;

constexpr std::uint64_t tod_to_us(Tod tod) { return tod >> 12; }  // microseconds since 1900
constexpr Tod tod_from_us(std::uint64_t us_1900) { return us_1900 << 12; }
constexpr Tod tod_from_unix_us(std::uint64_t us_1970) { return tod_from_us(us_1970 + kTodUnixEpoch_us); }

// "2026.326 19:41:20.231440". A zero Tod gives "0000.000 00:00:00.000000" (never stamped).
std::string tod_text(Tod tod);
// Accepts the form tod_text gives; fraction of 1 to 6 digits optional. Refuses impossible dates with a sentence.
Result<Tod> tod_parse(std::string_view text);
// "hh:mm:ss.th" for delays in reports, saturating at 99:59:59.99.
std::string duration_text(std::uint64_t duration_us);

}  // namespace afterimage
