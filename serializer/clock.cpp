// io: reads the host's clocks.
#include "serializer/clock.h"

#include <ctime>

namespace afterimage {
namespace {
std::uint64_t read_us(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000ULL + static_cast<std::uint64_t>(now.tv_nsec) / 1000ULL;
}
}  // namespace

Tod clock_tod() { return tod_from_unix_us(read_us(CLOCK_REALTIME)); }
std::uint64_t monotonic_us() { return read_us(CLOCK_MONOTONIC); }

}  // namespace afterimage
