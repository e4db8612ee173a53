// SecondaryCore: binds, messages from the link, and the same messages replayed from the journal.
#include <algorithm>

#include "datamover/journal_format.h"
#include "datamover/secondary_state.h"
#include "serializer/canary.h"
#include "serializer/check.h"
#include "serializer/limits.h"

namespace afterimage {

namespace {

constexpr char kJournalWaits[] = "The journal has no room until its next checkpoint; the link is bound again then.";

std::string number(std::uint64_t value) { return std::to_string(value); }

}  // namespace

// Why nothing is taken from any primary now; empty when something may be.
std::string SecondaryCore::State::why_not_accept() const {
  if (state == SecondaryState::kFrozen) return "The session was frozen at the secondary; recover it there, or end it and start again.";
  if (state == SecondaryState::kRecovering || (state == SecondaryState::kRecovered && !planted(Canary::kRecoveredTakesWrites)))
    return "The secondary was taken over at " + tod_text(recovered_at) + "; this session takes no more writes.";
  if (state == SecondaryState::kStopped) return "The secondary has stopped: " + stop_reason;
  if (!ready) return "The secondary is still reading its journal; try again.";
  return {};
}

bool SecondaryCore::State::holds_epoch(std::uint64_t other) const { return state != SecondaryState::kEmpty && other == epoch; }

std::string SecondaryCore::State::why_not_bind(const BindRequest& bind) const {
  const std::string closed = why_not_accept();
  if (!closed.empty()) return closed;
  if (bind.version != kLinkVersion)
    return "The primary speaks link version " + number(bind.version) + " (product " + bind.product_version +
           ") and this secondary version " + number(kLinkVersion) +
           " (product " AFTERIMAGE_VERSION "); install the same release at both sites.";
  if (bind.session != settings.session)
    return "The primary asks for session " + bind.session + " and this secondary serves session " + settings.session + ".";
  if (bind.origin_lu != settings.peer_lu || bind.destination_lu != settings.local_lu)
    return "The bind is from LU " + bind.origin_lu + " to LU " + bind.destination_lu + " and this secondary expects one from " +
           settings.peer_lu + " to " + settings.local_lu + ".";
  if (bind.epoch == 0) return "The primary has no session started; start it there.";
  if (state == SecondaryState::kDuplex && bind.epoch != epoch)
    return "Epoch " + number(epoch) + " of session " + settings.session + " is still established here, with writes up to token " +
           number(queue.known_through()) + "; recover or end it before the primary starts epoch " + number(bind.epoch) + ".";
  if (!holds_epoch(bind.epoch)) return {};
  if (journal_waits()) return kJournalWaits;
  if (storage_id != 0 && bind.storage_id != 0 && bind.storage_id != storage_id)
    return "The primary's common storage was made anew within epoch " + number(epoch) +
           ": writes that were not sent are lost there. Recover here, or end the session and start again.";
  if (bind.freed_through > queue.complete_through())
    return "The primary has freed tokens up to " + number(bind.freed_through) + " and this secondary holds data only up to " +
           number(queue.complete_through()) + "; end the session, copy the volumes and start again.";
  return {};
}

// The answer names what was received, synced or not: the primary frees on acknowledgements only, and after a crash binds again.
void SecondaryCore::State::on(Tod now, const secondary::BindArrived& arrived, Outputs& out) {
  const BindRequest& bind = arrived.bind;
  BindResponse response;
  response.product_version = AFTERIMAGE_VERSION;
  response.reason = why_not_bind(bind);
  response.accepted = response.reason.empty();
  bound = response.accepted;
  if (bound) {
    last_heard = now;
    bind_epoch = bind.epoch;
    bind_storage_id = bind.storage_id;
    if (holds_epoch(bind.epoch)) {
      if (storage_id == 0) storage_id = bind.storage_id;
      response.epoch = epoch;
      response.last_message = continuity.last_number();
      response.last_own_message = own_message;
      response.known_through = queue.known_through();
      response.complete_through = queue.complete_through();
      ack_wanted = true;
    } else {
      own_message = 0;
      ack_wanted = false;
    }
  }
  out.emplace_back(secondary::AnswerBind{std::move(response)});
}

bool SecondaryCore::State::begins_session(const Message& message) const {
  if (message.m0.content != ContentType::kEstablish) return false;
  const bool vacant = state == SecondaryState::kEmpty || state == SecondaryState::kEnded;
  return vacant && !holds_epoch(message.m0.epoch);
}

std::optional<Objection> SecondaryCore::State::object_to(const Message& message, bool replaying) const {
  const M0& m0 = message.m0;
  const Sequence known = queue.known_through();
  switch (m0.content) {
    case ContentType::kTokenData:
      if (end_taken && !replaying && !(message.m1.empty() && message.m2.empty()))
        return Objection{ExceptionCode::kContinuity, m0.last_sequence,
                         "Writes came after the session was ended at token " + number(known) + "."};
      return object_to_tokens(message, queue, volumes, received_tod, replaying);
    case ContentType::kEstablish: {
      if (!begins_session(message) && !(replaying && m0.message_number == 1))
        return Objection{ExceptionCode::kRefused, 0, "Session " + settings.session + " is established already."};
      const std::string reason = why_not_volumes(settings.volumes, message.volumes);
      if (!reason.empty()) return Objection{ExceptionCode::kRefused, 0, reason};
      return {};
    }
    case ContentType::kTerminate:
      if (message.ending.last_sequence == known && queue.complete_through() == known) return {};
      if (replaying && message.ending.last_sequence <= queue.applied_through()) return {};
      return Objection{ExceptionCode::kContinuity, message.ending.last_sequence,
                       "The session was ended at token " + number(message.ending.last_sequence) + " and this secondary knows token " +
                           number(known) + ", with data up to " + number(queue.complete_through()) + "; it stays established."};
    case ContentType::kException:
      return {};
    case ContentType::kInitialCopy:
    case ContentType::kAcknowledge:
      break;
  }
  return Objection{ExceptionCode::kRefused, 0,
                   "Content type " + number(static_cast<std::uint16_t>(m0.content)) + " is not taken from a primary."};
}

void SecondaryCore::State::establish(const Message& message) {
  const M0& m0 = message.m0;
  state = SecondaryState::kDuplex;
  epoch = m0.epoch;
  storage_id = bind_epoch == m0.epoch ? bind_storage_id : 0;
  volumes = message.volumes;
  queue = PendingWriteQueue(m0.last_sequence);
  applied_through = m0.last_sequence;
  applied_tod = received_tod = consistency_time = primary_time = recovered_at = 0;
  end_taken = ended_in_order = false;
  own_message = 0;
  marks.clear();
  report.reset();
  durable = {};
  durable.complete_through = durable.known_through = m0.last_sequence;
  continuity = ContinuityChecker(settings.session, settings.peer_lu, settings.local_lu, epoch, 0);
}

void SecondaryCore::State::take(const Message& message, std::size_t bytes, std::uint64_t journal_position) {
  const M0& m0 = message.m0;
  take_tokens(message, queue, journal_position);
  if (!message.m1.empty()) received_tod = std::max(received_tod, message.m1.back().tod);
  ++counters.messages;
  counters.tokens += message.m1.size();
  Unsynced taken;
  taken.append = ++appends;
  taken.least_end = (unsynced.empty() ? journal_position : unsynced.back().least_end) + record_space(bytes);
  taken.message_number = m0.message_number;
  taken.complete_through = queue.complete_through();
  taken.known_through = queue.known_through();
  taken.known_tod = received_tod;
  taken.consistency_time = m0.consistency_time;
  taken.sent = m0.sent;
  taken.terminates = m0.content == ContentType::kTerminate;
  end_taken = end_taken || taken.terminates;
  taken.establishes = m0.content == ContentType::kEstablish;
  unsynced.push_back(taken);
}

// An exception tells the primary why, then the link is dropped: nothing of the message was taken.
void SecondaryCore::State::refuse(Tod now, const Objection& objection, Outputs& out) {
  send_exception(now, objection.code, objection.sequence, objection.text, out);
  drop_link(objection.text, out);
}

void SecondaryCore::State::on(Tod now, const secondary::MessageArrived& arrived, Outputs& out) {
  if (!bound) return;  // what was still on a link that was refused
  last_heard = now;
  Result<Message> decoded = decode(arrived.bytes);
  if (!decoded.good()) {
    refuse(now, {ExceptionCode::kContinuity, 0, decoded.status.text()}, out);
    return;
  }
  const Message& message = decoded.value;
  const bool begins = begins_session(message) && message.m0.epoch == bind_epoch;
  ContinuityChecker next = begins ? ContinuityChecker(settings.session, settings.peer_lu, settings.local_lu, bind_epoch, 0) : continuity;
  if (!begins && !holds_epoch(bind_epoch)) {
    refuse(now, {ExceptionCode::kContinuity, 0, "A message came before the session was established; the link is dropped."}, out);
    return;
  }
  const ContinuityVerdict verdict = next.accept(message.m0);
  if (verdict == ContinuityVerdict::kDuplicate) {
    ++counters.duplicates;
    if (planted(Canary::kDuplicateTaken)) {
      take(message, arrived.bytes.size(), journal_end);
      out.emplace_back(secondary::Append{arrived.bytes});
    }
    ack_wanted = true;
    return;
  }
  if (verdict != ContinuityVerdict::kNext) {
    refuse(now, {ExceptionCode::kContinuity, message.m0.last_sequence, next.describe(verdict, message.m0)}, out);
    return;
  }
  if (journal_too_short_for(arrived.bytes.size())) {
    drop_link(kJournalWaits, out);
    return;
  }
  if (queue.data_bytes() + applying_bytes + arrived.bytes.size() > settings.queue_bytes + kMaxRingBytes) {
    refuse(
        now,
        {ExceptionCode::kRefused, queue.known_through(),
         "The pending write queue holds " + number(queue.data_bytes() + applying_bytes) + " bytes, more than a primary can have pending."},
        out);
    return;
  }
  const std::optional<Objection> objection = object_to(message, false);
  if (objection) {
    refuse(now, *objection, out);
    return;
  }
  if (begins) {
    establish(message);
    out.emplace_back(secondary::Established{volumes, epoch});
  }
  continuity = std::move(next);
  primary_time = std::max(primary_time, message.m0.consistency_time);
  take(message, arrived.bytes.size(), journal_end);
  out.emplace_back(secondary::Append{arrived.bytes});
}

std::string SecondaryCore::State::why_not_replay(const Message& message) {
  const bool begins = begins_session(message);
  if (state == SecondaryState::kEmpty && !begins) return "The journal does not begin with the establishment of a session.";
  const std::optional<Objection> objection = object_to(message, true);
  if (objection) return objection->text;
  if (begins) establish(message);
  if (begins || !replay_began) {
    if (message.m0.message_number > durable.message_number + 1)
      return "The journal begins with message " + number(message.m0.message_number) + " and the checkpoint ends with message " +
             number(durable.message_number) + ".";
    continuity = ContinuityChecker(settings.session, settings.peer_lu, settings.local_lu, epoch, message.m0.message_number - 1);
  }
  const ContinuityVerdict verdict = continuity.accept(message.m0);
  if (verdict != ContinuityVerdict::kNext) return continuity.describe(verdict, message.m0);
  return {};
}

void SecondaryCore::State::on(Tod, const secondary::Replayed& replayed, Outputs& out) {
  AI_CHECK(!ready);
  if (state == SecondaryState::kStopped) return;
  const std::string where = "The journal cannot be replayed at position " + number(replayed.journal_position) + ": ";
  const Result<Message> decoded = decode(replayed.message);
  if (!decoded.good()) {
    stop(where + decoded.status.text(), out);
    return;
  }
  const std::string reason = why_not_replay(decoded.value);
  if (!reason.empty()) {
    stop(where + reason, out);
    return;
  }
  replay_began = true;
  primary_time = std::max(primary_time, decoded.value.m0.consistency_time);
  take(decoded.value, replayed.message.size(), replayed.journal_position);
  const Unsynced taken = unsynced.back();
  unsynced.pop_back();
  make_durable(taken);
}

std::string SecondaryCore::State::why_not_replayed_enough() const {
  if (state == SecondaryState::kEmpty || epoch != checkpoint.epoch) return {};
  if (continuity.last_number() < checkpoint.last_message)
    return "The journal ends with message " + number(continuity.last_number()) + " and the checkpoint has seen message " +
           number(checkpoint.last_message) + ": the journal was lost or set back. Restore it, or copy the volumes and start again.";
  if (queue.known_through() < checkpoint.known_through)
    return "The journal ends with token " + number(queue.known_through()) + " and the checkpoint has seen token " +
           number(checkpoint.known_through) + ": the journal was lost or set back. Restore it, or copy the volumes and start again.";
  return {};
}

// After a restart the images may already hold any write of the complete run. A digest taken before a later one of them to the same track
// proves nothing then; every other digest does.
void SecondaryCore::State::find_not_comparable() {
  std::set<std::uint64_t> written;
  const auto track_key = [](const Token& token, unsigned range) { return std::uint64_t{token.volume} << 32 | token.ranges[range].track; };
  for (Sequence sequence = queue.complete_through(); sequence > queue.applied_through(); --sequence) {
    const PendingWrite& entry = *queue.find(sequence);
    if (entry.token.kind == TokenKind::kVerify) {
      if (written.count(track_key(entry.token, 0)) != 0) not_comparable.insert(sequence);
      continue;
    }
    for (unsigned i = 0; i < entry.token.range_count; ++i) written.insert(track_key(entry.token, i));
  }
}

void SecondaryCore::State::on(Tod, const secondary::ReplayDone& done, Outputs& out) {
  AI_CHECK(!ready);
  if (state == SecondaryState::kStopped) return;
  std::string reason = why_not_replayed_enough();
  if (reason.empty() && state == SecondaryState::kRecovered && !applied_all())
    reason = "The journal holds complete writes behind point A of the recovered volumes: journal and checkpoint do not belong together.";
  if (!reason.empty()) {
    stop(reason, out);
    return;
  }
  ready = true;
  appends = appends_synced = 0;
  journal_end = std::max(journal_end, done.journal_end);
  find_not_comparable();
  if (state == SecondaryState::kDuplex || state == SecondaryState::kFrozen || state == SecondaryState::kRecovering)
    out.emplace_back(secondary::Established{volumes, epoch});
  if (state == SecondaryState::kRecovered) complete_recovery(out);
}

}  // namespace afterimage
