// The secondary data mover as a pure state machine: continuity, journal before acknowledgement, pending write queue, apply of complete
// runs in order, checkpoints, freeze and recovery to point A. step(now, input) -> outputs. Source: document 002 (A10-A22).
//
// The io side's duties:
//   - carry out the outputs of a step in their order, and give each Append to the journal before the next step;
//   - start: Restart (if there is a checkpoint), Replayed for every journal record from its journal_position (from the journal's beginning
//     if there is none), ReplayDone; only then binds and messages;
//   - JournalSynced after a journal sync, also when the sync ran in another thread (then with `appends`);
//   - Apply in order; each is answered by Applied (several may be answered at once by the last), a kVerify one by VerifyResult first;
//   - WriteCheckpoint: sync the images, write the checkpoint, release journal space, then CheckpointDone with the same checkpoint;
//   - DiskError for any failure of these; the core then stops and the process is restarted after the repair.
// Rules kept inside: nothing is acknowledged or applied before the sync that covers its message; a message is taken whole or not at all.
// Threads: one at a time. Times are TOD. Every text is one sentence for an operator.
#pragma once

#include <memory>
#include <optional>
#include <variant>

#include "datamover/loss_report.h"
#include "datamover/pending_write_queue.h"
#include "vtam_link/bind.h"

namespace afterimage {

enum class SecondaryState : std::uint8_t {
  kEmpty = 0,
  kDuplex = 1,
  kFrozen = 2,
  kRecovering = 3,
  kRecovered = 4,
  kEnded = 5,
  kStopped = 6
};

struct SecondarySettings {
  std::string session, local_lu, peer_lu;
  std::vector<VolumeDescriptor> volumes;  // as configured here: kEstablish must agree (geometry), else refused by name
  // Data held in memory for tokens that are complete but not yet applied: beyond this, acknowledgements are withheld while applying goes
  // on, and the primary's window then stops the flow. Data behind an incomplete token is bounded by the primary's ring; together they
  // may not exceed queue_bytes + kMaxRingBytes, or the message is refused.
  std::uint64_t queue_bytes = 256ull << 20;
  // What the journal holds whatever part of its oldest file is still needed (journal.h), 0 = not known. When half is used, acknowledgements
  // wait for the checkpoint that frees space; what would then fill it is refused until it has.
  std::uint64_t journal_bytes = 0;
  std::uint32_t checkpoint_ms = 2000;
  std::uint64_t checkpoint_bytes = 64ull << 20;
};

// What a restart needs; written at a checkpoint when everything <= applied_through is synced in the images.
struct Checkpoint {
  SecondaryState state = SecondaryState::kEmpty;
  std::uint64_t epoch = 0;
  std::uint64_t storage_id = 0;  // common storage of the primary that this epoch began with, 0 = not yet known
  Sequence applied_through = 0;
  Tod applied_tod = 0;       // stamp of that token
  Tod consistency_time = 0;  // of the images: every write stamped up to here is applied
  Sequence known_through = 0;
  Tod known_tod = 0;               // stamp of that token
  std::uint64_t last_message = 0;  // journalled at that time
  std::uint64_t last_own_message = 0;
  Tod last_sent = 0;                   // the primary's own time in its last message
  std::uint64_t journal_position = 0;  // replay begins here: a record boundary at or before the oldest record still needed
  Tod recovered_at = 0;                // when the recovery was begun, 0 = never
  bool ended_in_order = false;
  std::vector<VolumeDescriptor> volumes;
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

namespace secondary {
struct Restart {
  Checkpoint checkpoint;
};  // first input, when there is a checkpoint
struct Replayed {
  std::vector<std::uint8_t> message;
  std::uint64_t journal_position = 0;
};  // from the journal, in order, before ReplayDone
struct ReplayDone {
  std::uint64_t journal_end = 0;
};
struct BindArrived {
  BindRequest bind;
};
struct LinkDown {};
struct MessageArrived {
  std::vector<std::uint8_t> bytes;
};
// Everything appended up to `through_position` (an end of record) is durable. `appends`: how many Append outputs since construction that
// covers. Give it whenever appends may have been made after the sync began (a sync in another thread); with 0 the core goes by the
// position alone, which is exact only as long as no record was moved to the next file of the journal.
struct JournalSynced {
  std::uint64_t through_position = 0;
  std::uint64_t appends = 0;
};
struct Applied {
  Sequence through = 0;
};  // written to the images (not yet synced)
struct VerifyResult {
  Sequence sequence = 0;
  bool equal = false;
  std::string detail;
};
struct CheckpointDone {
  Checkpoint checkpoint;
};  // images synced and checkpoint durable
struct DiskError {
  std::string text;
  bool journal_full = false;  // the journal refused an append for want of space: the primary is told so
};
struct Freeze {};   // planned, or the primary is lost: nothing more is accepted
struct Recover {};  // apply the complete run, then report
struct Tick {};
}  // namespace secondary
using SecondaryInput =
    std::variant<secondary::Restart, secondary::Replayed, secondary::ReplayDone, secondary::BindArrived, secondary::LinkDown,
                 secondary::MessageArrived, secondary::JournalSynced, secondary::Applied, secondary::VerifyResult,
                 secondary::CheckpointDone, secondary::DiskError, secondary::Freeze, secondary::Recover, secondary::Tick>;

namespace secondary {
struct AnswerBind {
  BindResponse response;
};
struct Append {
  std::vector<std::uint8_t> message;
};  // to the journal; the io side answers with JournalSynced
struct Send {
  EncodedMessage message;
};  // acknowledgement or exception
struct Apply {
  PendingWrite write;
};  // in order; the io side answers Applied (or VerifyResult first, for kVerify)
struct WriteCheckpoint {
  Checkpoint checkpoint;
};  // sync images, write, sync, release journal space before its position
struct Refuse {
  std::string reason;
};  // drop the link with this reason
// Fence the images (idempotent) before anything is applied. Also given at ReplayDone when a session goes on after a restart.
struct Established {
  std::vector<VolumeDescriptor> volumes;
  std::uint64_t epoch = 0;
};
// Images hold exactly 1..A and are synced: restore their headers (idempotent). Given again after a restart of a recovered secondary.
struct RecoveryComplete {
  LossReport report;
};
struct Ended {
  Sequence last = 0;
};
struct Stopped {
  std::string reason;
};  // cannot go on; says why
}  // namespace secondary
using SecondaryOutput =
    std::variant<secondary::AnswerBind, secondary::Append, secondary::Send, secondary::Apply, secondary::WriteCheckpoint, secondary::Refuse,
                 secondary::Established, secondary::RecoveryComplete, secondary::Ended, secondary::Stopped>;

struct SecondaryCounters {
  std::uint64_t messages = 0, duplicates = 0, tokens = 0, applied = 0, acknowledgements = 0, checkpoints = 0;
  std::uint64_t verified_equal = 0, verified_different = 0;
  std::uint64_t verify_skipped = 0;  // digests replayed after a restart whose track may already hold a later write: the primary is told
};

class SecondaryCore {
 public:
  explicit SecondaryCore(SecondarySettings settings);
  std::vector<SecondaryOutput> step(Tod now, SecondaryInput input);
  Tod next_wakeup() const;  // when a Tick is due; kNever when nothing is
  static constexpr Tod kNever = ~Tod{0};
  // Whether Freeze / Recover would be carried out now; if not, why not and what to do. A step that may not is ignored.
  Status may_freeze() const;
  Status may_recover() const;
  // for queries
  SecondaryState state() const;
  const SecondaryCounters& counters() const;
  Sequence applied_through() const;  // reported by Applied
  const std::string& stop_reason() const;
  const PendingWriteQueue& queue() const;
  Tod consistency_time() const;  // of the images: the TOD up to which all writes are applied
  Tod primary_time() const;      // consistency time of the last message received: DELAY is the difference
  Tod last_heard() const;        // when anything last came from the primary
  std::uint64_t epoch() const;
  std::uint64_t last_message() const;
  const std::vector<VolumeDescriptor>& volumes() const;
  std::optional<LossReport> report() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace afterimage
