// io: see primary_node.h. The loop: take numbered tokens, notice flushed and voided ones, let the core decide, carry out.
#include "service/primary_node.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include "channel/dasd_image.h"
#include "jcl/message_catalogue.h"
#include "serializer/clock.h"
#include "serializer/consistency_clock.h"
#include "serializer/process_identity.h"
#include "serializer/registry.h"
#include "serializer/storage_display.h"
#include "serializer/track_map.h"

namespace afterimage {

namespace {
constexpr std::uint64_t kBusyPoll_us = 300;    // while tokens are moving
constexpr std::uint64_t kQuietPoll_us = 2000;  // session active, nothing new
constexpr std::uint64_t kIdlePoll_us = 50000;  // no session
constexpr std::uint64_t kDeathCheck_us = 200000;
constexpr unsigned kTokensPerPoll = 2048;  // bounds one turn of the loop
constexpr std::uint64_t kCommandLimit_ms = 20000;
constexpr unsigned kReasonPolls = 50;    // how long a suspension may be without its reason before it is told
constexpr unsigned kObjectionLimit = 5;  // to one place in the stream: sending it again does not help
}  // namespace

PrimaryNode::PrimaryNode(boost::asio::io_context& io, PrimaryNodeSettings settings, Say say)
    : io_(io), settings_(std::move(settings)), say_(std::move(say)), timer_(io) {
  state_file_.set_path(settings_.directory + "/session.state");
}

PrimaryNode::~PrimaryNode() { stop(); }

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
  timer_.cancel();
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
  const Sequence freed = control.freed_through.load();
  // Without the state file: as if tokens of this session had been freed, so that a secondary that holds nothing is not established in
  // the middle of it.
  const bool remembered = memory.epoch == control.epoch.load() && memory.first_sequence != 0;
  const Sequence first = remembered ? memory.first_sequence : std::max<Sequence>(freed, 1);
  taken_ = freed;
  feed(clock_tod(), primary::Start{control.epoch.load(), volumes, first, freed});
  say_(message("DSMM103I", {settings_.mover.session, std::to_string(view.sequence), std::to_string(view.sequence - freed)}));
  // The core must know every numbered token before a bind is answered: what it does not know it would take for lost.
  while (take_tokens(clock_tod())) {
  }
  if (view.state == SessionState::kInactive) {  // XEND had begun
    set_duplex(0);
    ending_ = true;
    if (!unreadable_) feed(clock_tod(), primary::End{});
  }
  // The comparison of an XSTART goes on: the modules still have their requests.
  for (const std::uint32_t index : devices_)
    if ((storage_->device(index).duplex.load() & kPending) != 0) verification_.devices.push_back(index);
  verification_.running = verification_.at_start = !verification_.devices.empty();
  open_link();
  return Status::ok();
}

void PrimaryNode::open_link() {
  if (link_) return;
  LuSessionHandler handler;
  handler.on_bound = [this](const BindResponse& response) { on_bound(response); };
  handler.on_message = [this](std::vector<std::uint8_t>&& bytes) { on_message(std::move(bytes)); };
  handler.on_down = [this](const std::string& reason) {
    // A refusal is told once (DSML105E), and not again as a link that is down each time it is tried.
    if (std::exchange(bind_refused_, false)) return feed(clock_tod(), primary::LinkDown{});
    if (core_->link_up() || reason != link_reason_) say_(message("DSML102W", {settings_.peer.lu, reason}));
    link_reason_ = reason;
    feed(clock_tod(), primary::LinkDown{});
  };
  link_ = std::make_unique<LuConnector>(io_, settings_.tls, settings_.mover.local_lu, settings_.peer, handler, [this] {
    return core_->make_bind(storage_->header().storage_id, storage_->control().freed_through.load());
  });
  if (Status started = link_->start(); !started) {
    link_reason_ = started.text();
    say_(message("DSML103E", {settings_.peer.lu, started.text()}));
    link_.reset();
  }
}

void PrimaryNode::close_link() {
  if (!link_) return;
  link_->stop();
  link_.reset();
  bind_refused_ = false;
  link_reason_ = "not started";
}

// The secondary will not take what it is offered, however often: the guests go on without it, and no link is tried until the session is
// ended or dsmd started again.
void PrimaryNode::stop_offering(const std::string& why) {
  suspend(SuspendReason::kSecondary, why);
  close_link();
  link_reason_ = why;
  feed(clock_tod(), primary::LinkDown{});
}

void PrimaryNode::arm(std::uint64_t delay_us) {
  timer_.expires_after(std::chrono::microseconds(delay_us));
  timer_.async_wait([this, lasts = std::weak_ptr(lasts_)](const boost::system::error_code& error) {
    if (!error && !lasts.expired()) poll();
  });
}

void PrimaryNode::poll() {
  const Tod now = clock_tod();
  mover_heartbeat(*storage_, now);
  look_for_state_changes();
  bool moved = false;
  if (storage_->control().epoch.load(std::memory_order_relaxed) != 0) {
    moved = take_tokens(now);
    moved = look_for_flushes(now) || moved;
    // Consistency time moves only while every write is numbered: after a suspension it stays at the cut.
    if (seen_state_ == SessionState::kActive || seen_state_ == SessionState::kFrozen) {
      const Sequence through = advance_clock(*storage_, now);
      if (through == taken_) feed(now, primary::ClockRead{through});
    }
    // A clock set back must not silence the link: the secondary would take the primary for lost.
    if (core_->next_wakeup() <= now || now < last_poll_) feed(now, primary::Tick{});
  }
  last_poll_ = now;
  if (tod_to_us(now - last_death_check_) >= kDeathCheck_us) {
    last_death_check_ = now;
    look_for_deaths();
    look_at_verification();
  }
  look_at_waiters();
  const bool session = storage_->control().epoch.load(std::memory_order_relaxed) != 0;
  arm(moved ? kBusyPoll_us : session ? kQuietPoll_us : kIdlePoll_us);
}

bool PrimaryNode::take_tokens(Tod now) {
  if (unreadable_) return false;
  const Sequence last = reader_->last_numbered();
  unsigned taken = 0;
  while (taken_ < last && taken < kTokensPerPoll) {
    auto held = reader_->read(taken_ + 1);
    if (!held.good()) {
      unreadable_ = true;
      suspend(SuspendReason::kCheck, held.status.text());
      return true;
    }
    ++taken_;
    ++taken;
    const HeldToken& token = held.value;
    if (!token.flushed && !token.is_void) unflushed_.at(token.device).push_back(token);
    feed(now, primary::TokenNumbered{token.token, token.data, token.flushed, token.is_void});
  }
  return taken > 0;
}

// A token that waited for its bytes to reach the file ends in one of two ways: they did, or they never will (its system died, or the track
// could not be written back).
bool PrimaryNode::look_for_flushes(Tod now) {
  bool moved = false;
  for (auto& queue : unflushed_) {
    while (!queue.empty()) {
      const Sequence sequence = queue.front().token.sequence;
      const bool lost = reader_->is_void(sequence);
      if (!lost && !reader_->is_flushed(queue.front())) break;
      queue.pop_front();
      if (lost)
        feed(now, primary::TokenVoided{sequence});
      else
        feed(now, primary::DataFlushed{sequence});
      moved = true;
    }
  }
  return moved;
}

// A Hercules that died leaves numbered tokens whose bytes never reached its files: they become void, and their tracks are re-read
// when the volume is opened again.
void PrimaryNode::look_for_deaths() {
  for (std::uint32_t index = 0; index < kMaxSystems; ++index) {
    SystemEntry& system = storage_->system(index);
    const std::uint32_t pid = system.pid.load();
    if (pid == 0) continue;
    const std::string name(system.name, ::strnlen(system.name, sizeof system.name));
    if (process_alive(pid, system.start_time.load())) {
      if (joined_[index] != pid) say_(message("DSMS111I", {name, std::to_string(pid)}));
      joined_[index] = pid;
      continue;
    }
    const bool clean = system.ended.load() != 0;
    const Burial burial = bury_system(*storage_, index);
    if (burial.done && !clean) say_(message("DSMS110W", {name, std::to_string(pid), std::to_string(burial.voided.size())}));
    if (burial.done) verify_again(index);
  }
}

void PrimaryNode::look_for_state_changes() {
  const ControlView view = control_view(*storage_);
  if (view.state == seen_state_) return;
  ControlBlock& control = storage_->control();
  // Whoever suspends stores the reason after the state, unless it dies in between.
  if (view.state == SessionState::kSuspended && control.suspend_reason.load() == 0 && ++reason_awaited_ < kReasonPolls) return;
  reason_awaited_ = 0;
  const SessionState before = seen_state_;
  seen_state_ = view.state;
  if (view.state == SessionState::kSuspended && before != SessionState::kSuspended) {
    if (control.suspended_at.load() == 0) control.suspended_at.store(view.sequence);
    say_(message("DSMM112W", {settings_.mover.session, std::to_string(control.suspended_at.load()),
                              text_of(static_cast<SuspendReason>(control.suspend_reason.load()))}));
  }
}

void PrimaryNode::look_at_waiters() {
  for (std::size_t i = 0; i < waiters_.size();) {
    Waiter& waiter = waiters_[i];
    if (waiter.check(monotonic_us() >= waiter.deadline_us)) {
      waiters_.erase(waiters_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

void PrimaryNode::wait_for(std::uint64_t limit_ms, std::function<std::optional<Answer>(bool)> check) {
  waiters_.push_back({monotonic_us() + limit_ms * 1000, std::move(check)});
}

void PrimaryNode::feed(Tod now, PrimaryInput input) {
  for (PrimaryOutput& output : core_->step(now, std::move(input))) carry_out(std::move(output));
}

void PrimaryNode::carry_out(PrimaryOutput output) {
  if (auto* send = std::get_if<primary::Send>(&output)) {
    if (link_) link_->send(std::move(send->message));
  } else if (const auto* free = std::get_if<primary::Free>(&output)) {
    objections_ = 0;
    storage_->control().acknowledged_through.store(free->through);
    reader_->free_through(free->through);
  } else if (const auto* drop = std::get_if<primary::DropLink>(&output)) {
    say_(message("DSML104E", {settings_.peer.lu, drop->reason}));
    drop_reason_ = drop->reason;
    if (link_) link_->drop(drop->reason);
  } else if (const auto* exception = std::get_if<primary::ExceptionSeen>(&output)) {
    on_exception(exception->exception);
  } else if (std::holds_alternative<primary::Ended>(output)) {
    // The core is being stepped: it is replaced when that is over, unless a command was faster.
    boost::asio::post(io_, [this, lasts = std::weak_ptr(lasts_), epoch = storage_->control().epoch.load()] {
      if (lasts.expired() || storage_->control().epoch.load() != epoch) return;
      drained_epoch_ = epoch;
      finish_end({});
    });
  }
}

void PrimaryNode::on_bound(const BindResponse& response) {
  if (!response.accepted) {
    if (response.reason != link_reason_) say_(message("DSML105E", {settings_.peer.lu, response.reason}));
    link_reason_ = response.reason;
    bind_refused_ = true;
    return;
  }
  link_reason_.clear();
  say_(message("DSML101I", {settings_.mover.local_lu, settings_.peer.lu, response.product_version}));
  feed(clock_tod(), primary::LinkUp{response});
  if (!core_->link_up()) stop_offering(drop_reason_);
}

void PrimaryNode::on_message(std::vector<std::uint8_t>&& bytes) {
  auto decoded = decode(bytes);
  if (!decoded.good()) {
    if (link_) link_->drop("a message of " + settings_.peer.lu + " is damaged: " + decoded.status.text());
    return;
  }
  feed(clock_tod(), primary::MessageArrived{std::move(decoded.value)});
}

void PrimaryNode::on_exception(const Exception& exception) {
  switch (static_cast<ExceptionCode>(exception.code)) {
    case ExceptionCode::kVerifyMismatch:
      ++verification_.differences;
      say_(message("DSMM123E", {settings_.mover.session, exception.text}));
      // The next session may not begin without a compare; which track it is, only the text says.
      for (const std::uint32_t index : verification_.devices) TrackMap::changed(*storage_, index).set(0);
      if (verification_.running && verification_.at_start) suspend(SuspendReason::kSecondary, "the sites were not equal at the start");
      return;
    case ExceptionCode::kVerifyDone:
      return;
    case ExceptionCode::kRecovered:
    case ExceptionCode::kRefused:
    case ExceptionCode::kMisaddressed:
      stop_offering(exception.text);
      return;
    case ExceptionCode::kContinuity:
      if (++objections_ >= kObjectionLimit) return stop_offering(exception.text);
      [[fallthrough]];
    default:
      say_(message("DSMM114E", {settings_.mover.session, exception.text}));
      return;
  }
}

void PrimaryNode::suspend(SuspendReason reason, const std::string& why) {
  const StateChange change = suspend_session(*storage_, reason);
  if (!change.changed) return say_(message("DSMM114E", {settings_.mover.session, why}));
  seen_state_ = SessionState::kSuspended;
  say_(message("DSMM113E", {settings_.mover.session, std::to_string(change.cut), text_of(reason), why}));
}

std::string PrimaryNode::volser_of_device(std::uint32_t index) {
  const DeviceEntry& device = storage_->device(index);
  return std::string(device.volser, ::strnlen(device.volser, sizeof device.volser));
}

// Its Hercules runs and did not take it (DSMC010E there): what is written to it is not seen.
bool PrimaryNode::left_out_by_its_system(std::uint32_t index) {
  const DeviceEntry& device = storage_->device(index);
  return (device.duplex.load() & kVolumeSuspended) != 0 && device.state.load() != static_cast<std::uint32_t>(DeviceState::kOpen) &&
         system_is_alive(*storage_, device.system_index);
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
  const Tod now = clock_tod();
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
    const bool drained = ended ? drained_epoch_ == epoch : core_->last_acknowledgement().complete_through >= cut;
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
    const bool drained = ended ? drained_epoch_ == epoch : core_->last_acknowledgement().complete_through >= cut;
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
  while (take_tokens(clock_tod())) {
  }
  ending_ = true;
  feed(clock_tod(), primary::End{});
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

void PrimaryNode::finish_end(const std::string& how) {
  ControlBlock& control = storage_->control();
  const Sequence last = control_view(*storage_).sequence;
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
  if (core_->last_acknowledgement().applied_through < verification_.done_after) return;
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
  facts.now = clock_tod();
  facts.epoch = control.epoch.load();
  if (facts.freed < taken_) {
    if (auto oldest = reader_->read(facts.freed + 1); oldest.good()) facts.oldest_unacknowledged = oldest.value.token.tod;
  }
  return facts;
}

}  // namespace afterimage
