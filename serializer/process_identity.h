// io: who is alive. A process is named by its pid and its start time, so that a reused pid is not taken for it. Thread safe.
#pragma once

#include <cstdint>

namespace afterimage {

// Clock ticks since boot (/proc/PID/stat field 22); 0 if there is no such process or it is a zombie.
std::uint64_t process_start_time(std::uint32_t pid);
bool process_alive(std::uint32_t pid, std::uint64_t start_time);
std::uint32_t own_pid();

}  // namespace afterimage
