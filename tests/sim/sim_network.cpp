// See sim_network.h.
#include "tests/sim/sim_network.h"

#include <algorithm>
#include <utility>

namespace afterimage::sim {

namespace {
constexpr std::uint64_t kLook_us = 5000;  // how often a blocked end tries again
}

void Line::listen(const ProcessPtr& process, Accept accept) {
  listener_ = process;
  accept_ = std::move(accept);
}

void Line::stop_listening(const ProcessPtr& process) {
  if (listener_ != process) return;
  listener_ = nullptr;
  accept_ = nullptr;
}

void Line::connect(const ProcessPtr& process, LineEnd* end, std::function<void(const ConnectionPtr&, const std::string&)> then) {
  schedule_.after(2 * delay_us(), process, [this, process, end, then = std::move(then)]() mutable {
    if (cut[0] || cut[1] || clogged_until_us > schedule_.now_us() || (listener_ && listener_->stopped_until_us > schedule_.now_us())) {
      schedule_.after(times.handshake_limit_us, process, [then = std::move(then)] { then(nullptr, "The connection timed out."); });
      return;
    }
    if (!listener_ || !listener_->alive) return then(nullptr, "The connection was refused.");
    auto connection = std::make_shared<Connection>();
    connection->side[0].process = process;
    connection->side[1].process = listener_;
    connection->side[0].end = end;
    connection->side[1].end = accept_(connection);
    connections_.push_back(connection);
    then(connection, {});
  });
}

void Line::send(const ConnectionPtr& connection, unsigned from, FrameKind kind, EncodedMessage message) {
  Connection::Side& side = connection->side[from];
  if (side.end == nullptr) return;
  if (handed && kind == FrameKind::kMessage) handed(from, message);
  side.queued_bytes += message.total_bytes;
  side.queue.push_back({kind, std::move(message)});
  if (std::exchange(side.pumping, true)) return;
  schedule_.after(1 + side.queued_bytes / std::max<std::uint64_t>(times.bytes_per_ms / 1000, 1), side.process,
                  [this, connection, from] { pump(connection, from); });
}

void Line::pump(const ConnectionPtr& connection, unsigned from) {
  Connection::Side& side = connection->side[from];
  side.pumping = false;
  if (side.end == nullptr || side.queue.empty()) return;
  const std::uint64_t now = schedule_.now_us();
  if (cut[from] || clogged_until_us > now) {
    if (side.blocked_since_us == 0) side.blocked_since_us = now;
    if (now - side.blocked_since_us > times.give_up_us)
      return tell_closed(connection, from, "The connection timed out: nothing gets through.");
    side.pumping = true;
    schedule_.after(kLook_us, side.process, [this, connection, from] { pump(connection, from); });
    return;
  }
  side.blocked_since_us = 0;
  Connection::Frame frame = std::move(side.queue.front());
  side.queue.pop_front();
  side.queued_bytes -= frame.message.total_bytes;
  put_on_line(connection, from, frame.kind, frame.message.flat());
  if (side.queue.empty()) {
    side.end->drained();
    return;
  }
  side.pumping = true;
  schedule_.after(1 + side.queue.front().message.total_bytes / std::max<std::uint64_t>(times.bytes_per_ms / 1000, 1), side.process,
                  [this, connection, from] { pump(connection, from); });
}

namespace {

// Two fields of equal length exchange their sequence numbers; everything else of the message stays right. False if there are none.
bool misdirect(std::vector<std::uint8_t>& bytes) {
  auto decoded = decode(bytes);
  if (!decoded.good()) return false;
  std::vector<M2Field>& fields = decoded.value.m2;
  for (std::size_t i = 0; i + 1 < fields.size(); ++i) {
    for (std::size_t j = i + 1; j < fields.size(); ++j) {
      if (fields[i].data.empty() || fields[i].token.data_length != fields[j].token.data_length) continue;
      std::swap(fields[i].token.sequence, fields[j].token.sequence);
      const auto encoded = encode(decoded.value);
      if (!encoded.good()) return false;
      bytes = encoded.value.flat();
      return true;
    }
  }
  return false;
}

}  // namespace

void Line::put_on_line(const ConnectionPtr& connection, unsigned from, FrameKind kind, std::vector<std::uint8_t> bytes) {
  if (watch) watch(from, kind, bytes);
  Connection::Side& side = connection->side[from];
  std::uint64_t when = std::max(schedule_.now_us() + delay_us(), side.last_arrival_us);
  const unsigned to = 1 - from;
  if (kind == FrameKind::kMessage) {
    if (random_.chance(faults.loss, 1'000'000)) {
      ++harmed_;
      schedule_.trace.note(schedule_.now_us(), "message lost", from);
      return;
    }
    if (random_.chance(faults.damage, 1'000'000) && !bytes.empty()) {
      ++harmed_;
      schedule_.trace.note(schedule_.now_us(), "message damaged", from);
      if (random_.chance(1, 4))
        bytes.resize(random_.below(bytes.size()));
      else
        bytes[random_.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << random_.below(8));
    }
    if (from == 0 && random_.chance(faults.misdirection, 1'000'000) && misdirect(bytes)) {
      ++harmed_;
      schedule_.trace.note(schedule_.now_us(), "data misdirected", from);
    }
    if (random_.chance(faults.duplication, 1'000'000)) {
      ++harmed_;
      schedule_.trace.note(schedule_.now_us(), "message doubled", from);
      arrive(connection, to, kind, bytes, when + random_.below(3000));
    }
    if (random_.chance(faults.reordering, 1'000'000)) {
      ++harmed_;
      schedule_.trace.note(schedule_.now_us(), "message overtaken", from);
      return arrive(connection, to, kind, std::move(bytes), when + 1000 + random_.below(20000));
    }
  }
  side.last_arrival_us = when;
  arrive(connection, to, kind, std::move(bytes), when);
}

void Line::arrive(const ConnectionPtr& connection, unsigned to, FrameKind kind, std::vector<std::uint8_t> bytes, std::uint64_t when_us) {
  schedule_.at(when_us, connection->side[to].process, [this, connection, to, kind, bytes = std::move(bytes)]() mutable {
    LineEnd* end = connection->side[to].end;
    if (end != nullptr && arrived) arrived(to, kind, bytes);
    if (end != nullptr) return end->frame(kind, std::move(bytes));
    // The host at that end knows no such connection, and says so.
    if (cut[to]) return;
    schedule_.after(delay_us(), connection->side[1 - to].process,
                    [this, connection, to] { tell_closed(connection, 1 - to, "The connection was reset."); });
  });
}

void Line::tell_closed(const ConnectionPtr& connection, unsigned which, const std::string& reason) {
  Connection::Side& side = connection->side[which];
  LineEnd* const end = std::exchange(side.end, nullptr);
  if (end == nullptr) return;
  side.queue.clear();
  side.queued_bytes = 0;
  close(connection, which);
  end->closed(reason);
}

void Line::close(const ConnectionPtr& connection, unsigned which) {
  Connection::Side& side = connection->side[which];
  side.end = nullptr;
  side.queue.clear();
  side.queued_bytes = 0;
  const unsigned other = 1 - which;
  if (connection->side[other].end == nullptr) return;
  // Behind what is still on its way; cut off, the other end learns of it when it asks (TCP's keep-alive).
  const std::uint64_t heard_us = cut[which] ? schedule_.now_us() + times.keep_alive_us : schedule_.now_us() + delay_us();
  schedule_.at(std::max(heard_us, side.last_arrival_us + 1), connection->side[other].process,
               [this, connection, other] { tell_closed(connection, other, "The peer closed the connection."); });
}

void Line::cut_connections(const std::string& reason) {
  for (const auto& each : connections_) {
    const auto connection = each.lock();
    if (!connection) continue;
    for (const unsigned which : {0u, 1u}) {
      if (connection->side[which].end == nullptr) continue;
      schedule_.after(delay_us(), connection->side[which].process,
                      [this, connection, which, reason] { tell_closed(connection, which, reason); });
    }
  }
}

void Line::cut_half(unsigned which) {
  for (const auto& each : connections_) {
    const auto connection = each.lock();
    if (!connection || connection->side[which].end == nullptr) continue;
    schedule_.after(0, connection->side[which].process, [this, connection, which] {
      const bool before = std::exchange(cut[which], true);  // the other end does not hear of it, before it asks
      tell_closed(connection, which, "The connection was reset.");
      cut[which] = before;
    });
    schedule_.after(times.keep_alive_us, connection->side[1 - which].process,
                    [this, connection, which] { tell_closed(connection, 1 - which, "The peer does not know the connection any more."); });
  }
}

void Line::process_died(const ProcessPtr& process) {
  stop_listening(process);
  for (const auto& each : connections_) {
    const auto connection = each.lock();
    if (!connection) continue;
    for (const unsigned which : {0u, 1u})
      if (connection->side[which].process == process) close(connection, which);
  }
  std::erase_if(connections_, [](const auto& each) { return each.expired(); });
}

void Line::heal() {
  faults = {};
  cut[0] = cut[1] = false;
  clogged_until_us = 0;
}

bool Line::faultless() const {
  return faults.misdirection == 0 && faults.loss == 0 && faults.duplication == 0 && faults.reordering == 0 && faults.damage == 0;
}

}  // namespace afterimage::sim
