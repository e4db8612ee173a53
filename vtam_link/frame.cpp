// The frame around each BIND and message inside a session (docs/FORMATS.md, "Frames"). Pure.
#include "vtam_link/frame.h"

#include "serializer/bytes.h"

namespace afterimage {

void put_frame_head(std::uint8_t* p, const FrameHead& head) {
  put_u32(p, head.bytes);
  put_u16(p + 4, static_cast<std::uint16_t>(head.type));
  put_u16(p + 6, 0);
}

Result<FrameHead> get_frame_head(std::span<const std::uint8_t, kFrameHeadBytes> bytes, std::uint32_t limit) {
  const std::uint8_t* p = bytes.data();
  const std::uint32_t length = get_u32(p);
  const std::uint16_t type = get_u16(p + 4);
  if (type < 1 || type > 3) return failed<FrameHead>(Status::error("a frame has the unknown type " + std::to_string(type)));
  if (get_u16(p + 6) != 0) return failed<FrameHead>(Status::error("a reserved byte of a frame is not zero"));
  if (length == 0 || length > limit) {
    return failed<FrameHead>(
        Status::error("a frame announces " + std::to_string(length) + " bytes, 1 to " + std::to_string(limit) + " are allowed"));
  }
  return result_of(FrameHead{static_cast<FrameType>(type), length});
}

}  // namespace afterimage
