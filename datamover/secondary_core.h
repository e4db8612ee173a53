// The secondary data mover as a pure state machine: continuity, journal before acknowledgement, pending write queue, apply of complete
// runs in order, checkpoints, freeze and recovery to point A. step(now, input) -> outputs. Source: document 002 (A10-A22).
#pragma once

#include <memory>
#include <optional>
#include <variant>

#include "datamover/loss_report.h"
#include "datamover/pending_write_queue.h"
#include "vtam_link/bind.h"

namespace afterimage {

enum class SecondaryState : std::uint8_t { kEmpty = 0, kDuplex = 1, kFrozen = 2, kRecovering = 3, kRecovered = 4, kEnded = 5, kStopped = 6 };

struct SecondarySettings {
  std::string session, local_lu, peer_lu;
  std::vector<VolumeDescriptor> volumes;        // as configured here: kEstablish must agree (geometry), else refused by name
  std::uint64_t queue_bytes = 256ull << 20;     // data held in memory before arrivals are held back (the journal has it all)
  std::uint32_t checkpoint_ms = 2000;
  std::uint64_t checkpoint_bytes = 64ull << 20;
};

// What a restart needs; written at a checkpoint when everything <= applied_through is synced in the images.
struct Checkpoint {
  SecondaryState state = SecondaryState::kEmpty;
  std::uint64_t epoch = 0;
  Sequence applied_through = 0;
  Tod applied_tod = 0;
  Sequence known_through = 0;
  std::uint64_t last_message = 0;               // journalled at that time
  std::uint64_t last_own_message = 0;
  std::uint64_t journal_position = 0;           // replay begins here
  std::vector<VolumeDescriptor> volumes;
};

namespace secondary {
struct Restart { Checkpoint checkpoint; };                              // first input, when there is a checkpoint
struct Replayed { std::vector<std::uint8_t> message; std::uint64_t journal_position = 0; };   // from the journal, in order, before ReplayDone
struct ReplayDone { std::uint64_t journal_end = 0; };
struct BindArrived { BindRequest bind; };
struct LinkDown {};
struct MessageArrived { std::vector<std::uint8_t> bytes; };
struct JournalSynced { std::uint64_t through_position = 0; };           // everything appended up to here is durable
struct Applied { Sequence through = 0; };                               // written to the images (not yet synced)
struct VerifyResult { Sequence sequence = 0; bool equal = false; std::string detail; };
struct CheckpointDone { Checkpoint checkpoint; };                       // images synced and checkpoint durable
struct DiskError { std::string text; };
struct Freeze {};                                                       // planned, or the primary is lost: nothing more is accepted
struct Recover {};                                                      // apply the complete run, then report
struct Tick {};
}  // namespace secondary
using SecondaryInput = std::variant<secondary::Restart, secondary::Replayed, secondary::ReplayDone, secondary::BindArrived, secondary::LinkDown,
                                    secondary::MessageArrived, secondary::JournalSynced, secondary::Applied, secondary::VerifyResult,
                                    secondary::CheckpointDone, secondary::DiskError, secondary::Freeze, secondary::Recover, secondary::Tick>;

namespace secondary {
struct AnswerBind { BindResponse response; };
struct Append { std::vector<std::uint8_t> message; };                   // to the journal; the io side answers with JournalSynced
struct Send { EncodedMessage message; };                                // acknowledgement or exception
struct Apply { PendingWrite write; };                                   // in order; the io side answers Applied (or VerifyResult first, for kVerify)
struct WriteCheckpoint { Checkpoint checkpoint; };                      // sync images, write, sync, release journal space before its position
struct Refuse { std::string reason; };                                  // drop the link with this reason
struct Established { std::vector<VolumeDescriptor> volumes; std::uint64_t epoch = 0; };   // fence the images before anything is applied
struct RecoveryComplete { LossReport report; };                         // images hold exactly 1..A and are synced: restore their headers
struct Ended { Sequence last = 0; };
struct Stopped { std::string reason; };                                 // cannot go on; says why
}  // namespace secondary
using SecondaryOutput = std::variant<secondary::AnswerBind, secondary::Append, secondary::Send, secondary::Apply, secondary::WriteCheckpoint,
                                     secondary::Refuse, secondary::Established, secondary::RecoveryComplete, secondary::Ended, secondary::Stopped>;

class SecondaryCore {
 public:
  explicit SecondaryCore(SecondarySettings settings);
  std::vector<SecondaryOutput> step(Tod now, SecondaryInput input);
  Tod next_wakeup() const;
  // for queries
  SecondaryState state() const;
  const PendingWriteQueue& queue() const;
  Tod consistency_time() const;        // of the images: the TOD up to which all writes are applied
  Tod primary_time() const;            // consistency time of the last message received: DELAY is the difference
  Tod last_heard() const;              // when anything last came from the primary
  std::uint64_t epoch() const;
  std::uint64_t last_message() const;
  const std::vector<VolumeDescriptor>& volumes() const;
  std::optional<LossReport> report() const;
 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace afterimage
