// io: see session_state_file.h.
#include "service/session_state_file.h"

#include <unistd.h>

#include <cerrno>

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
  // What is told must not be taken back by a crash: a killed process may not have come to this.
  const Status durable = sync_directory(path_.substr(0, path_.find_last_of('/') + 1));
  if (!durable) return failed<SessionMemory>(durable);
  const auto memory = parse_session_state({reinterpret_cast<const char*>(bytes.value.data()), bytes.value.size()});
  return memory ? result_of(*memory) : damaged(path_);
}

Status SessionStateFile::save(const SessionMemory& memory) const {
  const std::string text = session_state_text(memory);
  return replace_file(path_, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

}  // namespace afterimage
