// io: offline verification: two images compared track by track as records (what lies behind an end-of-track marker is no part of a volume).
// Reads only, takes no lock: both images must be at rest. Threads: one call at a time per image.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serializer/status.h"

namespace afterimage {

struct TrackDifference {
  std::uint32_t cylinder = 0, head = 0;
  std::string phrase;  // of track_difference(): "record 3: data differs at byte 17"
};

struct VerifyReport {
  std::string left, right;  // paths
  std::uint64_t tracks = 0, different = 0;
  std::vector<TrackDifference> first;  // the first of them, at most what was asked for
  bool equal() const { return different == 0; }
};

// An error when an image cannot be opened or read, is compressed, or the geometries differ. A fenced image is compared like any other.
Result<VerifyReport> verify_images(const std::string& left, const std::string& right, std::size_t most_differences);
// For people: one line of totals, then one per difference, "CC 0012 HH 0003 record 3: ...".
std::vector<std::string> verify_lines(const VerifyReport& report);

}  // namespace afterimage
