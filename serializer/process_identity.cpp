// io: reads /proc/PID/stat.
#include "serializer/process_identity.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace afterimage {

std::uint64_t process_start_time(std::uint32_t pid) {
  if (pid == 0) return 0;
  std::array<char, 40> path{};
  std::snprintf(path.data(), path.size(), "/proc/%u/stat", pid);
  const int fd = ::open(path.data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  std::array<char, 1024> text{};
  const ssize_t got = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (got <= 0) return 0;
  // The command name may hold blanks and parentheses: fields are counted from its last ")".
  const char* field = std::strrchr(text.data(), ')');
  if (field == nullptr || field[1] != ' ') return 0;
  const char process_state = field[2];
  if (process_state == 'Z' || process_state == 'X') return 0;
  for (int number = 2; number < 22; ++number) {
    field = std::strchr(field + 1, ' ');
    if (field == nullptr) return 0;
  }
  return std::strtoull(field + 1, nullptr, 10);
}

bool process_alive(std::uint32_t pid, std::uint64_t start_time) {
  if (pid == 0 || start_time == 0) return false;
  return process_start_time(pid) == start_time;
}

std::uint32_t own_pid() { return static_cast<std::uint32_t>(::getpid()); }

}  // namespace afterimage
