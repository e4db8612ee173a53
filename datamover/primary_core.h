// The primary data mover as a pure state machine: takes tokens in order, builds M0 + M1 + M2, sends at buffer-full or interval, frees on
// acknowledgement. No clock, no socket, no shared memory: step(now, input) -> outputs. Source: document 002 (A7, A9-A14, A18).
//
// The io side's duties: Start first; every numbered token in order (after a restart: everything behind freed_through) before LinkUp, so
// that the secondary's B can be judged; no token after the Ended output. Data spans stay valid until a Free passes them; a Free never
// passes what a message waiting on the present binding refers to. ClockRead only when no write numbered later can carry an earlier
// stamp. Threads: one at a time. Lookups are O(1), a step costs O(what it sends).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "serializer/limits.h"
#include "vtam_link/bind.h"
#include "vtam_link/message.h"

namespace afterimage {

struct PrimarySettings {
  std::string session, local_lu, peer_lu;
  std::uint32_t message_bytes = kDefaultMessageBytes;  // send when this much is waiting ...
  std::uint32_t interval_ms = kDefaultInterval_ms;     // ... or this long after the preceding message
  std::uint32_t idle_interval_ms = 500;                // an empty message at least this often, so that consistency time moves
  std::uint32_t window_messages = 64;                  // unacknowledged messages at most
  std::uint64_t window_bytes = 16ull << 20;
};

namespace primary {
// One numbered token, in sequence order. `data` stays valid until a kFree output passes it.
struct TokenNumbered {
  Token token;
  std::span<const std::uint8_t> data;
  bool flushed = false;
  bool is_void = false;
};
struct DataFlushed {
  Sequence sequence = 0;
};  // its bytes are now in the volume's file
struct TokenVoided {
  Sequence sequence = 0;
};  // its writer died before that
struct ClockRead {
  Sequence through = 0;
};  // at `now`, `through` was the last number: moves consistency time
struct LinkUp {
  BindResponse bind;
};
struct LinkDown {};
struct MessageArrived {
  Message message;
};  // from the secondary, decoded
struct Start {
  std::uint64_t epoch = 0;
  std::vector<VolumeDescriptor> volumes;
  Sequence first_sequence = 1;  // of the epoch
  Sequence freed_through = 0;   // a restarted mover: everything up to here was acknowledged and freed; 0 = nothing of this epoch
};                              // XSTART, or a restarted mover with the same epoch
struct End {};                  // XEND: terminate when everything is acknowledged
struct Tick {};
}  // namespace primary
using PrimaryInput = std::variant<primary::TokenNumbered, primary::DataFlushed, primary::TokenVoided, primary::ClockRead, primary::LinkUp,
                                  primary::LinkDown, primary::MessageArrived, primary::Start, primary::End, primary::Tick>;

namespace primary {
struct Send {
  EncodedMessage message;
};
struct Free {
  Sequence through = 0;
};  // acknowledged: held durably by the secondary, ring space may be reused (A18)
struct DropLink {
  std::string reason;
};  // continuity broken: close and bind again
struct Acknowledged {
  Acknowledgement acknowledgement;
};
struct ExceptionSeen {
  Exception exception;
};
struct Ended {};
}  // namespace primary
using PrimaryOutput =
    std::variant<primary::Send, primary::Free, primary::DropLink, primary::Acknowledged, primary::ExceptionSeen, primary::Ended>;

struct PrimaryCounters {
  std::uint64_t messages_sent = 0, bytes_sent = 0, resent_messages = 0, sent_by_full = 0, sent_by_interval = 0, tokens_m1 = 0,
                fields_m2 = 0;
};

class PrimaryCore {
 public:
  explicit PrimaryCore(PrimarySettings settings);
  std::vector<PrimaryOutput> step(Tod now, PrimaryInput input);
  Tod next_wakeup() const;  // when a Tick is due; kNever when nothing is
  static constexpr Tod kNever = ~Tod{0};
  // for queries
  bool link_up() const;
  Sequence taken_through() const;  // last token given to step
  Sequence sent_through() const;   // last token sent in M1 on this binding
  const Acknowledgement& last_acknowledgement() const;
  std::uint64_t unacknowledged_bytes() const;
  const PrimaryCounters& counters() const;
  BindRequest make_bind(std::uint64_t storage_id, Sequence freed_through) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace afterimage
