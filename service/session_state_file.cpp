// io: see session_state_file.h.
#include "service/session_state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>

namespace afterimage {

namespace {
Result<SessionMemory> damaged(const std::string& path) {
  return failed<SessionMemory>(Status::error("The state file " + path +
                                             " is damaged. Remove it: a session that is still in common storage goes on; after the loss of "
                                             "common storage make the volumes equal and start with COMPARE(YES)."));
}
}  // namespace

Result<SessionMemory> SessionStateFile::load() const {
  SessionMemory memory;
  if (::access(path_.c_str(), F_OK) != 0 && errno == ENOENT) return result_of(memory);
  std::ifstream file(path_);
  // A directory opens and cannot be read.
  if (!file || file.peek() == std::ifstream::traits_type::eof()) {
    if (::access(path_.c_str(), R_OK) == 0) return damaged(path_);
    return failed<SessionMemory>(
        Status::error("The state file " + path_ + " cannot be read: " + std::strerror(errno) + ". Correct its permissions."));
  }
  std::map<std::string, std::string> values;
  std::string line;
  while (std::getline(file, line)) {
    const auto equals = line.find('=');
    if (equals == std::string::npos) return damaged(path_);
    values[line.substr(0, equals)] = line.substr(equals + 1);
  }
  const auto number = [&values](const char* name, std::uint64_t& into) {
    const std::string& text = values[name];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc() && end == text.data() + text.size();
  };
  std::uint64_t active = 0;
  if (!number("epoch", memory.epoch) || !number("first", memory.first_sequence) || !number("storage", memory.storage_id) ||
      !number("active", active))
    return damaged(path_);
  memory.session = values["session"];
  memory.active = active != 0;
  return result_of(memory);
}

Status SessionStateFile::save(const SessionMemory& memory) const {
  const std::string text = "session=" + memory.session + "\nepoch=" + std::to_string(memory.epoch) +
                           "\nfirst=" + std::to_string(memory.first_sequence) + "\nstorage=" + std::to_string(memory.storage_id) +
                           "\nactive=" + (memory.active ? "1" : "0") + "\n";
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
