// SecondaryCore: inputs that are commands or reports of failure, and the queries.
#include "datamover/secondary_core.h"

#include "datamover/secondary_state.h"
#include "serializer/check.h"

namespace afterimage {

void SecondaryCore::State::on(Tod, const secondary::Restart& restart, Outputs& out) {
  AI_CHECK(state == SecondaryState::kEmpty);
  AI_CHECK(!ready);
  const Checkpoint& from = restart.checkpoint;
  state = from.state;
  epoch = from.epoch;
  storage_id = from.storage_id;
  volumes = from.volumes;
  queue = PendingWriteQueue(from.applied_through);
  applied_through = from.applied_through;
  applied_tod = received_tod = from.applied_tod;
  consistency_time = from.consistency_time;
  own_message = from.last_own_message;
  end_taken = ended_in_order = from.ended_in_order;
  recovered_at = from.recovered_at;
  durable.message_number = from.last_message;
  durable.complete_through = durable.known_through = from.applied_through;
  durable.known_tod = from.applied_tod;
  durable.sent = from.last_sent;
  continuity = ContinuityChecker(settings.session, settings.peer_lu, settings.local_lu, epoch, from.last_message);
  journal_end = journal_released = checkpoint_journal_end = from.journal_position;
  checkpoint = checkpoint_asked = from;
  const bool goes_on = state == SecondaryState::kDuplex || state == SecondaryState::kFrozen || state == SecondaryState::kRecovering;
  const std::string reason = goes_on ? why_not_volumes(settings.volumes, volumes) : std::string();
  if (!reason.empty()) stop("The configuration was changed while a session was established. " + reason, out);
}

void SecondaryCore::State::on(Tod now, const secondary::DiskError& error, Outputs& out) {
  if (state == SecondaryState::kStopped) return;
  if (bound)
    send_exception(now, error.journal_full ? ExceptionCode::kJournalFull : ExceptionCode::kDiskError, queue.known_through(), error.text,
                   out);
  stop(error.text, out);
}

void SecondaryCore::State::on(Tod, const secondary::Freeze&, Outputs& out) {
  if (state != SecondaryState::kDuplex || !ready) return;
  state = SecondaryState::kFrozen;
  checkpoint_forced = true;
  drop_link("The session was frozen at the secondary; recover it there, or end it and start again.", out);
}

void SecondaryCore::State::on(Tod now, const secondary::Recover&, Outputs& out) {
  const bool may = state == SecondaryState::kDuplex || state == SecondaryState::kFrozen || state == SecondaryState::kEnded;
  if (!may || !ready) return;
  state = SecondaryState::kRecovering;
  recovered_at = now;
  checkpoint_forced = true;
  drop_link("The secondary is being recovered; this session takes no more writes.", out);
}

void SecondaryCore::State::on(Tod, const secondary::LinkDown&, Outputs&) { bound = false; }

void SecondaryCore::State::on(Tod, const secondary::Tick&, Outputs&) {}

void SecondaryCore::State::drop_link(const std::string& reason, Outputs& out) {
  if (!bound) return;
  bound = false;
  out.emplace_back(secondary::Refuse{reason});
}

void SecondaryCore::State::stop(const std::string& reason, Outputs& out) {
  drop_link(reason, out);
  state = SecondaryState::kStopped;
  stop_reason = reason;
  out.emplace_back(secondary::Stopped{reason});
}

SecondaryCore::SecondaryCore(SecondarySettings settings) : state_(std::make_shared<State>()) { state_->settings = std::move(settings); }

std::vector<SecondaryOutput> SecondaryCore::step(Tod now, SecondaryInput input) {
  std::vector<SecondaryOutput> out;
  // The answer to a bind must be the first thing on a link, so the acknowledgement waits for the next step.
  const bool is_bind = std::holds_alternative<secondary::BindArrived>(input);
  std::visit([&](const auto& each) { state_->on(now, each, out); }, input);
  state_->advance(now, !is_bind, out);
  return out;
}

Tod SecondaryCore::next_wakeup() const {
  if (state_->acknowledgement_due()) return 0;
  return state_->checkpoint_due();
}

Status SecondaryCore::may_freeze() const {
  switch (state_->state) {
    case SecondaryState::kDuplex:
      return state_->ready ? Status::ok() : Status::error("The journal is still being read; try again when the restart is complete.");
    case SecondaryState::kFrozen:
      return Status::error("The session is frozen already; recover it, or end it at the primary and start again.", Severity::kWarning);
    case SecondaryState::kRecovering:
    case SecondaryState::kRecovered:
      return Status::error("The secondary is recovered or being recovered; there is nothing to freeze.");
    case SecondaryState::kStopped:
      return Status::error(state_->stop_reason);
    case SecondaryState::kEmpty:
    case SecondaryState::kEnded:
      break;
  }
  return Status::error("No session is established at this secondary; there is nothing to freeze.");
}

Status SecondaryCore::may_recover() const {
  switch (state_->state) {
    case SecondaryState::kDuplex:
    case SecondaryState::kFrozen:
    case SecondaryState::kEnded:
      return state_->ready ? Status::ok() : Status::error("The journal is still being read; try again when the restart is complete.");
    case SecondaryState::kRecovering:
      return Status::error("The recovery is in progress; wait for its report.", Severity::kWarning);
    case SecondaryState::kRecovered:
      return Status::error("The secondary was recovered at " + tod_text(state_->recovered_at) + "; display its report.",
                           Severity::kWarning);
    case SecondaryState::kStopped:
      return Status::error(state_->stop_reason);
    case SecondaryState::kEmpty:
      break;
  }
  return Status::error("No session was ever established at this secondary; there is nothing to recover.");
}

SecondaryState SecondaryCore::state() const { return state_->state; }
const SecondaryCounters& SecondaryCore::counters() const { return state_->counters; }
Sequence SecondaryCore::applied_through() const { return state_->applied_through; }
const std::string& SecondaryCore::stop_reason() const { return state_->stop_reason; }
const PendingWriteQueue& SecondaryCore::queue() const { return state_->queue; }
Tod SecondaryCore::consistency_time() const { return state_->consistency_time; }
Tod SecondaryCore::primary_time() const { return state_->primary_time; }
Tod SecondaryCore::last_heard() const { return state_->last_heard; }
std::uint64_t SecondaryCore::epoch() const { return state_->epoch; }
std::uint64_t SecondaryCore::last_message() const { return state_->continuity.last_number(); }
const std::vector<VolumeDescriptor>& SecondaryCore::volumes() const { return state_->volumes; }
std::optional<LossReport> SecondaryCore::report() const { return state_->report; }

}  // namespace afterimage
