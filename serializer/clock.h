// io: the one place that reads the host's clock for stamps. Everything pure is given its time.
#pragma once

#include "serializer/tod.h"

namespace afterimage {

// Realtime clock as TOD. No system call on Linux x86-64 (vDSO). Thread safe.
Tod clock_tod();
// Monotonic microseconds for intervals and time-outs. Thread safe.
std::uint64_t monotonic_us();

}  // namespace afterimage
