// Two LUs on the loopback interface for the session tests: what each side was told, and running until something has happened.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <functional>
#include <optional>

#include "vtam_link/frame.h"
#include "vtam_link/lu_session.h"
#include "vtam_link_certificates.h"
#include "vtam_link_samples.h"

namespace afterimage::samples {

inline constexpr char kLuA[] = "SITEA.DSMLU";
inline constexpr char kLuB[] = "SITEB.DSMLU";

inline LinkTimes quick_times() {
  LinkTimes times;
  times.handshake_ms = 3000;
  times.first_retry_ms = 10;
  times.last_retry_ms = 80;
  times.linger_ms = 100;
  times.refusal_report_ms = 0;
  return times;
}

// What one side was told, in order.
struct Told {
  std::vector<std::string> down, refused, unusable;
  std::vector<BindResponse> bound;
  std::vector<BindRequest> binds;
  std::vector<Bytes> messages;
  unsigned drained = 0;
  BindResponse answer;  // what on_bind gives

  Told() {
    answer.accepted = true;
    answer.product_version = "0.1.0";
    answer.epoch = 2;
  }
  LuSessionHandler handler() {
    LuSessionHandler h;
    h.on_bind = [this](const BindRequest& bind) {
      binds.push_back(bind);
      return answer;
    };
    h.on_bound = [this](const BindResponse& response) { bound.push_back(response); };
    h.on_message = [this](Bytes&& message) { messages.push_back(std::move(message)); };
    h.on_down = [this](const std::string& reason) { down.push_back(reason); };
    h.on_drained = [this] { ++drained; };
    h.on_refused = [this](const std::string& reason) { refused.push_back(reason); };
    h.on_unusable = [this](const std::string& reason) { unusable.push_back(reason); };
    return h;
  }
};

inline BindRequest bind_from_a() {
  BindRequest bind;
  bind.product_version = "0.1.0";
  bind.session = "DALLAS";
  bind.origin_lu = kLuA;
  bind.destination_lu = kLuB;
  bind.epoch = 2;
  bind.next_message = 1;
  bind.max_message_bytes = kDefaultMessageBytes;
  return bind;
}

class LinkFixture : public CppUnit::TestFixture {
 public:
  using Tcp = boost::asio::ip::tcp;

  // Making keys is slow, so all tests of the program share the certificates.
  struct Material {
    TemporaryDirectory directory;
    TestAuthority authority{directory, "good"}, other{directory, "other"};
    TlsFiles a = authority.issue_lu(kLuA), b = authority.issue_lu(kLuB), x = authority.issue_lu("SITEX.DSMLU");
  };
  static Material& material() {
    static Material made;
    return made;
  }
  void tearDown() override {  // the fixtures of all tests live to the end of the program; their sockets do not
    connector.reset();
    listener.reset();
    io.restart();
    io.poll();
  }

 protected:
  // Runs the io_context until `done` or, failing the test, `limit`. Waits for events; never spins.
  void run_until(const std::function<bool()>& done, const char* what, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    if (io.stopped()) io.restart();
    while (!done()) {
      const auto left = end - std::chrono::steady_clock::now();
      CPPUNIT_ASSERT_MESSAGE(std::string("did not happen: ") + what + told_text(), left.count() > 0);
      io.run_one_for(left);
      if (io.stopped()) {
        CPPUNIT_ASSERT_MESSAGE(std::string("nothing is left that could bring: ") + what + told_text(), done());
        io.restart();
      }
    }
  }
  // Lets everything that is due happen, for at most `limit`.
  void run_for(std::chrono::milliseconds limit) {
    if (io.stopped()) io.restart();
    io.run_for(limit);
  }
  std::string told_text() const {
    std::string text;
    for (const auto& t : a.down) text += "\n  A down: " + t;
    for (const auto& t : b.down) text += "\n  B down: " + t;
    for (const auto& t : b.refused) text += "\n  B refused: " + t;
    return text;
  }

  void listen(const LinkTimes& times = quick_times(), std::uint16_t port = 0) {
    listener.emplace(io, material().b, LuAddress{kLuB, "127.0.0.1", port}, kLuA, b.handler(), times);
    const Status status = listener->start();
    CPPUNIT_ASSERT_MESSAGE(status.text(), status.good());
    CPPUNIT_ASSERT(listener->port() != 0);
  }
  void connect(std::uint16_t port, const LinkTimes& times = quick_times()) { connect_as(material().a, kLuA, kLuB, port, times); }
  void connect_as(const TlsFiles& files, const std::string& local, const std::string& peer, std::uint16_t port,
                  const LinkTimes& times = quick_times()) {
    connector.emplace(io, files, local, LuAddress{peer, "127.0.0.1", port}, a.handler(), bind_from_a, times);
    const Status status = connector->start();
    CPPUNIT_ASSERT_MESSAGE(status.text(), status.good());
  }
  void establish() {
    listen();
    connect(listener->port());
    run_until([this] { return connector->up() && listener->up(); }, "the session is up");
  }
  static void assert_says(const std::string& text, const std::string& part) {
    CPPUNIT_ASSERT_MESSAGE("'" + text + "' should say '" + part + "'", text.find(part) != std::string::npos);
    CPPUNIT_ASSERT_EQUAL('.', text.back());
  }
  static EncodedMessage idle_message(std::uint64_t number) {
    Message message;
    message.m0 = header(ContentType::kTokenData, number);
    auto encoded_message = encode(message);
    CPPUNIT_ASSERT_MESSAGE(encoded_message.status.text(), encoded_message.good());
    return std::move(encoded_message.value);
  }

  boost::asio::io_context io{1};
  Told a, b;
  std::optional<LuListener> listener;
  std::optional<LuConnector> connector;
};

// A peer that does not follow our rules: plain TCP or TLS under the test's control. Its state outlives it while operations are under way.
class RawPeer {
 public:
  using Tcp = boost::asio::ip::tcp;
  using Tls = boost::asio::ssl::stream<Tcp::socket>;
  using Error = boost::system::error_code;

 private:
  struct State {
    explicit State(boost::asio::io_context& io_) : io(io_), context(boost::asio::ssl::context::tls) {}
    boost::asio::io_context& io;
    boost::asio::ssl::context context;
    std::optional<Tls> tls;
    std::array<std::uint8_t, 4096> buffer{};
    bool shaken = false, closed = false;
    Error handshake_error;
    Bytes received;
    std::size_t plain_bytes = 0;
  };
  std::shared_ptr<State> state_;

 public:
  explicit RawPeer(boost::asio::io_context& io) : state_(std::make_shared<State>(io)) {}
  ~RawPeer() {
    Error ignored;
    if (state_->tls) state_->tls->next_layer().close(ignored);
  }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  bool& shaken = state_->shaken;
  bool& closed = state_->closed;
  Error& handshake_error = state_->handshake_error;
  Bytes& received = state_->received;
  std::size_t& plain_bytes = state_->plain_bytes;

  // Uses these files without any check of ours.
  RawPeer& with_files(const TlsFiles& files) {
    state_->context.use_certificate_file(files.certificate, boost::asio::ssl::context::pem);
    state_->context.use_private_key_file(files.key, boost::asio::ssl::context::pem);
    return *this;
  }
  RawPeer& with_version(int version) {
    SSL_CTX_set_max_proto_version(state_->context.native_handle(), version);
    return *this;
  }
  void connect(std::uint16_t port) {
    state_->tls.emplace(state_->io, state_->context);
    state_->tls->next_layer().connect(Tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), port));
  }
  void accept_on(Tcp::acceptor& acceptor, std::function<void()> then) {
    state_->tls.emplace(state_->io, state_->context);
    acceptor.async_accept(state_->tls->next_layer(), [then, state = state_](const Error& error) {
      if (!error) then();
    });
  }
  void handshake(boost::asio::ssl::stream_base::handshake_type role) {
    state_->tls->async_handshake(role, [state = state_](const Error& error) {
      state->shaken = true;
      state->handshake_error = error;
      if (!error) read(state);
    });
  }
  void write_tls(Bytes bytes) {
    auto kept = std::make_shared<Bytes>(std::move(bytes));
    boost::asio::async_write(*state_->tls, boost::asio::buffer(*kept), [kept, state = state_](const Error&, std::size_t) {});
  }
  void write_plain(const std::string& text) {
    auto kept = std::make_shared<std::string>(text);
    boost::asio::async_write(state_->tls->next_layer(), boost::asio::buffer(*kept), [kept, state = state_](const Error&, std::size_t) {});
  }
  void watch_plain_close() { watch(state_); }

 private:
  static void watch(const std::shared_ptr<State>& state) {
    state->tls->next_layer().async_read_some(boost::asio::buffer(state->buffer), [state](const Error& error, std::size_t bytes) {
      state->plain_bytes += bytes;
      state->closed = static_cast<bool>(error);
      if (!error) watch(state);
    });
  }
  static void read(const std::shared_ptr<State>& state) {
    state->tls->async_read_some(boost::asio::buffer(state->buffer), [state](const Error& error, std::size_t bytes) {
      state->received.insert(state->received.end(), state->buffer.begin(), state->buffer.begin() + static_cast<std::ptrdiff_t>(bytes));
      state->closed = static_cast<bool>(error);
      if (!error) read(state);
    });
  }
};

inline Bytes framed(FrameType type, const Bytes& body) {
  Bytes bytes(kFrameHeadBytes);
  put_frame_head(bytes.data(), {type, static_cast<std::uint32_t>(body.size())});
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

}  // namespace afterimage::samples
