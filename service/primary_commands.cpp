// io: the operator's commands at a primary site (see primary_node.h): a session's start, suspension, freeze and end.
#include "service/primary_node.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "channel/dasd_image.h"
#include "jcl/message_catalogue.h"
#include "serializer/canary.h"
#include "serializer/track_map.h"

namespace afterimage {

namespace {
constexpr std::uint64_t kCommandLimit_ms = 20000;

// DRAIN waits for what the secondary holds, not for what it only knows of.
Sequence drained_through(const Acknowledgement& said) {
  return planted(Canary::kDrainToldEarly) ? said.known_through : said.complete_through;
}
}  // namespace

Answer PrimaryNode::xstart(bool compare) {
  ControlBlock& control = storage_->control();
  const ControlView view = control_view(*storage_);
  const std::string& session = settings_.mover.session;
  if (control.epoch.load() != 0) return {8, {message("DSMO130E", {session, "it is already started", "XQUERY shows it; XEND it first"})}};
  for (std::uint32_t i = 0; i < settings_.volumes.size(); ++i) {
    if (!compare && TrackMap::changed(*storage_, devices_[i]).count() != 0)
      return {8,
              {message("DSMO130E", {session, "volume " + settings_.volumes[i].descriptor.volser + " was changed since the last session",
                                    "copy the volumes again and use COMPARE(YES)"})}};
  }
  for (const std::uint32_t index : devices_) {
    if (left_out_by_its_system(index))
      return {8,
              {message("DSMO130E", {session, "volume " + volser_of_device(index) + " is attached in its running Hercules and not tapped",
                                    "see DSMC010E in the log there, correct it, detach the device and attach it again"})}};
  }
  std::vector<VolumeDescriptor> volumes;
  for (std::uint32_t i = 0; i < settings_.volumes.size(); ++i) {
    const PrimaryVolume& volume = settings_.volumes[i];
    volumes.push_back(volume.descriptor);
    DeviceEntry& device = device_of(i);
    if (device.state.load() == static_cast<std::uint32_t>(DeviceState::kOpen)) continue;
    const auto identity = file_identity(volume.image);
    if (!identity.good()) return {8, {message("DSMO130E", {session, identity.status.text(), "correct the configuration or the image"})}};
    device.file_device.store(identity.value.device);
    device.file_inode.store(identity.value.inode);
    device.file_bytes.store(identity.value.bytes);
    device.file_mtime_ns.store(identity.value.mtime_ns);
  }
  const Tod now = host_.now();
  if (Status saved = state_file_.save({session, now, view.sequence + 1, storage_->header().storage_id, true}); !saved)
    return {8, {message("DSMO130E", {session, saved.text(), "nothing was started"})}};
  make_core();
  reader_->free_through(view.sequence);  // nothing is numbered while no session is active
  std::memset(control.session, 0, sizeof control.session);
  std::memcpy(control.session, session.data(), std::min(session.size(), sizeof control.session - 1));
  control.suspend_reason.store(0);
  control.suspended_at.store(0);
  control.acknowledged_through.store(view.sequence);
  control.epoch.store(now);
  taken_ = view.sequence;
  ending_ = false;
  unreadable_ = false;
  objections_ = 0;
  feed(now, primary::Start{now, volumes, view.sequence + 1, 0});
  set_duplex(kDuplex | (compare ? kPending : 0u));
  change_session_state(*storage_, SessionState::kInactive, SessionState::kActive);
  seen_state_ = SessionState::kActive;
  open_link();
  say_(message("DSMM101I", {session, std::to_string(volumes.size()), std::to_string(view.sequence + 1)}));
  verification_ = {};
  if (compare) {
    begin_verification(devices_, true);
  }
  arm(0);
  return {0, {message("DSMM101I", {session, std::to_string(volumes.size()), std::to_string(view.sequence + 1)})}};
}

void PrimaryNode::xsuspend(bool drain, Respond respond) {
  const std::string& session = settings_.mover.session;
  StateChange change = suspend_session(*storage_, SuspendReason::kOperator);
  if (!change.changed) {  // a suspension lets the held writes of a freeze go on, as RUN does
    change = change_session_state(*storage_, SessionState::kFrozen, SessionState::kSuspended);
    if (change.changed) storage_->control().suspend_reason.store(static_cast<std::uint32_t>(SuspendReason::kOperator));
  }
  if (!change.changed) return respond({8, {message("DSMO130E", {session, "it is not active", "XQUERY shows its state"})}});
  seen_state_ = SessionState::kSuspended;
  const std::string suspended = message("DSMM112W", {session, std::to_string(change.cut), "OPERATOR"});
  say_(suspended);
  if (!drain) return respond({0, {suspended}});
  wait_for(kCommandLimit_ms, [this, respond, session, cut = change.cut, epoch = epoch_now()](bool expired) -> std::optional<Answer> {
    const bool ended = epoch_now() != epoch;
    const bool drained = ended ? drained_epoch_ == epoch : drained_through(core_->last_acknowledgement()) >= cut;
    if (!drained && !ended && !expired) return std::nullopt;
    respond({drained ? 0 : 4,
             {message("DSMM112W", {session, std::to_string(cut), "OPERATOR"}),
              message(drained ? "DSMM115I" : "DSMM116W", {session, std::to_string(cut)})}});
    return Answer{};
  });
}

void PrimaryNode::freeze(Respond respond) {
  const std::string& session = settings_.mover.session;
  const StateChange change = change_session_state(*storage_, SessionState::kActive, SessionState::kFrozen);
  if (!change.changed) return respond({8, {message("DSMO130E", {session, "it is not active", "XQUERY shows its state"})}});
  storage_->control().suspended_at.store(change.cut);
  seen_state_ = SessionState::kFrozen;
  say_(message("DSMM110I", {session, std::to_string(change.cut), std::to_string(settings_.freeze_limit_ms / 1000)}));
  wait_for(kCommandLimit_ms, [this, respond, session, cut = change.cut, epoch = epoch_now()](bool expired) -> std::optional<Answer> {
    const bool ended = epoch_now() != epoch;
    const bool drained = ended ? drained_epoch_ == epoch : drained_through(core_->last_acknowledgement()) >= cut;
    if (!drained && !ended && !expired) return std::nullopt;
    respond({drained ? 0 : 4,
             {message("DSMM110I", {session, std::to_string(cut), std::to_string(settings_.freeze_limit_ms / 1000)}),
              message(drained ? "DSMM115I" : "DSMM116W", {session, std::to_string(cut)})}});
    return Answer{};
  });
}

Answer PrimaryNode::run() {
  const std::string& session = settings_.mover.session;
  ControlBlock& control = storage_->control();
  const StateChange change = change_session_state(*storage_, SessionState::kFrozen, SessionState::kSuspended);
  if (!change.changed) return {8, {message("DSMO130E", {session, "it is not frozen", "XQUERY shows its state"})}};
  control.suspend_reason.store(static_cast<std::uint32_t>(SuspendReason::kFreeze));
  seen_state_ = SessionState::kSuspended;
  say_(message("DSMM111I", {session, std::to_string(change.cut)}));
  return {0, {message("DSMM111I", {session, std::to_string(change.cut)})}};
}

void PrimaryNode::xend(bool drain, Respond respond) {
  const std::string& session = settings_.mover.session;
  ControlBlock& control = storage_->control();
  if (control.epoch.load() == 0) return respond({8, {message("DSMO130E", {session, "it is not started", "XSTART starts it"})}});
  if (drain && unreadable_)
    return respond({8,
                    {message("DSMO130E", {session, "a write in common storage is damaged and cannot be sent, so it cannot end with DRAIN",
                                          "enter XEND IMMEDIATE and copy the volumes"})}});
  const bool was_suspended = control_view(*storage_).state == SessionState::kSuspended;
  for (const SessionState from : {SessionState::kActive, SessionState::kSuspended, SessionState::kFrozen})
    change_session_state(*storage_, from, SessionState::kInactive);
  set_duplex(0);
  seen_state_ = SessionState::kInactive;
  const Sequence last = control_view(*storage_).sequence;
  if (!drain) {
    const std::string line = message("DSMM105W", {session, std::to_string(last)});
    finish_end(line);
    return respond({4, {line}});
  }
  while (take_tokens(host_.now())) {
  }
  ending_ = true;
  feed(host_.now(), primary::End{});
  wait_for(kCommandLimit_ms, [this, respond, session, last, was_suspended, epoch = epoch_now()](bool expired) -> std::optional<Answer> {
    const bool ended = epoch_now() != epoch;
    if (!ended && !expired) return std::nullopt;
    const bool in_order = ended && drained_epoch_ == epoch;
    Answer answer{in_order ? 0 : 4, {message(in_order ? "DSMM104I" : ended ? "DSMM105W" : "DSMM106W", {session, std::to_string(last)})}};
    if (was_suspended) answer.lines.push_back(message("DSMM107W", {session}));
    respond(std::move(answer));
    return Answer{};
  });
}

// Numbered writes that nobody has said to hold are changes that the copy lacks: the next session may not begin without a compare.
void PrimaryNode::keep_unacknowledged_as_changed(Sequence last) {
  for (Sequence sequence = storage_->control().freed_through.load() + 1; sequence <= last; ++sequence) {
    const auto held = reader_->read(sequence, false);
    if (!held.good()) {  // it may have been any track
      for (const std::uint32_t index : devices_)
        for (std::uint32_t track = 0; track < storage_->device(index).tracks; ++track) TrackMap::changed(*storage_, index).set(track);
      return;
    }
    const Token& token = held.value.token;
    if (token.kind == TokenKind::kVerify) continue;
    for (unsigned i = 0; i < token.range_count; ++i) TrackMap::changed(*storage_, held.value.device).set(token.ranges[i].track);
  }
}

void PrimaryNode::finish_end(const std::string& how) {
  ControlBlock& control = storage_->control();
  const Sequence last = control_view(*storage_).sequence;
  keep_unacknowledged_as_changed(last);
  close_link();
  make_core();
  set_duplex(0);
  for (const std::uint32_t index : verification_.devices) storage_->device(index).verify_request.store(0);
  reader_->free_through(last);
  taken_ = last;
  control.epoch.store(0);
  ending_ = false;
  unreadable_ = false;
  verification_ = {};
  if (Status saved = state_file_.save({settings_.mover.session, 0, 0, storage_->header().storage_id, false}); !saved)
    say_(message("DSMM114E", {settings_.mover.session, saved.text()}));
  say_(how.empty() ? message("DSMM104I", {settings_.mover.session, std::to_string(last)}) : how);
}

}  // namespace afterimage
