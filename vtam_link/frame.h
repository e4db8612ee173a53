// The frame around each BIND and message inside a session: 8 bytes that say what follows and how long it is (docs/FORMATS.md, "Frames").
// Pure. The bytes inside carry their own checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "serializer/limits.h"
#include "serializer/status.h"

namespace afterimage {

enum class FrameType : std::uint16_t { kBindRequest = 1, kBindResponse = 2, kMessage = 3 };

inline constexpr std::size_t kFrameHeadBytes = 8;
inline constexpr std::uint32_t kMaxBindBytes = 4096;  // the most a frame may announce before both sides are bound

struct FrameHead {
  FrameType type = FrameType::kMessage;
  std::uint32_t bytes = 0;  // of what follows
};

void put_frame_head(std::uint8_t* p, const FrameHead& head);
// Refuses an unknown type, reserved bytes that are not zero, and a length of 0 or above `limit`. The caller gives kFrameHeadBytes.
Result<FrameHead> get_frame_head(std::span<const std::uint8_t, kFrameHeadBytes> bytes, std::uint32_t limit);

}  // namespace afterimage
