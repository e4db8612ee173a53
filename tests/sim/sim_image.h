// Small CKD volumes for simulated disks: a device header and empty tracks of any geometry, as dasdinit lays them out. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "channel/dasd_image_types.h"

namespace afterimage::sim {

// One file of a volume; as it stands, a volume's only file.
struct ImageFile {
  Geometry geometry;                 // of this file: type 3390, `track_bytes` at least 64
  std::uint32_t first_cylinder = 0;  // on the volume
  std::uint8_t sequence = 0;         // 1, 2 ... when the volume has several files
  bool last = true;
  bool fenced = false;
};
// Every track has its home address and record 0, then the end marker; the rest is zeros.
std::vector<std::uint8_t> make_ckd_image(const ImageFile& file);
inline std::vector<std::uint8_t> make_ckd_image(const Geometry& geometry, bool fenced = false) {
  return make_ckd_image(ImageFile{geometry, 0, 0, true, fenced});
}

}  // namespace afterimage::sim
