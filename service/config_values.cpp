// See config_values.h.
#include "service/config_values.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace afterimage {
namespace {

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

// "<digits><suffix>" with one of the units; nothing that overflows.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const auto& units) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& unit : units)
    if (unit.suffix == suffix) return number > UINT64_MAX / unit.factor ? std::nullopt : std::optional(number * unit.factor);
  return std::nullopt;
}

constexpr std::array<Unit, 4> kSizes = {{{"G", 1u << 30}, {"M", 1u << 20}, {"K", 1u << 10}, {"", 1}}};
constexpr std::array<Unit, 3> kIntervals = {{{"m", 60000}, {"s", 1000}, {"ms", 1}}};

std::string with_largest_unit(std::uint64_t value, const auto& units) {
  for (const Unit& unit : units)
    if (value != 0 && value % unit.factor == 0) return std::to_string(value / unit.factor) + std::string(unit.suffix);
  return std::to_string(value) + std::string(units.back().suffix);
}

}  // namespace

bool is_network_lu_name(std::string_view text) { return text.find('.') != std::string_view::npos && is_lu_name(text); }

std::optional<std::uint64_t> parse_size(std::string_view text) { return parse_with_unit(text, kSizes); }
std::string size_text(std::uint64_t bytes) { return with_largest_unit(bytes, kSizes); }
std::optional<std::uint64_t> parse_interval_ms(std::string_view text) { return parse_with_unit(text, kIntervals); }
std::string interval_text(std::uint64_t interval_ms) { return with_largest_unit(interval_ms, kIntervals); }

std::optional<std::uint16_t> parse_device_number(std::string_view text) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (text.size() > 4 || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string device_number_text(std::uint16_t number) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return {kDigits[number >> 12], kDigits[(number >> 8) & 15], kDigits[(number >> 4) & 15], kDigits[number & 15]};
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const auto port = parse_count(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool has_colon = host.find(':') != std::string_view::npos;
  if (host.empty() || has_colon != bracketed || host.find_first_of("[]/ \t\r\n") != std::string_view::npos) return std::nullopt;
  return HostPort{std::string(host), static_cast<std::uint16_t>(*port)};
}

std::string host_port_text(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace afterimage
