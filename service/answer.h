// What a command answers, and how the answer is given. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace afterimage {

struct Answer {
  int return_code = 0;
  std::vector<std::string> lines;
};
// The answer may be given later, once (e.g. when a drain is complete).
using Respond = std::function<void(Answer)>;

}  // namespace afterimage
