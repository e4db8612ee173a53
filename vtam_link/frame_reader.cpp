// See frame_reader.h.
#include "vtam_link/frame_reader.h"

#include <utility>

namespace afterimage {

std::span<std::uint8_t> FrameReader::wanted() {
  if (in_body_) return frame_.bytes;
  return head_;
}

Result<std::optional<Frame>> FrameReader::filled() {
  using Found = std::optional<Frame>;
  if (in_body_) {
    in_body_ = false;
    return result_of(Found(std::exchange(frame_, {})));
  }
  const auto head = get_frame_head(head_, limit_);
  if (!head.good()) return failed<Found>(head.status);
  if (head.value.type != expected_) return failed<Found>(Status::error("a frame out of turn"));
  frame_.type = head.value.type;
  frame_.bytes.resize(head.value.bytes);
  in_body_ = true;
  return result_of(Found());
}

}  // namespace afterimage
