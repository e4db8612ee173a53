// What a CKD volume's image is: its geometry and kind. Pure.
#pragma once

#include <cstdint>

namespace afterimage {

struct Geometry {
  std::uint16_t device_type = 0;  // X'3390' ...; from the header's type byte
  std::uint32_t cylinders = 0, heads = 0, track_bytes = 0;
  std::uint32_t tracks() const { return cylinders * heads; }
  friend bool operator==(const Geometry&, const Geometry&) = default;
};

enum class ImageKind : std::uint8_t { kCkd, kCompressed, kFencedCkd };
enum class OpenFor : std::uint8_t { kRead, kWrite };

}  // namespace afterimage
