// The line between two sites: connections with a delay, a speed and an order, and what can go wrong with them: loss of connections,
// partitions one way and both ways, a clog, ends that hold a connection the other has forgotten; and for each message loss, duplication,
// reordering and damage, which TCP and TLS exclude and the movers' own checks must find all the same.
// A message leaves its owner's storage only when it goes onto the line, as with a socket. Pure.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "service/node_host.h"
#include "tests/sim/sim_schedule.h"

namespace afterimage::sim {

struct NetworkFaults {  // per million messages
  std::uint32_t loss = 0, duplication = 0, reordering = 0, damage = 0;
  std::uint32_t misdirection = 0;  // the data of two tokens changes places before the check sum is made: a fault of the sender's memory
};
struct NetworkTimes {
  std::uint64_t delay_us = 500, jitter_us = 500;
  std::uint64_t bytes_per_ms = 100'000;
  std::uint64_t handshake_limit_us = 2'000'000;
  std::uint64_t first_retry_us = 100'000, last_retry_us = 800'000;
  std::uint64_t keep_alive_us = 2'000'000;  // until an end that has nothing to send asks whether the other is there
  std::uint64_t give_up_us = 1'500'000;     // how long an end holds a connection on which nothing gets through
};

enum class FrameKind : std::uint8_t { kBind, kBindAnswer, kMessage };

class Line;

// One end of a connection, owned by a link.
class LineEnd {
 public:
  virtual ~LineEnd() = default;
  virtual void frame(FrameKind kind, std::vector<std::uint8_t>&& bytes) = 0;
  virtual void drained() = 0;
  virtual void closed(const std::string& reason) = 0;  // not after close() of this end
};

struct Connection {
  struct Frame {
    FrameKind kind = FrameKind::kMessage;
    EncodedMessage message;
  };
  struct Side {
    LineEnd* end = nullptr;  // null: closed here
    ProcessPtr process;
    std::deque<Frame> queue;
    std::uint64_t queued_bytes = 0, blocked_since_us = 0, last_arrival_us = 0;
    bool pumping = false;
  };
  Side side[2];  // 0 = the connector's
};
using ConnectionPtr = std::shared_ptr<Connection>;

class Line {
 public:
  Line(Schedule& schedule, std::uint64_t seed) : schedule_(schedule), random_(seed) {}

  NetworkFaults faults;
  NetworkTimes times;
  bool cut[2] = {false, false};  // [0] = what the connector's side sends does not arrive
  std::uint64_t clogged_until_us = 0;
  // Sees every frame as it goes onto the line, before any fault. `from`: 0 = the connector's side.
  std::function<void(unsigned from, FrameKind kind, const std::vector<std::uint8_t>& bytes)> watch;

  // Sees every message when its owner hands it over, before it waits for the line.
  std::function<void(unsigned from, const EncodedMessage& message)> handed;

  // Sees every frame that an end takes.
  std::function<void(unsigned to, FrameKind kind, const std::vector<std::uint8_t>& bytes)> arrived;

  // The listener's side: who takes connections now; null to stop. Gives the end for a new connection.
  using Accept = std::function<LineEnd*(const ConnectionPtr& connection)>;
  void listen(const ProcessPtr& process, Accept accept);
  void stop_listening(const ProcessPtr& process);
  // `then` with null when it could not be connected.
  void connect(const ProcessPtr& process, LineEnd* end, std::function<void(const ConnectionPtr&, const std::string& reason)> then);
  void send(const ConnectionPtr& connection, unsigned from, FrameKind kind, EncodedMessage message);
  // This end is closed at once; the other hears of it if the line lets it.
  void close(const ConnectionPtr& connection, unsigned which);
  // Both ends find the connection gone.
  void cut_connections(const std::string& reason);
  // One end finds it gone, the other does not hear of it.
  void cut_half(unsigned which);
  void process_died(const ProcessPtr& process);
  void heal();
  bool faultless() const;
  std::uint64_t messages_harmed() const { return harmed_; }

 private:
  void pump(const ConnectionPtr& connection, unsigned from);
  void put_on_line(const ConnectionPtr& connection, unsigned from, FrameKind kind, std::vector<std::uint8_t> bytes);
  void arrive(const ConnectionPtr& connection, unsigned to, FrameKind kind, std::vector<std::uint8_t> bytes, std::uint64_t when_us);
  void tell_closed(const ConnectionPtr& connection, unsigned which, const std::string& reason);
  std::uint64_t delay_us() { return times.delay_us + random_.below(times.jitter_us + 1); }

  Schedule& schedule_;
  SplitMix random_;
  ProcessPtr listener_;
  Accept accept_;
  std::vector<std::weak_ptr<Connection>> connections_;
  std::uint64_t harmed_ = 0;
};

std::unique_ptr<NodeLink> make_connector(Schedule& schedule, ProcessPtr process, Line& line, LuSessionHandler handler,
                                         std::function<BindRequest()> make_bind);
std::unique_ptr<NodeLink> make_listener(Schedule& schedule, ProcessPtr process, Line& line, LuSessionHandler handler);

}  // namespace afterimage::sim
