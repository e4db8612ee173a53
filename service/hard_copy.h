// io: the hard-copy log: every message, with its time, to a file in the site's directory and to standard error. Loop thread only.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "serializer/status.h"

namespace afterimage {

class HardCopy {
 public:
  HardCopy() = default;
  ~HardCopy();
  HardCopy(const HardCopy&) = delete;
  HardCopy& operator=(const HardCopy&) = delete;
  // Appends to `path` (created 0640). Without open() messages go to standard error only.
  Status open(const std::string& path);
  // One message or line of a multi-line message: "DSMM101I TEXT".
  void write(const std::string& line);
  // The last messages, oldest first, for consoles that join late.
  const std::vector<std::string>& recent() const { return recent_; }

 private:
  std::FILE* file_ = nullptr;
  std::vector<std::string> recent_;
};

}  // namespace afterimage
