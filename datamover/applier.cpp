// io: pending writes onto CKD images.
#include "datamover/applier.h"

#include <algorithm>
#include <span>

#include "channel/track.h"
#include "datamover/secondary_intake.h"
#include "datamover/token_text.h"
#include "serializer/canary.h"

namespace afterimage {

namespace {

Status check_image(const ApplierVolume& wanted, const DasdImage& image) {
  const VolumeDescriptor& volume = wanted.volume;
  if (image.kind() == ImageKind::kCompressed)
    return Status::error("The image " + wanted.path + " of volume " + volume.secondary_volser +
                         " is compressed; a secondary must be a plain CKD image; make one with cckd2ckd.");
  const Geometry& geometry = image.geometry();
  const bool agrees = geometry.device_type == volume.device_type && geometry.cylinders == volume.cylinders &&
                      geometry.heads == volume.heads && geometry.track_bytes == volume.track_bytes;
  if (agrees) return Status::ok();
  return Status::error("The image " + wanted.path + " of volume " + volume.secondary_volser + " is a " + hex_text(geometry.device_type, 4) +
                       " of " + std::to_string(geometry.cylinders) + " cylinders and its primary " + volume.volser + " a " +
                       hex_text(volume.device_type, 4) + " of " + std::to_string(volume.cylinders) +
                       "; a secondary must be of the same type and size.");
}

Status refused(const PendingWrite& write, const std::string& why) {
  return Status::error("Token " + std::to_string(write.token.sequence) + " cannot be applied: " + why + ".");
}

}  // namespace

Result<std::unique_ptr<Applier>> Applier::open(std::vector<ApplierVolume> volumes) {
  using Opened = std::unique_ptr<Applier>;
  Opened applier(new Applier);
  std::uint32_t most = 0;
  for (const ApplierVolume& volume : volumes) {
    auto image = DasdImage::open(volume.path, OpenFor::kWrite);
    if (!image.good()) return failed<Opened>(std::move(image.status));
    Status checked = check_image(volume, *image.value);
    if (!checked) return failed<Opened>(std::move(checked));
    most = std::max(most, image.value->geometry().track_bytes);
    applier->images_.push_back(std::move(image.value));
    applier->table_.push_back(volume.volume);
  }
  applier->volumes_ = std::move(volumes);
  applier->track_.resize(most);
  return result_of(std::move(applier));
}

Status Applier::establish() {
  for (auto& image : images_) {
    Status fenced = image->fence();
    if (!fenced) return fenced;
  }
  return Status::ok();
}

Result<ApplyOutcome> Applier::compare(const PendingWrite& write) {
  const TrackRange& range = write.token.ranges[0];
  DasdImage& image = *images_[write.token.volume];
  const std::span<std::uint8_t> track = std::span(track_).first(image.geometry().track_bytes);
  Status read = image.read_track(range.track, track);
  if (!read) return failed<ApplyOutcome>(std::move(read));
  ApplyOutcome outcome;
  outcome.compared = true;
  outcome.equal = track_digest(track) == write.data || planted(Canary::kVerificationBlind);
  if (!outcome.equal)
    outcome.detail = "Cylinder " + std::to_string(write.token.cylinder) + " head " + std::to_string(write.token.head) + " of volume " +
                     volumes_[write.token.volume].volume.volser + " differs between the sites at token " +
                     std::to_string(write.token.sequence) + ".";
  return result_of(std::move(outcome));
}

Result<ApplyOutcome> Applier::apply(const PendingWrite& write) {
  if (write.condition == EntryCondition::kVoid) return result_of(ApplyOutcome());
  if (write.condition != EntryCondition::kComplete) return failed<ApplyOutcome>(refused(write, "its data has not arrived"));
  const Token& token = write.token;
  Status address = check_address(token, table_);
  if (!address) return failed<ApplyOutcome>(std::move(address));
  if (write.data.size() != token.data_length)
    return failed<ApplyOutcome>(
        refused(write, "it has " + std::to_string(write.data.size()) + " bytes and its token names " + std::to_string(token.data_length)));
  DasdImage& image = *images_[token.volume];
  if (!image.fenced())
    return failed<ApplyOutcome>(
        refused(write, "the image " + image.path() + " is not fenced, so it was recovered or never established here"));
  if (token.kind == TokenKind::kVerify) return compare(write);
  std::span<const std::uint8_t> rest(write.data);
  for (unsigned i = 0; i < token.range_count; ++i) {
    const TrackRange& range = token.ranges[i];
    Status written = image.write(range.track, range.offset, rest.first(range.length));
    if (!written) return failed<ApplyOutcome>(std::move(written));
    rest = rest.subspan(range.length);
  }
  return result_of(ApplyOutcome());
}

Status Applier::sync() {
  for (auto& image : images_) {
    if (planted(Canary::kOneImageNotSynced) && image == images_.back()) break;
    Status synced = image->sync();
    if (!synced) return synced;
  }
  return Status::ok();
}

Status Applier::lift_fences() {
  Status status = sync();
  for (std::size_t i = 0; i < images_.size() && status; ++i) status = images_[i]->unfence();
  return status;
}

}  // namespace afterimage
