// See sim_duties.h.
#include "tests/sim/sim_duties.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "datamover/checkpoint_format.h"

namespace afterimage::sim {

namespace {
std::string number(std::uint64_t value) { return std::to_string(value); }
}  // namespace

void Duties::primary_sends(const Message& message) {
  if (message.m0.epoch != epoch_) {
    epoch_ = message.m0.epoch;
    acknowledged_message_ = 0;
  }
  const std::uint64_t under_way = message.m0.message_number - std::min(message.m0.message_number, acknowledged_message_);
  if (under_way > window_messages_)
    schedule_.violation("bound", "message " + number(message.m0.message_number) + " is sent with " + number(under_way) +
                                     " unacknowledged, and the window is " + number(window_messages_));
}

// What the primary's mover does not take for good raises this all the same: the bound is then looser, never wrong.
void Duties::arrived_at_primary(FrameKind kind, const std::vector<std::uint8_t>& bytes) {
  if (kind == FrameKind::kBindAnswer) {
    const auto answer = decode_bind_response(bytes);
    if (answer.good() && answer.value.accepted) acknowledged_message_ = answer.value.epoch == 0 ? 0 : answer.value.last_message;
    return;
  }
  const auto message = decode(bytes);
  if (!message.good() || message.value.m0.content != ContentType::kAcknowledge) return;
  acknowledged_message_ = std::max(acknowledged_message_, message.value.acknowledgement.message_number);
}

void Duties::cut_at(Sequence cut) {
  if (cut == oracle_.last_numbered()) return;
  schedule_.violation("order", "a change of the session's state names number " + number(cut) + " as its cut, and number " +
                                   number(oracle_.last_numbered()) + " was the last given");
}

void Duties::secondary_acknowledges(const Message& message) {
  if (message.m0.content != ContentType::kAcknowledge || message.m0.epoch != recovered_epoch_) return;
  schedule_.violation("promise", "the secondary was recovered and acknowledges message " + number(message.acknowledgement.message_number));
}

void Duties::recovered(std::uint64_t epoch, const SimDisk& secondary) {
  recovered_epoch_ = epoch;
  const auto left = secondary.crashed_copy(1, Damage::kDropped);
  std::optional<StoredCheckpoint> newest;
  for (const char* path : {"/dsm/checkpoint.1", "/dsm/checkpoint.2"}) {
    if (!left->exists(path)) continue;
    const auto stored = decode_checkpoint(left->read_file(path));
    if (stored.good() && (!newest || stored.value.generation > newest->generation)) newest = stored.value;
  }
  if (newest && newest->checkpoint.state == SecondaryState::kRecovered && newest->checkpoint.epoch == epoch) return;
  schedule_.violation("fence", "the recovery is told and the fences are lifted, and had the host died now, no checkpoint would say so");
}

void Duties::answered(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    if (line.compare(0, 8, "DSMM115I") != 0) continue;
    const std::size_t at = line.rfind(' ');
    const Sequence through = at == std::string::npos ? 0 : std::strtoull(line.c_str() + at + 1, nullptr, 10);
    if (through > oracle_.promise())
      schedule_.violation("promise", "an operator is told that the secondary holds everything through number " + number(through) +
                                         ", and it has promised " + number(oracle_.promise()));
  }
}

void Duties::numbered_in(SessionState state) {
  if (state == SessionState::kFrozen)
    schedule_.violation("order", "number " + number(oracle_.last_numbered() + 1) + " was given while the session is frozen");
}

// The host of the primary never crashes here and nothing of the test's harms common storage, so that these are the product's own doing.
void Duties::primary_says(const std::string& line) {
  const bool suspended = line.compare(0, 8, "DSMM113E") == 0;
  if (!suspended) return;
  for (const char* reason :
       {"in common storage is damaged", "common storage was lost", "was lost or set back", "checkpoint or journal was lost"})
    if (line.find(reason) != std::string::npos)
      schedule_.violation("unexplained stop", "the session is suspended though nothing of the test's harmed what it names: " + line);
}

}  // namespace afterimage::sim
