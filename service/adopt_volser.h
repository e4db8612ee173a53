// io: reads the volume serial of an image that may be compressed, with shadow files. Threads: one at a time.
#pragma once

#include <string>

#include "serializer/status.h"

namespace afterimage {

struct ImageLabel {
  std::string volser;  // "" = no standard label
  bool compressed = false;
};

// A compressed image is read by Hercules's cckd2ckd, which copies its first cylinder to a temporary folder; `shadow` is the operand of sf=
// or "". Each failure is a sentence that names the image. A fenced image is refused: it is another session's secondary.
Result<ImageLabel> read_image_label(const std::string& path, const std::string& shadow);

}  // namespace afterimage
