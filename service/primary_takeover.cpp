// io: how a dsmd continues the session that an earlier one left in common storage (see primary_node.h).
#include "service/primary_node.h"

#include <algorithm>
#include <cstring>

#include "jcl/message_catalogue.h"
#include "serializer/canary.h"

namespace afterimage {

// A dsmd that was replaced or killed while a session runs continues it from common storage (A9); a session whose common storage is
// gone (the host went down) cannot be continued and says so.
Status PrimaryNode::take_over_session() {
  auto loaded = state_file_.load();
  if (!loaded.good()) return loaded.status;
  const SessionMemory& memory = loaded.value;
  seen_state_ = control_view(*storage_).state;
  if (storage_->control().epoch.load() != 0) return continue_session(memory);
  if (!memory.active) return Status::ok();
  // Of the same storage: killed while the session began or ended, and it is not there any more.
  if (memory.storage_id != storage_->header().storage_id) say_(message("DSMM117E", {memory.session}));
  return state_file_.save({memory.session, 0, 0, memory.storage_id, false});
}

// A volume taken out of the configuration would go on being numbered, and its tokens would name volumes the session does not have.
Status PrimaryNode::check_session_devices() {
  const auto& field = storage_->control().session;
  const std::string running(field, ::strnlen(field, sizeof field));
  if (running != settings_.mover.session)
    return Status::error("Session " + running + " runs in common storage, and the configuration has " + settings_.mover.session +
                         ". Start dsmd with the configuration of " + running + " and end it (XEND), then change the configuration.");
  for (std::uint32_t index = 0; index < storage_->device_count(); ++index) {
    const DeviceEntry& device = storage_->device(index);
    if (device.state.load() == static_cast<std::uint32_t>(DeviceState::kUnused) || (device.duplex.load() & kDuplex) == 0) continue;
    if (std::find(devices_.begin(), devices_.end(), index) != devices_.end()) continue;
    return Status::error("Volume " + volser_of_device(index) + " is in session " + running +
                         ", which runs, and not in the configuration. Start dsmd with the volume in it and end the session (XEND), then " +
                         "take it out.");
  }
  return Status::ok();
}

Status PrimaryNode::continue_session(const SessionMemory& memory) {
  if (Status same = check_session_devices(); !same) return same;
  ControlBlock& control = storage_->control();
  const ControlView view = control_view(*storage_);
  std::vector<VolumeDescriptor> volumes;
  for (const auto& volume : settings_.volumes) volumes.push_back(volume.descriptor);
  const Sequence freed = planted(Canary::kTokensNotTakenOver) ? view.sequence : control.freed_through.load();
  // Without the state file: as if tokens of this session had been freed, so that a secondary that holds nothing is not established in
  // the middle of it.
  const bool remembered = memory.epoch == control.epoch.load() && memory.first_sequence != 0;
  const Sequence first = remembered ? memory.first_sequence : std::max<Sequence>(freed, 1);
  taken_ = freed;
  feed(host_.now(), primary::Start{control.epoch.load(), volumes, first, freed});
  say_(message("DSMM103I", {settings_.mover.session, std::to_string(view.sequence), std::to_string(view.sequence - freed)}));
  // The core must know every numbered token before a bind is answered: what it does not know it would take for lost.
  while (take_tokens(host_.now())) {
  }
  if (view.state == SessionState::kInactive) {  // XEND had begun
    set_duplex(0);
    ending_ = true;
    if (!unreadable_) feed(host_.now(), primary::End{});
  }
  // The comparison of an XSTART goes on: the modules still have their requests.
  for (const std::uint32_t index : devices_)
    if ((storage_->device(index).duplex.load() & kPending) != 0) verification_.devices.push_back(index);
  verification_.running = verification_.at_start = !verification_.devices.empty();
  open_link();
  return Status::ok();
}

}  // namespace afterimage
