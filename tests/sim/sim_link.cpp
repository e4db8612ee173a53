// The two ends of an LU-LU session on a simulated line: what vtam_link's connector and listener promise to their owners.
#include <algorithm>
#include <utility>

#include "tests/sim/sim_network.h"

namespace afterimage::sim {
namespace {

EncodedMessage whole(std::vector<std::uint8_t> bytes) {
  EncodedMessage message;
  message.head = std::move(bytes);
  message.pieces = {message.head};
  message.total_bytes = message.head.size();
  return message;
}

class Connector final : public NodeLink, public LineEnd {
 public:
  Connector(Schedule& schedule, ProcessPtr process, Line& line, LuSessionHandler handler, std::function<BindRequest()> make_bind)
      : schedule_(schedule),
        line_(line),
        handler_(std::move(handler)),
        make_bind_(std::move(make_bind)),
        process_(std::move(process)),
        retry_us_(line.times.first_retry_us) {}
  ~Connector() override { stop(); }

  Status start() override {
    running_ = true;
    attempt();
    return Status::ok();
  }
  void stop() override {
    running_ = bound_ = false;
    lasts_.reset();
    drop_connection();
  }
  bool up() const override { return bound_ && connection_; }
  void send(EncodedMessage message) override {
    if (up()) line_.send(connection_, 0, FrameKind::kMessage, std::move(message));
  }
  std::size_t queued_bytes() const override { return connection_ ? connection_->side[0].queued_bytes : 0; }
  void drop(const std::string& reason) override {
    if (!connection_) return;
    bound_ = false;
    drop_connection();
    schedule_.after(0, process_, guarded([this, reason] { closed(reason); }));
  }
  std::uint16_t port() const override { return 0; }

  void frame(FrameKind kind, std::vector<std::uint8_t>&& bytes) override {
    if (!running_ || !connection_) return;
    if (kind == FrameKind::kMessage && bound_) return handler_.on_message(std::move(bytes));
    if (kind != FrameKind::kBindAnswer || bound_) return;
    const auto response = decode_bind_response(bytes);
    if (!response.good()) return drop(response.status.text());
    if (response.value.accepted) {
      bound_ = true;
      retry_us_ = line_.times.first_retry_us;
    }
    if (handler_.on_bound) handler_.on_bound(response.value);
    if (!response.value.accepted) drop("the BIND was refused: " + response.value.reason);
  }
  void drained() override {
    if (up() && handler_.on_drained) handler_.on_drained();
  }
  void closed(const std::string& reason) override {
    if (!running_) return;
    bound_ = false;
    connection_.reset();
    schedule_.after(retry_us_, process_, guarded([this] {
                      if (running_ && !connection_ && !attempting_) attempt();
                    }));
    retry_us_ = std::min(2 * retry_us_, line_.times.last_retry_us);
    if (handler_.on_down) handler_.on_down(reason);
  }

 private:
  std::function<void()> guarded(std::function<void()> then) {
    return [lasts = std::weak_ptr(lasts_), then = std::move(then)] {
      if (!lasts.expired()) then();
    };
  }
  void drop_connection() {
    if (connection_) line_.close(connection_, 0);
    connection_.reset();
  }
  void attempt() {
    attempting_ = true;
    line_.connect(process_, this,
                  [this, line = &line_, lasts = std::weak_ptr(lasts_)](const ConnectionPtr& connection, const std::string& reason) {
                    if (lasts.expired()) {
                      if (connection) connection->side[0].end = nullptr;
                      if (connection) line->close(connection, 0);
                      return;
                    }
                    attempting_ = false;
                    if (!connection) return closed(reason);
                    connection_ = connection;
                    line_.send(connection_, 0, FrameKind::kBind, whole(encode(make_bind_())));
                    // Handshake and BIND together have a limit.
                    schedule_.after(line_.times.handshake_limit_us, process_, guarded([this, connection] {
                                      if (connection_ == connection && !bound_) drop("no answer to the BIND came");
                                    }));
                  });
  }

  Schedule& schedule_;
  Line& line_;
  LuSessionHandler handler_;
  std::function<BindRequest()> make_bind_;
  ProcessPtr process_;
  std::uint64_t retry_us_;
  ConnectionPtr connection_;
  bool running_ = false, bound_ = false, attempting_ = false;
  std::shared_ptr<const bool> lasts_ = std::make_shared<const bool>(true);
};

class Listener final : public NodeLink {
 public:
  Listener(Schedule& schedule, ProcessPtr process, Line& line, LuSessionHandler handler)
      : schedule_(schedule), line_(line), handler_(std::move(handler)), process_(std::move(process)) {}
  ~Listener() override { stop(); }

  Status start() override {
    line_.listen(process_, [this](const ConnectionPtr& connection) {
      arrived_.push_back(std::make_unique<Arrived>(*this, connection));
      return arrived_.back().get();
    });
    return Status::ok();
  }
  void stop() override {
    line_.stop_listening(process_);
    lasts_.reset();
    for (auto& each : arrived_) each->leave();
    bound_ = nullptr;
  }
  bool up() const override { return bound_ != nullptr; }
  void send(EncodedMessage message) override {
    Arrived* to = bound_ != nullptr ? bound_ : binding_;
    if (to == nullptr || !to->connection) return;
    if (to == binding_)
      behind_answer_.push_back(std::move(message));
    else
      line_.send(to->connection, 1, FrameKind::kMessage, std::move(message));
  }
  std::size_t queued_bytes() const override {
    return bound_ != nullptr && bound_->connection ? bound_->connection->side[1].queued_bytes : 0;
  }
  void drop(const std::string& reason) override {
    if (bound_ == nullptr) return;
    std::exchange(bound_, nullptr)->leave();
    schedule_.after(0, process_, [this, lasts = std::weak_ptr(lasts_), reason] {
      if (!lasts.expired() && handler_.on_down) handler_.on_down(reason);
    });
  }
  std::uint16_t port() const override { return 1; }

 private:
  struct Arrived final : LineEnd {
    Arrived(Listener& of, ConnectionPtr on) : owner(of), connection(std::move(on)) {}
    void frame(FrameKind kind, std::vector<std::uint8_t>&& bytes) override {
      if (connection) owner.take(*this, kind, std::move(bytes));
    }
    void drained() override {
      if (owner.bound_ == this && owner.handler_.on_drained) owner.handler_.on_drained();
    }
    void closed(const std::string& reason) override {
      connection.reset();
      if (owner.bound_ != this) return;
      owner.bound_ = nullptr;
      if (owner.handler_.on_down) owner.handler_.on_down(reason);
    }
    void leave() {
      if (connection) owner.line_.close(connection, 1);
      connection.reset();
    }
    Listener& owner;
    ConnectionPtr connection;
  };

  void take(Arrived& from, FrameKind kind, std::vector<std::uint8_t>&& bytes) {
    if (kind == FrameKind::kMessage) {
      if (&from == bound_ && handler_.on_message) handler_.on_message(std::move(bytes));
      return;
    }
    if (kind != FrameKind::kBind || &from == bound_) return;
    const auto request = decode_bind_request(bytes);
    if (!request.good()) return from.leave();
    if (bound_ != nullptr) {  // the same peer again: the old connection is one it has forgotten
      std::exchange(bound_, nullptr)->leave();
      if (handler_.on_down) handler_.on_down("The peer connected again.");
      if (lasts_ == nullptr) return;
    }
    binding_ = &from;
    const BindResponse response = handler_.on_bind(request.value);
    binding_ = nullptr;
    if (!from.connection) return;
    line_.send(from.connection, 1, FrameKind::kBindAnswer, whole(encode(response)));
    if (!response.accepted) {
      behind_answer_.clear();
      if (handler_.on_refused) handler_.on_refused(response.reason);
      return;  // the peer closes when it has read why
    }
    bound_ = &from;
    for (auto& message : std::exchange(behind_answer_, {})) line_.send(from.connection, 1, FrameKind::kMessage, std::move(message));
  }

  Schedule& schedule_;
  Line& line_;
  LuSessionHandler handler_;
  ProcessPtr process_;
  std::vector<std::unique_ptr<Arrived>> arrived_;
  Arrived* bound_ = nullptr;
  Arrived* binding_ = nullptr;
  std::vector<EncodedMessage> behind_answer_;
  std::shared_ptr<const bool> lasts_ = std::make_shared<const bool>(true);
};

}  // namespace

std::unique_ptr<NodeLink> make_connector(Schedule& schedule, ProcessPtr process, Line& line, LuSessionHandler handler,
                                         std::function<BindRequest()> make_bind) {
  return std::make_unique<Connector>(schedule, std::move(process), line, std::move(handler), std::move(make_bind));
}

std::unique_ptr<NodeLink> make_listener(Schedule& schedule, ProcessPtr process, Line& line, LuSessionHandler handler) {
  return std::make_unique<Listener>(schedule, std::move(process), line, std::move(handler));
}

}  // namespace afterimage::sim
