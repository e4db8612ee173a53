// io: the side that listens: one bound session of the one configured peer; unknown peers are kept few, small and short.
#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "serializer/clock.h"
#include "vtam_link/connection_reason.h"
#include "vtam_link/lu_stream.h"
#include "vtam_link/names.h"
#include "vtam_link/refusal_report.h"
#include "vtam_link/tls_files.h"

namespace afterimage {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMaxUnboundStreams = 8;   // connections whose peer is not yet known; one more pushes out the oldest
constexpr std::uint32_t kAcceptRetry_ms = 100;  // after accept failed, for example because file descriptors ran out

EncodedMessage encoded_response(const BindResponse& response) {
  EncodedMessage message;
  message.head = encode(response);
  message.pieces = {message.head};
  message.total_bytes = message.head.size();
  return message;
}

}  // namespace

struct LuListener::Impl final : LuStreamOwner, std::enable_shared_from_this<LuListener::Impl> {
  using StreamPtr = std::shared_ptr<LuStream>;
  using Tcp = asio::ip::tcp;

  Impl(asio::io_context& io_, TlsFiles files_, LuAddress local_, std::string peer_lu_, LuSessionHandler handler_, LinkTimes times_)
      : io(io_),
        own(std::move(files_), local_.lu),
        local(std::move(local_)),
        peer_lu(std::move(peer_lu_)),
        handler(std::move(handler_)),
        times(times_),
        acceptor(io_),
        accept_retry(io_),
        refusals(times_.refusal_report_ms) {}

  Status start();
  Status listen();
  void accept_next();
  void stop();
  void take_connection(Tcp::socket socket);
  void tell_unusable(const std::string& reason);
  void take_bind(const StreamPtr& from, std::vector<std::uint8_t>&& bytes);
  void answer_candidate();
  void refuse_bind(const StreamPtr& from, BindResponse response);
  void report_refusal(const std::string& reason);

  void stream_ready(const StreamPtr&) override {}
  void stream_frame(const StreamPtr& from, FrameType type, std::vector<std::uint8_t>&& bytes) override;
  void stream_drained(const StreamPtr& from) override;
  void stream_closed(const StreamPtr& from, const std::string& reason) override;

  bool is_unbound(const StreamPtr& from) const { return std::find(unbound.begin(), unbound.end(), from) != unbound.end(); }

  asio::io_context& io;
  OwnCertificate own;
  LuAddress local;
  std::string peer_lu;
  LuSessionHandler handler;
  LinkTimes times;
  Tcp::acceptor acceptor;
  asio::steady_timer accept_retry;
  RefusalReport refusals;
  std::vector<StreamPtr> unbound;  // oldest first
  StreamPtr session;               // the bound one, until it is closed
  StreamPtr candidate;             // has sent a good BIND; waits until the session before it is closed
  BindRequest candidate_bind;
  bool running = false, answering = false;
  std::vector<std::pair<EncodedMessage, std::shared_ptr<void>>> behind_answer;  // given to send() inside on_bind
};

Status LuListener::Impl::start() {
  if (running) return Status::error("LU " + local.lu + " is listening already.");
  if (!is_lu_name(local.lu)) return Status::error("'" + local.lu + "' is not an LU name; write NETID.NAME, each 1 to 8 of A-Z 0-9 @ # $.");
  if (!is_lu_name(peer_lu)) return Status::error("'" + peer_lu + "' is not an LU name; write NETID.NAME, each 1 to 8 of A-Z 0-9 @ # $.");
  Status status = listen();
  if (!status.good()) return status;
  running = true;
  if (!own.load()) tell_unusable(own.take_news());
  accept_next();
  return Status::ok();
}

Status LuListener::Impl::listen() {
  boost::system::error_code error;
  Tcp::endpoint endpoint(asio::ip::make_address(local.host, error), local.port);
  if (error) {
    const auto found = Tcp::resolver(io).resolve(local.host, std::to_string(local.port), Tcp::resolver::passive, error);
    if (error || found.empty()) {
      return Status::error("LU " + local.lu + " cannot listen: the host '" + local.host +
                           "' is not known; give an address of this machine.");
    }
    endpoint = found.begin()->endpoint();
  }
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) return Status::ok();
  const std::string why = error.message();
  acceptor.close(error);
  return Status::error("LU " + local.lu + " cannot listen on " + endpoint_text(endpoint) + ": " + why +
                       "; choose another address or port, or end what uses it.");
}

void LuListener::Impl::accept_next() {
  acceptor.async_accept([weak = weak_from_this()](const boost::system::error_code& error, Tcp::socket socket) {
    const auto self = weak.lock();
    if (!self || !self->running || error == asio::error::operation_aborted) return;
    if (!error) {
      self->take_connection(std::move(socket));
      if (self->running) self->accept_next();
      return;
    }
    self->report_refusal("LU " + self->local.lu + " could not accept a connection: " + error.message() + ".");
    if (!self->running) return;
    self->accept_retry.expires_after(std::chrono::milliseconds(kAcceptRetry_ms));
    self->accept_retry.async_wait([weak](const boost::system::error_code& cancelled) {
      const auto again = weak.lock();
      if (!cancelled && again && again->running) again->accept_next();
    });
  });
}

// Later, because start() looks at the files too.
void LuListener::Impl::tell_unusable(const std::string& reason) {
  if (reason.empty()) return;
  asio::post(io, [weak = weak_from_this(), reason] {
    const auto self = weak.lock();
    if (self && self->running && self->handler.on_unusable) self->handler.on_unusable(reason);
  });
}

void LuListener::Impl::take_connection(Tcp::socket socket) {
  const TlsContext context = own.load();
  if (!context) return tell_unusable(own.take_news());
  if (unbound.size() >= kMaxUnboundStreams) {
    const StreamPtr oldest = unbound.front();
    unbound.erase(unbound.begin());
    oldest->abandon();
    report_refusal("Too many connections to LU " + local.lu + " are unfinished; the oldest, of " + oldest->peer() + ", was closed.");
    if (!running) return;
  }
  unbound.push_back(std::make_shared<LuStream>(io, context, weak_from_this(), peer_lu, times));
  unbound.back()->accept(std::move(socket));
}

void LuListener::Impl::stop() {
  running = false;
  boost::system::error_code ignored;
  acceptor.close(ignored);
  accept_retry.cancel();
  for (const StreamPtr& stream : unbound) stream->abandon();
  unbound.clear();
  if (candidate) candidate->abandon();
  if (session) session->abandon();
  candidate.reset();
  session.reset();
  behind_answer.clear();
}

void LuListener::Impl::report_refusal(const std::string& reason) {
  const auto text = refusals.refused(monotonic_us() / 1000, reason);
  if (text && handler.on_refused) handler.on_refused(*text);
}

void LuListener::Impl::stream_frame(const StreamPtr& from, FrameType type, std::vector<std::uint8_t>&& bytes) {
  if (!running || !from->open()) return;
  const bool is_session = from == session;
  if (type != (is_session ? FrameType::kMessage : FrameType::kBindRequest) || from == candidate) {
    return from->close("The peer " + from->peer() + " broke the rules of the link: a frame out of turn.");
  }
  if (!is_session) return take_bind(from, std::move(bytes));
  if (handler.on_message) handler.on_message(std::move(bytes));
}

void LuListener::Impl::take_bind(const StreamPtr& from, std::vector<std::uint8_t>&& bytes) {
  BindResponse refusal;
  refusal.product_version = AFTERIMAGE_VERSION;
  auto bind = decode_bind_request(bytes);
  if (!bind.good()) {
    refusal.reason = bind.status.text();
    return refuse_bind(from, std::move(refusal));
  }
  if (bind.value.origin_lu != peer_lu || bind.value.destination_lu != local.lu) {
    refusal.reason = "The BIND is from LU " + bind.value.origin_lu + " to LU " + bind.value.destination_lu + "; LU " + local.lu +
                     " expects one from LU " + peer_lu + ".";
    return refuse_bind(from, std::move(refusal));
  }
  unbound.erase(std::find(unbound.begin(), unbound.end(), from));
  if (candidate) candidate->abandon();
  candidate = from;
  candidate_bind = std::move(bind.value);
  if (!session) return answer_candidate();
  session->close("A new connection of " + from->peer() + " replaced this one.");
}

void LuListener::Impl::answer_candidate() {
  const StreamPtr from = std::move(candidate);
  candidate.reset();
  BindResponse response;
  response.product_version = AFTERIMAGE_VERSION;
  response.reason = "LU " + local.lu + " takes no sessions.";
  answering = true;
  behind_answer.clear();
  if (handler.on_bind) response = handler.on_bind(candidate_bind);
  answering = false;
  if (!running) return from->abandon();
  if (!response.accepted) {
    behind_answer.clear();
    unbound.push_back(from);  // its end is told as a refusal
    return refuse_bind(from, std::move(response));
  }
  session = from;
  from->set_bound();
  from->send(FrameType::kBindResponse, encoded_response(response), {});
  for (auto& [message, keep_alive] : behind_answer) from->send(FrameType::kMessage, std::move(message), std::move(keep_alive));
  behind_answer.clear();
}

void LuListener::Impl::refuse_bind(const StreamPtr& from, BindResponse response) {
  response.accepted = false;
  from->send(FrameType::kBindResponse, encoded_response(response), {});
  from->close_after_sending("The BIND of " + from->peer() + " was refused: " + response.reason);
}

void LuListener::Impl::stream_drained(const StreamPtr& from) {
  if (running && from == session && from->open() && handler.on_drained) handler.on_drained();
}

void LuListener::Impl::stream_closed(const StreamPtr& from, const std::string& reason) {
  if (!running) return;
  if (from == session) {
    session.reset();
    if (handler.on_down) handler.on_down(reason);
    if (running && candidate && candidate->open() && !session) answer_candidate();
    return;
  }
  if (from == candidate) candidate.reset();
  if (is_unbound(from)) unbound.erase(std::find(unbound.begin(), unbound.end(), from));
  report_refusal(reason);
}

LuListener::LuListener(asio::io_context& io, TlsFiles files, LuAddress local, std::string peer_lu, LuSessionHandler handler,
                       LinkTimes times)
    : impl_(std::make_shared<Impl>(io, std::move(files), std::move(local), std::move(peer_lu), std::move(handler), times)) {}
LuListener::~LuListener() { stop(); }
Status LuListener::start() { return impl_->start(); }
void LuListener::stop() { impl_->stop(); }
bool LuListener::up() const { return impl_->session && impl_->session->open(); }
std::uint16_t LuListener::port() const {
  boost::system::error_code error;
  const auto endpoint = impl_->acceptor.local_endpoint(error);
  return error ? std::uint16_t{0} : endpoint.port();
}
void LuListener::send(EncodedMessage message, std::shared_ptr<void> keep_alive) {
  if (impl_->answering) {
    impl_->behind_answer.emplace_back(std::move(message), std::move(keep_alive));
  } else if (up()) {
    impl_->session->send(FrameType::kMessage, std::move(message), std::move(keep_alive));
  }
}
std::size_t LuListener::queued_bytes() const { return impl_->session ? impl_->session->queued_bytes() : 0; }
void LuListener::drop(const std::string& reason) {
  if (impl_->session) impl_->session->close(reason);
}

}  // namespace afterimage
