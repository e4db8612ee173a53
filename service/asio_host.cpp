// io: see asio_host.h.
#include "service/asio_host.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "serializer/clock.h"
#include "service/worker.h"

namespace afterimage {

namespace {

class ThreadWorker final : public NodeWorker {
 public:
  explicit ThreadWorker(boost::asio::io_context& io) : worker_(io) {}
  void submit(std::function<void()> work, std::function<void()> done) override { worker_.submit(std::move(work), std::move(done)); }
  std::size_t backlog() const override { return worker_.backlog(); }
  void drain() override { worker_.drain(); }

 private:
  Worker worker_;
};

class ConnectorLink final : public NodeLink {
 public:
  template <typename... Arguments>
  explicit ConnectorLink(Arguments&&... arguments) : connector_(std::forward<Arguments>(arguments)...) {}
  Status start() override { return connector_.start(); }
  void stop() override { connector_.stop(); }
  bool up() const override { return connector_.up(); }
  void send(EncodedMessage message) override { connector_.send(std::move(message)); }
  std::size_t queued_bytes() const override { return connector_.queued_bytes(); }
  void drop(const std::string& reason) override { connector_.drop(reason); }
  std::uint16_t port() const override { return 0; }

 private:
  LuConnector connector_;
};

class ListenerLink final : public NodeLink {
 public:
  template <typename... Arguments>
  explicit ListenerLink(Arguments&&... arguments) : listener_(std::forward<Arguments>(arguments)...) {}
  Status start() override { return listener_.start(); }
  void stop() override { listener_.stop(); }
  bool up() const override { return listener_.up(); }
  void send(EncodedMessage message) override { listener_.send(std::move(message)); }
  std::size_t queued_bytes() const override { return listener_.queued_bytes(); }
  void drop(const std::string& reason) override { listener_.drop(reason); }
  std::uint16_t port() const override { return listener_.port(); }

 private:
  LuListener listener_;
};

}  // namespace

Tod AsioHost::now() { return clock_tod(); }
std::uint64_t AsioHost::monotonic_us() { return afterimage::monotonic_us(); }
void AsioHost::post(std::function<void()> then) { boost::asio::post(io_, std::move(then)); }

void AsioHost::after(std::uint64_t delay_us, std::function<void()> then) {
  auto timer = std::make_unique<boost::asio::steady_timer>(io_, std::chrono::microseconds(delay_us));
  auto& waits = *timer;
  waits.async_wait([timer = std::move(timer), then = std::move(then)](const boost::system::error_code& error) {
    if (!error) then();
  });
}

std::unique_ptr<NodeWorker> AsioHost::make_worker() { return std::make_unique<ThreadWorker>(io_); }

std::unique_ptr<NodeLink> AsioHost::connect(const TlsFiles& files, const std::string& local_lu, const LuAddress& peer,
                                            LuSessionHandler handler, std::function<BindRequest()> make_bind) {
  return std::make_unique<ConnectorLink>(io_, files, local_lu, peer, std::move(handler), std::move(make_bind), times_);
}

std::unique_ptr<NodeLink> AsioHost::listen(const TlsFiles& files, const LuAddress& local, const std::string& peer_lu,
                                           LuSessionHandler handler) {
  return std::make_unique<ListenerLink>(io_, files, local, peer_lu, std::move(handler), times_);
}

}  // namespace afterimage
