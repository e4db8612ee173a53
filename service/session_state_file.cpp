// io: see session_state_file.h.
#include "service/session_state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "datamover/posix_file.h"

namespace afterimage {

namespace {
constexpr std::size_t kMostBytes = 65536;  // read at most, whatever the file is; what is written has less than 200

Result<SessionMemory> damaged(const std::string& path) {
  return failed<SessionMemory>(Status::error("The state file " + path +
                                             " is damaged. Remove it: a session that is still in common storage goes on; after the loss of "
                                             "common storage make the volumes equal and start with COMPARE(YES)."));
}
}  // namespace

Result<SessionMemory> SessionStateFile::load() const {
  if (::access(path_.c_str(), F_OK) != 0 && errno == ENOENT) return result_of(SessionMemory());
  auto bytes = read_whole(path_, kMostBytes);
  if (!bytes.good()) return failed<SessionMemory>(std::move(bytes.status));
  const auto memory = parse_session_state({reinterpret_cast<const char*>(bytes.value.data()), bytes.value.size()});
  return memory ? result_of(*memory) : damaged(path_);
}

Status SessionStateFile::save(const SessionMemory& memory) const {
  const std::string text = session_state_text(memory);
  const std::string fresh = path_ + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  bool good = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  int saved = errno;
  if (fd >= 0) ::close(fd);
  if (good && ::rename(fresh.c_str(), path_.c_str()) != 0) {
    saved = errno;
    good = false;
  }
  if (!good)
    return Status::error("The state file " + path_ + " cannot be written: " + std::strerror(saved) + ". Correct the site's directory.");
  const std::string directory = path_.substr(0, path_.find_last_of('/') + 1);
  const int directory_fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd >= 0) {
    ::fsync(directory_fd);
    ::close(directory_fd);
  }
  return Status::ok();
}

}  // namespace afterimage
