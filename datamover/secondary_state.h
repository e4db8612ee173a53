// Inside of SecondaryCore: what it remembers, and its steps, which are spread over secondary_core.cpp (inputs, queries),
// secondary_receive.cpp (binds, messages, replay) and secondary_progress.cpp (sync, apply, checkpoint, end, recovery). Pure.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <vector>

#include "datamover/secondary_core.h"
#include "datamover/secondary_intake.h"
#include "vtam_link/continuity.h"

namespace afterimage {

struct SecondaryCore::State {
  using Outputs = std::vector<SecondaryOutput>;

  // A message appended to the journal whose sync has not been reported: what becomes true with it.
  struct Unsynced {
    std::uint64_t least_end = 0;  // its record cannot end before this position
    std::uint64_t append = 0;     // count of Append outputs, this one included
    std::uint64_t message_number = 0;
    Sequence complete_through = 0, known_through = 0;
    Tod known_tod = 0, consistency_time = 0, sent = 0;
    bool terminates = false, establishes = false;
  };
  // A write given out to be applied and not yet reported.
  struct Applying {
    Sequence sequence = 0;
    Tod tod = 0;
    std::uint64_t journal_position = 0, bytes = 0;
  };
  // When everything up to `known_through` is applied, the images are consistent at `consistency_time`.
  struct Mark {
    Sequence known_through = 0;
    Tod consistency_time = 0;
  };

  SecondarySettings settings;
  SecondaryCounters counters;
  SecondaryState state = SecondaryState::kEmpty;
  std::string stop_reason;
  bool ready = false;  // ReplayDone came
  bool bound = false;
  bool ack_wanted = false;
  std::uint64_t bind_epoch = 0, bind_storage_id = 0;

  std::uint64_t epoch = 0, storage_id = 0;
  std::vector<VolumeDescriptor> volumes;
  PendingWriteQueue queue;
  ContinuityChecker continuity;
  std::uint64_t own_message = 0;

  std::uint64_t appends = 0, appends_synced = 0;
  std::deque<Unsynced> unsynced;
  std::uint64_t journal_end = 0;  // known: no later record begins before it
  Unsynced durable;               // the last message whose sync was reported
  Tod received_tod = 0;           // stamp of the last token known, durable or not
  bool replay_began = false;
  std::set<Sequence> not_comparable;  // verifications replayed after a restart whose track the images may already hold in a later state
  Token not_compared;                 // the last of those passed over and not yet told to the primary; sequence 0 = none

  std::deque<Applying> applying;
  std::uint64_t applying_bytes = 0;
  std::deque<Mark> marks;
  Sequence applied_through = 0;
  Tod applied_tod = 0;
  Tod consistency_time = 0, primary_time = 0, last_heard = 0;
  bool end_taken = false;       // kTerminate was taken, durable or not: nothing but idle messages may follow
  bool ended_in_order = false;  // and is durable
  Tod recovered_at = 0;
  std::optional<LossReport> report;

  bool checkpoint_in_flight = false, checkpoint_forced = false;
  Checkpoint checkpoint;               // the last one reported done, or restarted from
  Checkpoint checkpoint_asked;         // the last one asked for
  std::uint64_t journal_released = 0;  // space before it is certainly released
  std::uint64_t checkpoint_journal_end = 0;
  Tod checkpoint_at = 0;

  void on(Tod now, const secondary::Restart& restart, Outputs& out);
  void on(Tod now, const secondary::Replayed& replayed, Outputs& out);
  void on(Tod now, const secondary::ReplayDone& done, Outputs& out);
  void on(Tod now, const secondary::BindArrived& arrived, Outputs& out);
  void on(Tod now, const secondary::LinkDown& down, Outputs& out);
  void on(Tod now, const secondary::MessageArrived& arrived, Outputs& out);
  void on(Tod now, const secondary::JournalSynced& synced, Outputs& out);
  void on(Tod now, const secondary::Applied& applied, Outputs& out);
  void on(Tod now, const secondary::VerifyResult& result, Outputs& out);
  void on(Tod now, const secondary::CheckpointDone& done, Outputs& out);
  void on(Tod now, const secondary::DiskError& error, Outputs& out);
  void on(Tod now, const secondary::Freeze& freeze, Outputs& out);
  void on(Tod now, const secondary::Recover& recover, Outputs& out);
  void on(Tod now, const secondary::Tick& tick, Outputs& out);

  // receive
  std::string why_not_accept() const;
  std::string why_not_bind(const BindRequest& bind) const;
  bool holds_epoch(std::uint64_t other) const;
  bool begins_session(const Message& message) const;
  void establish(const Message& message);
  std::optional<Objection> object_to(const Message& message, bool replaying) const;
  void take(const Message& message, std::size_t bytes, std::uint64_t journal_position);
  void refuse(Tod now, const Objection& objection, Outputs& out);
  std::string why_not_replay(const Message& message);
  std::string why_not_replayed_enough() const;
  void find_not_comparable();

  // progress
  void advance(Tod now, bool may_acknowledge, Outputs& out);
  void give_out_applies(Outputs& out);
  void make_durable(const Unsynced& message);
  void move_consistency_time();
  bool holding_back() const;
  bool acknowledgement_due() const;
  void acknowledge(Tod now, Outputs& out);
  M0 next_m0(Tod now, ContentType content);
  void send(const Message& message, Outputs& out);
  void send_exception(Tod now, ExceptionCode code, Sequence sequence, const std::string& text, Outputs& out);
  void drop_link(const std::string& reason, Outputs& out);
  bool applied_all() const;
  std::uint64_t oldest_needed() const;
  bool journal_half_used() const;
  bool journal_short() const;
  bool journal_waits() const;
  bool journal_too_short_for(std::size_t bytes) const;
  Checkpoint make_checkpoint() const;
  bool checkpoint_possible() const;
  Tod checkpoint_due() const;
  void checkpoint_if_due(Tod now, Outputs& out);
  LossReport make_report() const;
  void complete_recovery(Outputs& out);
  void stop(const std::string& reason, Outputs& out);
};

}  // namespace afterimage
