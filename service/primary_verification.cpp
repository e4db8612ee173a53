// io: comparing the sites while a session runs (see primary_node.h): the modules publish digests, the secondary compares.
#include "service/primary_node.h"

#include <algorithm>

#include "jcl/message_catalogue.h"
#include "serializer/canary.h"
#include "serializer/track_map.h"

namespace afterimage {

void PrimaryNode::begin_verification(const std::vector<std::uint32_t>& devices, bool at_start) {
  verification_ = {};
  verification_.running = true;
  verification_.at_start = at_start;
  verification_.devices = devices;
  for (const std::uint32_t index : devices) {
    DeviceEntry& device = storage_->device(index);
    device.verify_next.store(0);
    device.verify_end.store(device.tracks);
    device.verify_image.store(0);
    device.verify_request.store(1);
  }
  say_(message("DSMM120I", {settings_.mover.session, std::to_string(devices.size())}));
}

// Every track of these volumes was found equal: only now is what was recorded as changed before forgotten. If the state of the session or
// of a volume changes at that very moment, the maps may have lost a track, and say that any may have changed.
void PrimaryNode::forget_changes(const std::vector<std::uint32_t>& devices) {
  const ControlView before = control_view(*storage_);
  if (before.state != SessionState::kActive) return;
  for (const std::uint32_t index : devices) {
    TrackMap::changed(*storage_, index).clear_all();
    storage_->device(index).duplex.fetch_and(~std::uint32_t{kPending});
  }
  const ControlView after = control_view(*storage_);
  if (after.state == before.state && after.generation == before.generation) return;
  for (const std::uint32_t index : devices) {
    for (std::uint32_t track = 0; track < storage_->device(index).tracks; ++track) TrackMap::changed(*storage_, index).set(track);
  }
}

// Published when every module has cleared its request (or the volume has left the copy); done when the secondary has applied, and so
// compared, all of it.
void PrimaryNode::look_at_verification() {
  if (!verification_.running) return;
  if (verification_.done_after == 0) {
    std::string missing;
    for (const std::uint32_t index : verification_.devices) {
      DeviceEntry& device = storage_->device(index);
      const bool left = (device.duplex.load() & kVolumeSuspended) != 0;
      if (device.verify_request.load() != 0 && !left) return;
      if (left) device.verify_request.store(0);
      if (left || device.verify_next.load() < device.verify_end.load()) missing += (missing.empty() ? "" : ", ") + volser_of_device(index);
    }
    verification_.not_compared = missing;
    verification_.done_after = std::max<Sequence>(control_view(*storage_).sequence, 1);
  }
  if (core_->last_acknowledgement().applied_through < verification_.done_after && !planted(Canary::kChangesForgottenEarly)) return;
  verification_.running = false;
  if (verification_.good()) forget_changes(verification_.devices);
  say_(verification_result(verification_));
}

// Digests may have become void with their system: its volumes are compared from the beginning when they are open again.
void PrimaryNode::verify_again(std::uint32_t system) {
  if (!verification_.running) return;
  for (const std::uint32_t index : verification_.devices) {
    DeviceEntry& device = storage_->device(index);
    if (device.system_index != system) continue;
    device.verify_next.store(0);
    device.verify_request.store(1);
    verification_.done_after = 0;
  }
}

std::string PrimaryNode::verification_result(const Verification& done) const {
  const std::string& session = settings_.mover.session;
  if (done.good()) return message("DSMM121I", {session, std::to_string(done.done_after)});
  if (done.differences == 0) return message("DSMM125E", {session, done.not_compared});
  return message("DSMM122E", {session, std::to_string(done.differences), std::to_string(done.done_after)});
}

void PrimaryNode::verify(const std::vector<std::string>& volsers, Respond respond) {
  const std::string& session = settings_.mover.session;
  if (seen_state_ != SessionState::kActive)
    return respond({8, {message("DSMO130E", {session, "it is not active", "compare images off-line with `dsm verify`"})}});
  if (verification_.running)
    return respond({8, {message("DSMO130E", {session, "a verification is running", "wait for its end (DSMM121I)"})}});
  std::vector<std::uint32_t> devices;
  for (std::uint32_t i = 0; i < settings_.volumes.size(); ++i) {
    const std::string& volser = settings_.volumes[i].descriptor.volser;
    if (!volsers.empty() && std::find(volsers.begin(), volsers.end(), volser) == volsers.end()) continue;
    if (device_of(i).state.load() != static_cast<std::uint32_t>(DeviceState::kOpen))
      return respond({8,
                      {message("DSMO130E", {session, "volume " + volser + " is not open in its Hercules",
                                            "start the system, or compare images off-line with `dsm verify`"})}});
    devices.push_back(devices_[i]);
  }
  if (devices.empty())
    return respond(
        {8, {message("DSMO130E", {session, "none of those volumes is in it", "XQUERY " + session + " VOLUME(ALL) names them"})}});
  begin_verification(devices, false);
  wait_for(600000, [this, respond, session, epoch = epoch_now()](bool expired) -> std::optional<Answer> {
    const bool stopped = epoch_now() != epoch || (seen_state_ == SessionState::kSuspended && verification_.done_after == 0);
    if (verification_.running && !stopped && !expired) return std::nullopt;
    if (stopped)
      respond({8,
               {message("DSMO130E", {session, "it was suspended or ended before everything was compared",
                                     "compare the closed images with `dsm verify`"})}});
    else if (verification_.running)
      respond({4, {message("DSMM124W", {session})}});
    else
      respond({verification_.good() ? 0 : 8, {verification_result(verification_)}});
    return Answer{};
  });
}

}  // namespace afterimage
