// io: what a site remembers of its session across the loss of common storage (a host that went down): a small text file of
// `name=value` lines, replaced as a whole. Threads: one.
#pragma once

#include <string>

#include "serializer/status.h"
#include "service/session_state_format.h"

namespace afterimage {

class SessionStateFile {
 public:
  void set_path(std::string path) { path_ = std::move(path); }
  // An absent file is an empty memory; a damaged one is an error that names it.
  Result<SessionMemory> load() const;
  Status save(const SessionMemory& memory) const;  // durable when it returns

 private:
  std::string path_;
};

}  // namespace afterimage
