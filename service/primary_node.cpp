// io: see primary_node.h. Its beginning and end, its volumes in common storage, and its facts.
#include "service/primary_node.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "jcl/message_catalogue.h"
#include "serializer/registry.h"
#include "serializer/state_names.h"

namespace afterimage {

PrimaryNode::PrimaryNode(NodeHost& host, PrimaryNodeSettings settings, Say say)
    : host_(host), settings_(std::move(settings)), say_(std::move(say)) {
  state_file_.set_path(settings_.directory + "/session.state");
}

PrimaryNode::~PrimaryNode() = default;

Status PrimaryNode::start() {
  auto opened = CommonStorage::create_or_open(settings_.segment, settings_.shape);
  if (!opened.good()) return opened.status;
  storage_ = std::move(opened.value);
  if (Status registered = register_mover(*storage_); !registered) return registered;
  registered_ = true;
  ControlBlock& control = storage_->control();
  control.pace_limit_ms.store(settings_.pace_limit_ms);
  control.freeze_limit_ms.store(settings_.freeze_limit_ms);
  auto& socket_field = storage_->header().command_socket;
  std::memset(socket_field, 0, sizeof socket_field);
  std::memcpy(socket_field, settings_.command_socket.data(), std::min(settings_.command_socket.size(), sizeof socket_field - 1));

  reader_ = std::make_unique<SlotReader>(*storage_);
  if (Status rebuilt = reader_->rebuild(); !rebuilt) return rebuilt;
  make_core();
  if (Status defined = define_devices(); !defined) return defined;
  if (Status taken = take_over_session(); !taken) return taken;
  arm(0);
  return Status::ok();
}

void PrimaryNode::stop() {
  lasts_.reset();
  close_link();
  if (registered_) unregister_mover(*storage_);
  registered_ = false;
}

void PrimaryNode::make_core() {
  core_ = std::make_unique<PrimaryCore>(settings_.mover);
  unflushed_.assign(storage_->device_count(), {});
}

Status PrimaryNode::define_devices() {
  devices_.clear();
  for (std::size_t i = 0; i < settings_.volumes.size(); ++i) {
    const VolumeDescriptor& volume = settings_.volumes[i].descriptor;
    DeviceDefinition definition;
    definition.volser = volume.volser;
    definition.system = volume.system;
    definition.device_number = volume.device_number;
    definition.volume = static_cast<VolumeId>(i);
    definition.device_type = volume.device_type;
    definition.cylinders = volume.cylinders;
    definition.heads = volume.heads;
    definition.track_bytes = volume.track_bytes;
    definition.tracks = volume.cylinders * volume.heads;
    definition.image_path = settings_.volumes[i].image;
    auto defined = define_device(*storage_, definition);
    if (!defined.good()) return defined.status;
    devices_.push_back(defined.value);
  }
  return Status::ok();
}

DeviceEntry& PrimaryNode::device_of(std::size_t volume) { return storage_->device(devices_.at(volume)); }

std::string PrimaryNode::volser_of_device(std::uint32_t index) {
  const DeviceEntry& device = storage_->device(index);
  return std::string(device.volser, ::strnlen(device.volser, sizeof device.volser));
}

void PrimaryNode::suspend(SuspendReason reason, const std::string& why) {
  const StateChange change = suspend_session(*storage_, reason);
  if (!change.changed) return say_(message("DSMM114E", {settings_.mover.session, why}));
  seen_state_ = SessionState::kSuspended;
  say_(message("DSMM113E", {settings_.mover.session, std::to_string(change.cut), text_of(reason), why}));
}

// Also of volumes that are no longer in the configuration: they are in no session then.
void PrimaryNode::set_duplex(std::uint32_t bits) {
  for (std::uint32_t index = 0; index < storage_->device_count(); ++index) {
    DeviceEntry& device = storage_->device(index);
    if (device.state.load() == static_cast<std::uint32_t>(DeviceState::kUnused)) continue;
    const bool ours = std::find(devices_.begin(), devices_.end(), index) != devices_.end();
    const std::uint32_t kept = left_out_by_its_system(index) ? std::uint32_t{kVolumeSuspended} : 0u;
    device.duplex.store((ours ? bits : 0u) | kept);
    if (kept != 0) continue;
    device.suspend_reason.store(0);
    device.suspended_at.store(0);
  }
  bump_generation(*storage_);
}

// Its Hercules runs and did not take it (DSMC010E there): what is written to it is not seen.
bool PrimaryNode::left_out_by_its_system(std::uint32_t index) {
  const DeviceEntry& device = storage_->device(index);
  return (device.duplex.load() & kVolumeSuspended) != 0 && device.state.load() != static_cast<std::uint32_t>(DeviceState::kOpen) &&
         system_is_alive(*storage_, device.system_index);
}

PrimaryFacts PrimaryNode::facts() {
  PrimaryFacts facts;
  ControlBlock& control = storage_->control();
  const ControlView view = control_view(*storage_);
  facts.state = view.state;
  facts.reason = static_cast<SuspendReason>(control.suspend_reason.load());
  facts.suspended_at = control.suspended_at.load();
  facts.numbered = view.sequence;
  facts.sent = core_->sent_through();
  facts.freed = control.freed_through.load();
  facts.acknowledged = core_->last_acknowledgement();
  facts.ring_bytes = reader_->ring_bytes();
  facts.ring_used = reader_->ring_bytes_used();
  facts.unacknowledged_bytes = core_->unacknowledged_bytes();
  facts.pace_count = control.pace_count.load();
  facts.pace_us = control.pace_us.load();
  facts.link_up = core_->link_up();
  facts.link_reason = link_reason_;
  facts.counters = core_->counters();
  facts.differences = verification_.differences;
  facts.now = host_.now();
  facts.epoch = control.epoch.load();
  if (facts.freed < taken_) {
    if (auto oldest = reader_->read(facts.freed + 1); oldest.good()) facts.oldest_unacknowledged = oldest.value.token.tod;
  }
  return facts;
}

}  // namespace afterimage
