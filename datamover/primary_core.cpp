// The primary mover's rules: when a message goes, what it carries, what an acknowledgement frees, when the link must be bound again.
#include "datamover/primary_core.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "datamover/token_backlog.h"
#include "serializer/canary.h"
#include "serializer/check.h"
#include "vtam_link/continuity.h"

namespace afterimage {

namespace {

constexpr std::uint32_t kLeastMessageBytes = 4096;

constexpr Tod tod_span_ms(std::uint64_t ms) { return tod_from_us(ms * 1000); }
std::string number(std::uint64_t value) { return std::to_string(value); }

struct InFlight {
  std::uint64_t message_number = 0, bytes = 0;
  Sequence least_m2 = 0;  // lowest token whose data it refers to, 0 = none
};

}  // namespace

struct PrimaryCore::State {
  PrimarySettings settings;
  PrimaryCounters counters;
  bool started = false, up = false, ending = false;
  std::uint64_t epoch = 0;
  std::vector<VolumeDescriptor> volumes;
  Sequence first_sequence = 1;
  TokenBacklog backlog;
  std::uint64_t last_message = 0;       // last number sent
  std::uint64_t terminate_message = 0;  // number of the kTerminate sent on this binding, 0 = none
  std::deque<InFlight> in_flight;
  std::uint64_t in_flight_bytes = 0;
  Tod last_sent = 0;
  Sequence clock_through = 0;
  Tod clock_tod = 0;
  Acknowledgement acknowledgement;
  ContinuityChecker reverse;

  using Outputs = std::vector<PrimaryOutput>;
  void on(Tod now, const primary::Start& start, Outputs& out);
  void on(Tod now, const primary::TokenNumbered& numbered, Outputs& out);
  void on(Tod now, const primary::DataFlushed& flushed, Outputs& out);
  void on(Tod now, const primary::TokenVoided& voided, Outputs& out);
  void on(Tod now, const primary::ClockRead& read, Outputs& out);
  void on(Tod now, const primary::LinkUp& link, Outputs& out);
  void on(Tod now, const primary::LinkDown& down, Outputs& out);
  void on(Tod now, const primary::MessageArrived& arrived, Outputs& out);
  void on(Tod now, const primary::End& end, Outputs& out);
  void on(Tod now, const primary::Tick& tick, Outputs& out);

  std::string why_not_resume(const BindResponse& bind) const;
  void take_acknowledgement(const Acknowledgement& ack, Outputs& out);
  void link_down();
  void drop(std::string reason, Outputs& out);
  Sequence free_limit() const;
  bool window_open() const;
  bool may_terminate() const;
  M0 next_m0(Tod now, ContentType content) const;
  void send(Tod now, const Message& message, Outputs& out);
  void send_tokens(Tod now, Outputs& out);
  void send_due(Tod now, Outputs& out);
  Tod next_due() const;
};

void PrimaryCore::State::on(Tod now, const primary::Start& start, Outputs&) {
  AI_CHECK(start.epoch != 0);
  AI_CHECK(start.first_sequence >= 1);
  AI_CHECK(!up);
  started = true;
  ending = false;
  epoch = start.epoch;
  volumes = start.volumes;
  first_sequence = start.first_sequence;
  backlog = TokenBacklog(std::max(start.freed_through, start.first_sequence - 1));
  last_message = terminate_message = 0;
  clock_through = 0;
  clock_tod = 0;
  acknowledgement = {};
  last_sent = now;
}

void PrimaryCore::State::on(Tod, const primary::TokenNumbered& numbered, Outputs&) {
  AI_CHECK(started);
  AI_CHECK(terminate_message == 0);
  backlog.add(numbered.token, numbered.data, numbered.flushed, numbered.is_void);
}

void PrimaryCore::State::on(Tod, const primary::DataFlushed& flushed, Outputs&) { backlog.flushed(flushed.sequence); }

void PrimaryCore::State::on(Tod, const primary::TokenVoided& voided, Outputs&) { backlog.voided(voided.sequence); }

void PrimaryCore::State::on(Tod now, const primary::ClockRead& read, Outputs&) {
  clock_through = read.through;
  clock_tod = std::max(clock_tod, now);
}

// Empty when the binding can go on; else the sentence to drop it with.
std::string PrimaryCore::State::why_not_resume(const BindResponse& bind) const {
  if (!bind.accepted) return bind.reason.empty() ? "The secondary refused the bind and gave no reason." : bind.reason;
  if (!started) return "No session is active at the primary; start one before the link is used.";
  if (bind.epoch == 0) {
    if (backlog.freed_through() < first_sequence) return {};
    return "The secondary holds nothing of session " + settings.session + ", and the primary has already freed tokens up to " +
           number(backlog.freed_through()) + " that it had acknowledged: its checkpoint or journal was lost. End the session, copy the " +
           "volumes and start again.";
  }
  if (bind.epoch != epoch)
    return "The secondary holds epoch " + number(bind.epoch) + " of session " + settings.session + " and the primary is in epoch " +
           number(epoch) + "; end or recover the older one at the secondary.";
  if (bind.complete_through > bind.known_through)
    return "The secondary's bind names data up to token " + number(bind.complete_through) + " but tokens only up to " +
           number(bind.known_through) + "; it is refused.";
  if (bind.complete_through < backlog.freed_through())
    return "The secondary holds data up to token " + number(bind.complete_through) + " only, and had acknowledged up to " +
           number(backlog.freed_through()) + ": its journal was lost or set back. End the session, copy the volumes and start again.";
  const Sequence last = std::max(backlog.taken_through(), clock_through);
  if (bind.known_through > last)
    return "The secondary knows token " + number(bind.known_through) + " and the primary has numbered only " + number(last) +
           ": the primary's common storage was lost. Recover at the secondary, or end the session and start again.";
  AI_CHECK(bind.known_through <= backlog.taken_through());
  return {};
}

void PrimaryCore::State::on(Tod now, const primary::LinkUp& link, Outputs& out) {
  if (up) link_down();
  const BindResponse& bind = link.bind;
  const std::string reason = why_not_resume(bind);
  if (!reason.empty()) {
    drop(reason, out);
    return;
  }
  up = true;
  reverse = ContinuityChecker(settings.session, settings.peer_lu, settings.local_lu, epoch, bind.last_own_message);
  last_sent = now;
  if (bind.epoch == epoch) {
    if (last_message > bind.last_message) counters.resent_messages += last_message - bind.last_message;
    last_message = bind.last_message;
    backlog.rewind(bind.known_through, bind.complete_through);
    return;
  }
  last_message = 0;
  backlog.rewind(first_sequence - 1, first_sequence - 1);
  Message message;
  message.m0 = next_m0(now, ContentType::kEstablish);
  message.volumes = volumes;
  send(now, message, out);
}

void PrimaryCore::State::on(Tod, const primary::LinkDown&, Outputs&) { link_down(); }

void PrimaryCore::State::link_down() {
  up = false;
  in_flight.clear();
  in_flight_bytes = 0;
  terminate_message = 0;
}

void PrimaryCore::State::drop(std::string reason, Outputs& out) {
  link_down();
  out.emplace_back(primary::DropLink{std::move(reason)});
}

void PrimaryCore::State::on(Tod, const primary::MessageArrived& arrived, Outputs& out) {
  if (!up) return;  // of a link that was given up meanwhile
  const M0& m0 = arrived.message.m0;
  const ContinuityVerdict verdict = reverse.accept(m0);
  if (verdict != ContinuityVerdict::kNext) {
    drop(reverse.describe(verdict, m0), out);
  } else if (m0.content == ContentType::kAcknowledge) {
    take_acknowledgement(arrived.message.acknowledgement, out);
  } else if (m0.content == ContentType::kException) {
    out.emplace_back(primary::ExceptionSeen{arrived.message.exception});
  } else {
    drop("The secondary sent content type " + number(static_cast<std::uint16_t>(m0.content)) +
             ", and only acknowledgements and exceptions come from a secondary.",
         out);
  }
}

// Data sent again on a new binding may be acknowledged, as held from the old one, while it still waits to go: its space must not be reused
// before the message that refers to it is acknowledged too. At most window_messages are looked at.
Sequence PrimaryCore::State::free_limit() const {
  Sequence limit = backlog.taken_through();
  for (const InFlight& message : in_flight)
    if (message.least_m2 != 0) limit = std::min(limit, message.least_m2 - 1);
  return limit;
}

void PrimaryCore::State::take_acknowledgement(const Acknowledgement& ack, Outputs& out) {
  const bool within =
      ack.message_number <= last_message && ack.known_through <= backlog.sent_through() && ack.complete_through <= ack.known_through;
  if (!within) {
    drop("The secondary acknowledged message " + number(ack.message_number) + " and tokens up to " + number(ack.complete_through) + " of " +
             number(ack.known_through) + ", and only message " + number(last_message) + " and token " + number(backlog.sent_through()) +
             " were sent.",
         out);
    return;
  }
  while (!in_flight.empty() && in_flight.front().message_number <= ack.message_number) {
    in_flight_bytes -= in_flight.front().bytes;
    in_flight.pop_front();
  }
  acknowledgement = ack;
  out.emplace_back(primary::Acknowledged{ack});
  const Sequence acknowledged = planted(Canary::kFreedBeforeData) ? ack.known_through : ack.complete_through;
  const Sequence through = std::min(acknowledged, free_limit());
  if (through > backlog.freed_through()) {
    backlog.free_through(through);
    out.emplace_back(primary::Free{through});
  }
  if (terminate_message != 0 && ack.message_number >= terminate_message) {
    started = false;
    link_down();
    out.emplace_back(primary::Ended{});
  }
}

void PrimaryCore::State::on(Tod, const primary::End&, Outputs&) { ending = true; }

void PrimaryCore::State::on(Tod, const primary::Tick&, Outputs&) {}

bool PrimaryCore::State::window_open() const {
  if (planted(Canary::kWindowIgnored)) return true;
  return in_flight.size() < settings.window_messages && in_flight_bytes < settings.window_bytes;
}

bool PrimaryCore::State::may_terminate() const { return ending && backlog.freed_through() == backlog.taken_through(); }

M0 PrimaryCore::State::next_m0(Tod now, ContentType content) const {
  M0 m0;
  m0.session = settings.session;
  m0.origin_lu = settings.local_lu;
  m0.destination_lu = settings.peer_lu;
  m0.epoch = epoch;
  m0.message_number = last_message + 1;
  m0.content = content;
  m0.sent = now;
  m0.last_sequence = backlog.sent_through();
  m0.consistency_time = backlog.sent_tod();
  if (clock_through <= backlog.sent_through() || planted(Canary::kClockAheadOfTokens))
    m0.consistency_time = std::max(m0.consistency_time, clock_tod);
  return m0;
}

void PrimaryCore::State::send(Tod now, const Message& message, Outputs& out) {
  Result<EncodedMessage> encoded = encode(message);
  AI_CHECK(encoded.good());
  last_message = message.m0.message_number;
  last_sent = now;
  in_flight.push_back({last_message, encoded.value.total_bytes, message.m2.empty() ? 0 : message.m2.front().token.sequence});
  in_flight_bytes += encoded.value.total_bytes;
  ++counters.messages_sent;
  counters.bytes_sent += encoded.value.total_bytes;
  counters.tokens_m1 += message.m1.size();
  counters.fields_m2 += message.m2.size();
  out.emplace_back(primary::Send{std::move(encoded.value)});
}

// One message: the tokens that wait, then as much data as there is room for. A field larger than the buffer goes alone.
void PrimaryCore::State::send_tokens(Tod now, Outputs& out) {
  Message message;
  std::uint64_t bytes = kM0Bytes;
  bool full = false;
  while (const Token* token = backlog.next_m1()) {
    const std::uint64_t more = encoded_token_bytes(*token);
    if (bytes + more > settings.message_bytes) {
      full = true;
      break;
    }
    bytes += more;
    message.m1.push_back(*token);
    backlog.take_m1();
  }
  for (M2Field field; !full && backlog.next_m2(field); backlog.take_m2()) {
    const std::uint64_t more = encoded_m2_bytes(field);
    if (bytes + more > settings.message_bytes && !(message.m1.empty() && message.m2.empty())) break;
    bytes += more;
    message.m2.push_back(field);
  }
  message.m0 = next_m0(now, ContentType::kTokenData);
  send(now, message, out);
}

void PrimaryCore::State::send_due(Tod now, Outputs& out) {
  if (!up || terminate_message != 0) return;
  last_sent = std::min(last_sent, now);  // a clock set back must not silence the link
  const bool interval_over = now >= last_sent + tod_span_ms(settings.interval_ms);
  const bool idle_over = now >= last_sent + tod_span_ms(settings.idle_interval_ms);
  while (window_open()) {
    const std::uint64_t waiting = backlog.waiting_bytes();
    if (waiting == 0) break;
    const bool full = kM0Bytes + waiting >= settings.message_bytes;
    if (!full && !interval_over) break;
    ++(full ? counters.sent_by_full : counters.sent_by_interval);
    send_tokens(now, out);
  }
  if (!window_open()) return;
  if (may_terminate()) {
    Message message;
    message.m0 = next_m0(now, ContentType::kTerminate);
    message.ending.last_sequence = backlog.taken_through();
    send(now, message, out);
    terminate_message = last_message;
  } else if (idle_over && backlog.waiting_bytes() == 0 && last_sent != now) {
    send_tokens(now, out);
  }
}

Tod PrimaryCore::State::next_due() const {
  if (!up || terminate_message != 0 || !window_open()) return kNever;
  const std::uint32_t wait_ms = backlog.waiting_bytes() != 0 ? settings.interval_ms : settings.idle_interval_ms;
  return last_sent + tod_span_ms(wait_ms);
}

PrimaryCore::PrimaryCore(PrimarySettings settings) : state_(std::make_shared<State>()) {
  settings.message_bytes = std::clamp(settings.message_bytes, kLeastMessageBytes, kMaxMessageBytes);
  settings.window_messages = std::max(settings.window_messages, 1u);
  settings.window_bytes = std::max<std::uint64_t>(settings.window_bytes, 1);
  settings.idle_interval_ms = std::max(settings.idle_interval_ms, 1u);
  state_->settings = std::move(settings);
}

std::vector<PrimaryOutput> PrimaryCore::step(Tod now, PrimaryInput input) {
  std::vector<PrimaryOutput> out;
  std::visit([&](const auto& each) { state_->on(now, each, out); }, input);
  state_->send_due(now, out);
  return out;
}

Tod PrimaryCore::next_wakeup() const { return state_->next_due(); }
bool PrimaryCore::link_up() const { return state_->up; }
Sequence PrimaryCore::taken_through() const { return state_->backlog.taken_through(); }
Sequence PrimaryCore::sent_through() const { return state_->backlog.sent_through(); }
const Acknowledgement& PrimaryCore::last_acknowledgement() const { return state_->acknowledgement; }
std::uint64_t PrimaryCore::unacknowledged_bytes() const { return state_->in_flight_bytes; }
const PrimaryCounters& PrimaryCore::counters() const { return state_->counters; }

BindRequest PrimaryCore::make_bind(std::uint64_t storage_id, Sequence freed_through) const {
  BindRequest bind;
  bind.product_version = AFTERIMAGE_VERSION;
  bind.session = state_->settings.session;
  bind.origin_lu = state_->settings.local_lu;
  bind.destination_lu = state_->settings.peer_lu;
  bind.epoch = state_->epoch;
  bind.storage_id = storage_id;
  bind.next_message = state_->last_message + 1;
  bind.freed_through = freed_through;
  bind.max_message_bytes = kMaxMessageBytes;
  return bind;
}

}  // namespace afterimage
