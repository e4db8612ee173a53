// Converts between TOD values and the operator's date form, by the proleptic Gregorian calendar from 1900.
#include "serializer/tod.h"

#include <array>
#include <cstdio>

namespace afterimage {
namespace {

constexpr std::uint64_t kDay_us = 86400ULL * 1000000ULL;
constexpr unsigned kFirstYear = 1900;
constexpr std::uint64_t kMaxTod_us = (1ULL << 52) - 1;  // 2042.260 23:53:47.370495

constexpr bool is_leap(unsigned year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }
constexpr unsigned days_in(unsigned year) { return is_leap(year) ? 366 : 365; }

// Takes `digits` decimal digits from the front of `text`; false if there are fewer.
bool take_number(std::string_view& text, unsigned digits, unsigned& value) {
  if (text.size() < digits) return false;
  value = 0;
  for (unsigned i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + static_cast<unsigned>(text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take_char(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

bool take_fraction(std::string_view& text, unsigned& us) {
  us = 0;
  if (text.empty()) return true;
  if (!take_char(text, '.') || text.empty() || text.size() > 6) return false;
  const unsigned digits = static_cast<unsigned>(text.size());
  if (!take_number(text, digits, us)) return false;
  for (unsigned i = digits; i < 6; ++i) us *= 10;
  return true;
}

Status bad_time(std::string_view text, const char* why) {
  return Status::error("Time '" + std::string(text) + "' " + why +
                       "; write it as yyyy.ddd hh:mm:ss.thmiju in UTC, for example 2026.326 19:41:20.231440.");
}

}  // namespace

std::string tod_text(Tod tod) {
  if (tod == 0) return "0000.000 00:00:00.000000";
  const std::uint64_t us = tod_to_us(tod);
  std::uint64_t days = us / kDay_us;
  unsigned year = kFirstYear;
  while (days >= days_in(year)) days -= days_in(year++);
  const std::uint64_t in_day_us = us % kDay_us;
  const unsigned seconds = static_cast<unsigned>(in_day_us / 1000000);
  std::array<char, 40> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04u.%03u %02u:%02u:%02u.%06u", year, static_cast<unsigned>(days) + 1, seconds / 3600,
                seconds / 60 % 60, seconds % 60, static_cast<unsigned>(in_day_us % 1000000));
  return buffer.data();
}

Result<Tod> tod_parse(std::string_view text) {
  std::string_view rest = text;
  unsigned year = 0, day = 0, hour = 0, minute = 0, second = 0, us = 0;
  const bool shaped = take_number(rest, 4, year) && take_char(rest, '.') && take_number(rest, 3, day) && take_char(rest, ' ') &&
                      take_number(rest, 2, hour) && take_char(rest, ':') && take_number(rest, 2, minute) && take_char(rest, ':') &&
                      take_number(rest, 2, second) && take_fraction(rest, us);
  if (!shaped) return failed<Tod>(bad_time(text, "has not the form of a time"));
  if (year == 0 && day == 0 && hour == 0 && minute == 0 && second == 0 && us == 0) return result_of<Tod>(0);
  if (year < kFirstYear || year > 2042) return failed<Tod>(bad_time(text, "lies outside the TOD clock's years 1900 to 2042"));
  if (day < 1 || day > days_in(year)) return failed<Tod>(bad_time(text, "names a day its year has not"));
  if (hour > 23 || minute > 59 || second > 59) return failed<Tod>(bad_time(text, "names a time of day that does not exist"));
  std::uint64_t days = day - 1;
  for (unsigned y = kFirstYear; y < year; ++y) days += days_in(y);
  const std::uint64_t total_us = days * kDay_us + (hour * 3600ULL + minute * 60ULL + second) * 1000000ULL + us;
  if (total_us > kMaxTod_us) return failed<Tod>(bad_time(text, "lies after the TOD clock's end on 2042.260"));
  return result_of<Tod>(tod_from_us(total_us));
}

std::string duration_text(std::uint64_t duration_us) {
  constexpr std::uint64_t kMost_us = (100ULL * 3600ULL) * 1000000ULL - 10000ULL;
  if (duration_us > kMost_us) duration_us = kMost_us;
  const unsigned hundredths = static_cast<unsigned>(duration_us / 10000);
  const unsigned seconds = hundredths / 100;
  std::array<char, 40> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%02u:%02u:%02u.%02u", seconds / 3600, seconds / 60 % 60, seconds % 60, hundredths % 100);
  return buffer.data();
}

}  // namespace afterimage
