// A small CKD volume for simulated disks: a device header and empty tracks of any geometry, as dasdinit lays them out. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "channel/dasd_image_types.h"

namespace afterimage::sim {

// Type 3390. Every track has its home address and record 0, then the end marker; the rest is zeros. `track_bytes` is at least 64.
std::vector<std::uint8_t> make_ckd_image(const Geometry& geometry, bool fenced = false);

}  // namespace afterimage::sim
