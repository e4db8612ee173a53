// The forms of values in the configuration: names, volsers, LU names, sizes, intervals, addresses. Pure.
// A value that does not have its form gives false or nullopt; the caller says where it stood.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vtam_link/names.h"

namespace afterimage {

bool is_network_lu_name(std::string_view text);  // NETID.NAME: here both parts are wanted
// "262144", "256K", "64M", "4G"; K is 1024.
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string size_text(std::uint64_t bytes);
// "10ms", "2s", "5m", in milliseconds.
std::optional<std::uint64_t> parse_interval_ms(std::string_view text);
std::string interval_text(std::uint64_t interval_ms);
// One to four hexadecimal digits.
std::optional<std::uint16_t> parse_device_number(std::string_view text);
std::string device_number_text(std::uint16_t number);  // four digits
std::optional<std::uint64_t> parse_count(std::string_view text);

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
// "127.0.0.1:7101", "[::1]:7101", "siteb.example:7101"; the port is 1 to 65535.
std::optional<HostPort> parse_host_port(std::string_view text);
std::string host_port_text(const std::string& host, std::uint16_t port);

}  // namespace afterimage
