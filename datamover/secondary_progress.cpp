// SecondaryCore: what follows a sync, an application, a checkpoint; the end of a session and its recovery.
#include <algorithm>

#include "datamover/journal_format.h"
#include "datamover/secondary_state.h"
#include "serializer/canary.h"
#include "serializer/check.h"
#include "serializer/limits.h"

namespace afterimage {

void SecondaryCore::State::make_durable(const Unsynced& message) {
  durable = message;
  if (message.terminates) ended_in_order = true;
  if (message.establishes || message.terminates) checkpoint_forced = true;
  if (!marks.empty() && marks.back().known_through == message.known_through)
    marks.back().consistency_time = std::max(marks.back().consistency_time, message.consistency_time);
  else
    marks.push_back({message.known_through, message.consistency_time});
}

void SecondaryCore::State::on(Tod, const secondary::JournalSynced& synced, Outputs&) {
  if (state == SecondaryState::kStopped) return;
  std::uint64_t through = synced.appends;
  if (through == 0) {
    through = appends_synced;
    for (const Unsynced& message : unsynced)
      if (message.least_end <= synced.through_position) through = message.append;
  }
  AI_CHECK(through <= appends);
  AI_CHECK(through >= appends_synced);
  appends_synced = through;
  journal_end = std::max(journal_end, synced.through_position);
  while (!unsynced.empty() && unsynced.front().append <= through) {
    make_durable(unsynced.front());
    unsynced.pop_front();
    ack_wanted = true;
  }
}

void SecondaryCore::State::give_out_applies(Outputs& out) {
  const bool applies = state == SecondaryState::kDuplex || state == SecondaryState::kFrozen || state == SecondaryState::kRecovering;
  if (!applies || !ready) return;
  const Sequence allowed = planted(Canary::kApplyBeforeSync) ? queue.complete_through() : durable.complete_through;
  while (queue.applied_through() < allowed) {
    PendingWrite write = queue.take_front();
    const Sequence sequence = write.token.sequence;
    if (not_comparable.erase(sequence) != 0) {
      write.condition = EntryCondition::kVoid;
      write.data.clear();
      ++counters.verify_skipped;
      not_compared = write.token;
    }
    applying.push_back({sequence, write.token.tod, write.journal_position, write.data.size()});
    applying_bytes += write.data.size();
    out.emplace_back(secondary::Apply{std::move(write)});
  }
}

void SecondaryCore::State::on(Tod, const secondary::Applied& applied, Outputs&) {
  if (state == SecondaryState::kStopped) return;
  AI_CHECK(applied.through <= queue.applied_through());
  while (!applying.empty() && applying.front().sequence <= applied.through) {
    applied_through = applying.front().sequence;
    applied_tod = applying.front().tod;
    applying_bytes -= applying.front().bytes;
    applying.pop_front();
    ++counters.applied;
  }
}

void SecondaryCore::State::move_consistency_time() {
  while (!marks.empty() && (marks.front().known_through <= applied_through || planted(Canary::kConsistencyTimeAhead))) {
    consistency_time = std::max(consistency_time, marks.front().consistency_time);
    marks.pop_front();
  }
}

void SecondaryCore::State::on(Tod now, const secondary::VerifyResult& result, Outputs& out) {
  if (result.equal) {
    ++counters.verified_equal;
    return;
  }
  ++counters.verified_different;
  if (bound) send_exception(now, ExceptionCode::kVerifyMismatch, result.sequence, result.detail, out);
}

bool SecondaryCore::State::applied_all() const { return applying.empty() && queue.applied_through() == queue.complete_through(); }

std::uint64_t SecondaryCore::State::oldest_needed() const {
  if (!applying.empty()) return applying.front().journal_position;
  if (queue.entries() != 0) return queue.oldest_journal_position();
  return journal_end;
}

bool SecondaryCore::State::journal_half_used() const {
  return settings.journal_bytes != 0 && journal_end - journal_released > settings.journal_bytes / 2;
}

// A checkpoint frees space at once.
bool SecondaryCore::State::journal_short() const { return journal_half_used() && oldest_needed() > journal_released; }

// Space comes when what is under way here is done, without a word from the primary: writes on their way into the images, perhaps behind a
// checkpoint whose sync takes long, or a checkpoint.
bool SecondaryCore::State::journal_waits() const {
  return journal_half_used() && (oldest_needed() > journal_released || !applying.empty() || checkpoint_in_flight);
}

// A window is full at the other side again after each bind, so withheld acknowledgements alone do not bound what comes. A skip at the end
// of a file may take as much as the message itself.
bool SecondaryCore::State::journal_too_short_for(std::size_t bytes) const {
  const std::uint64_t end = unsynced.empty() ? journal_end : std::max(journal_end, unsynced.back().least_end);
  return journal_waits() && end + 2 * record_space(bytes) - journal_released > settings.journal_bytes;
}

// Withholding is safe only while something of ours is under way: an incomplete token at the front needs the primary to go on.
bool SecondaryCore::State::holding_back() const { return applying_bytes > settings.queue_bytes || journal_waits(); }

bool SecondaryCore::State::acknowledgement_due() const {
  return state != SecondaryState::kStopped && bound && ack_wanted && durable.message_number != 0 && !holding_back();
}

void SecondaryCore::State::acknowledge(Tod now, Outputs& out) {
  if (!acknowledgement_due()) return;
  if (not_compared.sequence != 0) {
    send_exception(now, ExceptionCode::kVerifyMismatch, not_compared.sequence,
                   "Cylinder " + std::to_string(not_compared.cylinder) + " head " + std::to_string(not_compared.head) + " of volume " +
                       volumes[not_compared.volume].volser +
                       " could not be compared, because the secondary was restarted meanwhile; verify again.",
                   out);
    not_compared = {};
  }
  ack_wanted = false;
  const Unsynced& held = planted(Canary::kAcknowledgeBeforeSync) && !unsynced.empty() ? unsynced.back() : durable;
  Message message;
  message.m0 = next_m0(now, ContentType::kAcknowledge);
  message.acknowledgement.message_number = held.message_number;
  message.acknowledgement.complete_through = held.complete_through;
  message.acknowledgement.known_through = held.known_through;
  message.acknowledgement.applied_through = applied_through;
  message.acknowledgement.consistent_time = consistency_time;
  ++counters.acknowledgements;
  send(message, out);
}

M0 SecondaryCore::State::next_m0(Tod now, ContentType content) {
  M0 m0;
  m0.session = settings.session;
  m0.origin_lu = settings.local_lu;
  m0.destination_lu = settings.peer_lu;
  m0.epoch = bind_epoch;
  m0.message_number = ++own_message;
  m0.content = content;
  m0.sent = now;
  m0.consistency_time = consistency_time;
  m0.last_sequence = durable.known_through;
  return m0;
}

void SecondaryCore::State::send(const Message& message, Outputs& out) {
  Result<EncodedMessage> encoded = encode(message);
  AI_CHECK(encoded.good());
  out.emplace_back(secondary::Send{std::move(encoded.value)});
}

void SecondaryCore::State::send_exception(Tod now, ExceptionCode code, Sequence sequence, const std::string& text, Outputs& out) {
  AI_CHECK(bound);
  Message message;
  message.m0 = next_m0(now, ContentType::kException);
  message.exception.code = static_cast<std::uint16_t>(code);
  message.exception.sequence = sequence;
  message.exception.text = text;
  send(message, out);
}

Checkpoint SecondaryCore::State::make_checkpoint() const {
  Checkpoint made;
  made.state = state;
  const bool all_done = unsynced.empty() && applied_all();
  if (state == SecondaryState::kDuplex && ended_in_order && all_done) made.state = SecondaryState::kEnded;
  if (state == SecondaryState::kRecovering && all_done) made.state = SecondaryState::kRecovered;
  made.epoch = epoch;
  made.storage_id = storage_id;
  made.applied_through = applied_through;
  made.applied_tod = applied_tod;
  made.consistency_time = consistency_time;
  made.known_through = durable.known_through;
  made.known_tod = durable.known_tod;
  made.last_message = durable.message_number;
  made.last_own_message = own_message;
  made.last_sent = durable.sent;
  made.journal_position = planted(Canary::kCheckpointPastPending) ? journal_end : oldest_needed();
  made.recovered_at = recovered_at;
  made.ended_in_order = ended_in_order;
  made.volumes = volumes;
  return made;
}

bool SecondaryCore::State::checkpoint_possible() const {
  return ready && !checkpoint_in_flight && state != SecondaryState::kEmpty && state != SecondaryState::kStopped &&
         durable.message_number != 0;
}

// kNever when there is nothing new to write.
Tod SecondaryCore::State::checkpoint_due() const {
  if (!checkpoint_possible()) return kNever;
  const bool changed = applied_through != checkpoint_asked.applied_through || durable.message_number != checkpoint_asked.last_message ||
                       epoch != checkpoint_asked.epoch;
  const bool transition =
      (state == SecondaryState::kRecovering || (state == SecondaryState::kDuplex && ended_in_order)) && unsynced.empty() && applied_all();
  if (transition || checkpoint_forced || journal_short()) return 0;
  if (!changed) return kNever;
  if (journal_end - checkpoint_journal_end >= settings.checkpoint_bytes) return 0;
  return checkpoint_at + tod_from_us(std::uint64_t{settings.checkpoint_ms} * 1000);
}

void SecondaryCore::State::checkpoint_if_due(Tod now, Outputs& out) {
  checkpoint_at = std::min(checkpoint_at, now);  // a clock set back must not stop checkpoints
  const Tod due = checkpoint_due();
  if (due == kNever || due > now) return;
  checkpoint_asked = make_checkpoint();
  checkpoint_in_flight = true;
  checkpoint_forced = false;
  checkpoint_at = now;
  checkpoint_journal_end = journal_end;
  ++counters.checkpoints;
  if (planted(Canary::kFenceLiftedEarly) && checkpoint_asked.state == SecondaryState::kRecovered) complete_recovery(out);
  out.emplace_back(secondary::WriteCheckpoint{checkpoint_asked});
}

void SecondaryCore::State::on(Tod, const secondary::CheckpointDone& done, Outputs& out) {
  AI_CHECK(checkpoint_in_flight);
  checkpoint_in_flight = false;
  journal_released = std::max(journal_released, checkpoint.journal_position);  // checkpoints have two generations: the older one counts
  checkpoint = done.checkpoint;
  // A checkpoint of the session before says nothing of this one.
  if (checkpoint.epoch != epoch && !planted(Canary::kOldCheckpointEndsSession)) return;
  if (state == SecondaryState::kDuplex && checkpoint.state == SecondaryState::kEnded) {
    state = SecondaryState::kEnded;
    out.emplace_back(secondary::Ended{applied_through});
  }
  if (state == SecondaryState::kRecovering && checkpoint.state == SecondaryState::kRecovered) {
    state = SecondaryState::kRecovered;
    complete_recovery(out);
  }
}

LossReport SecondaryCore::State::make_report() const {
  LossReport made;
  made.session = settings.session;
  made.epoch = epoch;
  made.point_a = made.point_b = applied_through;
  made.point_a_time = made.point_b_time = applied_tod;
  made.last_heard = durable.sent;
  made.ended_in_order = ended_in_order;
  made.volumes = volumes;
  made.lost.reserve(queue.entries());
  for (const PendingWrite& entry : queue.all()) {
    LostWrite lost;
    lost.token = entry.token;
    lost.data_held = (entry.condition == EntryCondition::kComplete) != planted(Canary::kHeldAndMissingExchanged);
    lost.is_void = entry.condition == EntryCondition::kVoid;
    made.lost.push_back(lost);
    if (planted(Canary::kPointBOneTooLow) && &entry == &queue.all().back()) break;
    made.point_b = entry.token.sequence;
    made.point_b_time = entry.token.tod;
  }
  return made;
}

void SecondaryCore::State::complete_recovery(Outputs& out) {
  AI_CHECK(applied_all());
  AI_CHECK(unsynced.empty());
  report = make_report();
  out.emplace_back(secondary::RecoveryComplete{*report});
}

void SecondaryCore::State::advance(Tod now, bool may_acknowledge, Outputs& out) {
  if (state == SecondaryState::kStopped) return;
  give_out_applies(out);
  move_consistency_time();
  if (may_acknowledge) acknowledge(now, out);
  checkpoint_if_due(now, out);
}

}  // namespace afterimage
