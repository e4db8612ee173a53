// Lays out an empty CKD volume; see sim_image.h.
#include "tests/sim/sim_image.h"

#include <algorithm>

#include "channel/dasd_image_header.h"

namespace afterimage::sim {

namespace {

void put_le(std::uint8_t* into, std::uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) into[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace

std::vector<std::uint8_t> make_ckd_image(const ImageFile& file) {
  constexpr std::uint8_t kType3390 = 0x90;
  const Geometry& geometry = file.geometry;
  std::vector<std::uint8_t> bytes(kDeviceHeaderBytes + std::size_t{geometry.tracks()} * geometry.track_bytes);
  const auto& id = file.fenced ? kFencedDeviceId : kCkdDeviceId;
  std::copy(id.begin(), id.end(), bytes.begin());
  put_le(bytes.data() + 8, geometry.heads);
  put_le(bytes.data() + 12, geometry.track_bytes);
  bytes[16] = kType3390;
  bytes[17] = file.sequence;
  const std::uint32_t high_cylinder = file.last ? 0 : file.first_cylinder + geometry.cylinders - 1;
  bytes[18] = static_cast<std::uint8_t>(high_cylinder);
  bytes[19] = static_cast<std::uint8_t>(high_cylinder >> 8);
  for (std::uint32_t track = 0; track < geometry.tracks(); ++track) {
    std::uint8_t* p = bytes.data() + kDeviceHeaderBytes + std::size_t{track} * geometry.track_bytes;
    const std::uint32_t cylinder = file.first_cylinder + track / geometry.heads, head = track % geometry.heads;
    const std::uint8_t address[4] = {static_cast<std::uint8_t>(cylinder >> 8), static_cast<std::uint8_t>(cylinder),
                                     static_cast<std::uint8_t>(head >> 8), static_cast<std::uint8_t>(head)};
    std::copy_n(address, 4, p + 1);  // home address: a flag byte and CCHH
    std::copy_n(address, 4, p + 5);  // record 0: count, then eight bytes of data
    p[12] = 8;
    std::fill_n(p + 21, 8, std::uint8_t{0xFF});
  }
  return bytes;
}

}  // namespace afterimage::sim
