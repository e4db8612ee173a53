// io: see hard_copy.h.
#include "service/hard_copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "serializer/clock.h"

namespace afterimage {

namespace {
constexpr std::size_t kRecentLines = 500;
}

HardCopy::~HardCopy() {
  if (file_ != nullptr) std::fclose(file_);
}

Status HardCopy::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd < 0)
    return Status::error("The hard-copy log " + path + " cannot be written: " + std::strerror(errno) +
                         ". Correct the site's directory or its permissions.");
  file_ = ::fdopen(fd, "a");
  return Status::ok();
}

void HardCopy::write(const std::string& line) {
  const std::string stamped = tod_text(clock_tod()) + " " + line + "\n";
  std::fputs(stamped.c_str(), stderr);
  if (file_ != nullptr) {
    std::fputs(stamped.c_str(), file_);
    std::fflush(file_);
  }
  if (recent_.size() >= kRecentLines) recent_.erase(recent_.begin(), recent_.begin() + static_cast<std::ptrdiff_t>(kRecentLines / 4));
  recent_.push_back(stamped.substr(0, stamped.size() - 1));
}

}  // namespace afterimage
