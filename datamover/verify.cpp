// io: compares two CKD images.
#include "datamover/verify.h"

#include "channel/dasd_image.h"
#include "channel/track.h"
#include "datamover/token_text.h"

namespace afterimage {

namespace {

std::string geometry_text(const Geometry& geometry) {
  return "a " + hex_text(geometry.device_type, 4) + " of " + std::to_string(geometry.cylinders) + " cylinders, " +
         std::to_string(geometry.heads) + " heads, " + std::to_string(geometry.track_bytes) + " bytes per track";
}

Status check_pair(const DasdImage& left, const DasdImage& right) {
  for (const DasdImage* image : {&left, &right})
    if (image->kind() == ImageKind::kCompressed)
      return Status::error("The image " + image->path() + " is compressed; make a plain copy with cckd2ckd and compare that.");
  if (left.geometry() == right.geometry()) return Status::ok();
  return Status::error("The images cannot be compared: " + left.path() + " is " + geometry_text(left.geometry()) + " and " + right.path() +
                       " is " + geometry_text(right.geometry()) + "; name two volumes of the same type and size.");
}

}  // namespace

Result<VerifyReport> verify_images(const std::string& left_path, const std::string& right_path, std::size_t most_differences) {
  auto left = DasdImage::open(left_path, OpenFor::kRead);
  if (!left.good()) return failed<VerifyReport>(std::move(left.status));
  auto right = DasdImage::open(right_path, OpenFor::kRead);
  if (!right.good()) return failed<VerifyReport>(std::move(right.status));
  Status status = check_pair(*left.value, *right.value);
  const Geometry& geometry = left.value->geometry();
  VerifyReport report;
  report.left = left_path;
  report.right = right_path;
  std::vector<std::uint8_t> one(geometry.track_bytes), other(geometry.track_bytes);
  for (std::uint32_t track = 0; track < geometry.tracks() && status; ++track) {
    status = left.value->read_track(track, one);
    if (status) status = right.value->read_track(track, other);
    if (!status) break;
    ++report.tracks;
    if (one == other) continue;
    std::string phrase = track_difference(one, other);
    if (phrase.empty()) continue;
    ++report.different;
    if (report.first.size() < most_differences) report.first.push_back({track / geometry.heads, track % geometry.heads, std::move(phrase)});
  }
  if (!status) return failed<VerifyReport>(std::move(status));
  return result_of(std::move(report));
}

std::vector<std::string> verify_lines(const VerifyReport& report) {
  std::vector<std::string> lines;
  lines.push_back(report.left + " AND " + report.right + ": TRACKS=" + std::to_string(report.tracks) +
                  " DIFFERENT=" + std::to_string(report.different) + (report.equal() ? " EQUAL" : " NOT EQUAL"));
  for (const TrackDifference& difference : report.first)
    lines.push_back("CC " + hex_text(difference.cylinder, 4) + " HH " + hex_text(difference.head, 4) + " " + difference.phrase);
  if (report.different > report.first.size()) lines.push_back(std::to_string(report.different - report.first.size()) + " MORE NOT SHOWN");
  return lines;
}

}  // namespace afterimage
