// io: the loop of the primary node (see primary_node.h): take numbered tokens, notice flushed and voided ones, let the core decide, carry
// out.
#include "service/primary_node.h"

#include <cstring>
#include <utility>

#include "jcl/message_catalogue.h"
#include "serializer/canary.h"
#include "serializer/consistency_clock.h"
#include "serializer/process_identity.h"
#include "serializer/registry.h"
#include "serializer/state_names.h"

namespace afterimage {

namespace {
constexpr std::uint64_t kBusyPoll_us = 300;    // while tokens are moving
constexpr std::uint64_t kQuietPoll_us = 2000;  // session active, nothing new
constexpr std::uint64_t kIdlePoll_us = 50000;  // no session
constexpr std::uint64_t kDeathCheck_us = 200000;
constexpr unsigned kTokensPerPoll = 2048;  // bounds one turn of the loop
constexpr unsigned kReasonPolls = 50;      // how long a suspension may be without its reason before it is told
}  // namespace

void PrimaryNode::arm(std::uint64_t delay_us) {
  host_.after(delay_us, [this, lasts = std::weak_ptr(lasts_), turn = ++turn_] {
    if (!lasts.expired() && turn == turn_) poll();
  });
}

void PrimaryNode::poll() {
  const Tod now = host_.now();
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
      const bool lost = reader_->is_void(sequence) && !planted(Canary::kVoidNotTold);
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
    if (waiter.check(host_.monotonic_us() >= waiter.deadline_us)) {
      waiters_.erase(waiters_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

void PrimaryNode::wait_for(std::uint64_t limit_ms, std::function<std::optional<Answer>(bool)> check) {
  waiters_.push_back({host_.monotonic_us() + limit_ms * 1000, std::move(check)});
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
    host_.post([this, lasts = std::weak_ptr(lasts_), epoch = storage_->control().epoch.load()] {
      if (lasts.expired() || storage_->control().epoch.load() != epoch) return;
      drained_epoch_ = epoch;
      finish_end({});
    });
  }
}

}  // namespace afterimage
