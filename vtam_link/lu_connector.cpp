// io: the side that connects: one session at a time, again and again with back-off until stop().
#include <algorithm>
#include <boost/asio/post.hpp>

#include "vtam_link/connection_reason.h"
#include "vtam_link/lu_stream.h"
#include "vtam_link/names.h"
#include "vtam_link/tls_files.h"

namespace afterimage {

namespace asio = boost::asio;

struct LuConnector::Impl final : LuStreamOwner, std::enable_shared_from_this<LuConnector::Impl> {
  using StreamPtr = std::shared_ptr<LuStream>;

  Impl(asio::io_context& io_, TlsFiles files_, std::string local_lu_, LuAddress peer_, LuSessionHandler handler_,
       std::function<BindRequest()> make_bind_, LinkTimes times_)
      : io(io_),
        own(std::move(files_), local_lu_),
        local_lu(std::move(local_lu_)),
        peer(std::move(peer_)),
        handler(std::move(handler_)),
        make_bind(std::move(make_bind_)),
        times(times_),
        retry(io_),
        retry_ms(times_.first_retry_ms) {}

  Status start();
  void attempt();
  void wait_to_retry();
  void tell_unusable(const std::string& reason);
  void stop();
  void take_response(std::vector<std::uint8_t>&& bytes);

  void stream_ready(const StreamPtr& from) override;
  void stream_frame(const StreamPtr& from, FrameType type, std::vector<std::uint8_t>&& bytes) override;
  void stream_drained(const StreamPtr& from) override;
  void stream_closed(const StreamPtr& from, const std::string& reason) override;

  // False after stop() or drop(), or when the event is of an earlier stream.
  bool is_current(const StreamPtr& from) const { return running && stream == from && from->open(); }

  asio::io_context& io;
  OwnCertificate own;
  std::string local_lu;
  LuAddress peer;
  LuSessionHandler handler;
  std::function<BindRequest()> make_bind;
  LinkTimes times;
  asio::steady_timer retry;
  std::uint32_t retry_ms;
  StreamPtr stream;
  bool running = false, bound = false;
};

Status LuConnector::Impl::start() {
  if (running) return Status::error("The link from LU " + local_lu + " to " + peer.lu + " is started already.");
  if (!is_lu_name(local_lu)) return Status::error("'" + local_lu + "' is not an LU name; write NETID.NAME, each 1 to 8 of A-Z 0-9 @ # $.");
  if (!is_lu_name(peer.lu)) return Status::error("'" + peer.lu + "' is not an LU name; write NETID.NAME, each 1 to 8 of A-Z 0-9 @ # $.");
  if (peer.host.empty() || peer.port == 0) {
    return Status::error("LU " + peer.lu + " has no host or port to connect to; give both in the configuration.");
  }
  if (!make_bind) return Status::error("The link from LU " + local_lu + " to " + peer.lu + " has no BIND to send.");
  running = true;
  attempt();
  return Status::ok();
}

void LuConnector::Impl::attempt() {
  bound = false;
  const TlsContext context = own.load();
  if (!context) {
    wait_to_retry();
    return tell_unusable(own.take_news());
  }
  stream = std::make_shared<LuStream>(io, context, weak_from_this(), peer.lu, times);
  stream->connect(peer.host, peer.port);
}

void LuConnector::Impl::wait_to_retry() {
  retry.expires_after(std::chrono::milliseconds(retry_ms));
  retry_ms = std::min(2 * retry_ms, times.last_retry_ms);
  retry.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self && self->running && !self->stream) self->attempt();
  });
}

// Later, because start() makes the first attempt.
void LuConnector::Impl::tell_unusable(const std::string& reason) {
  if (reason.empty()) return;
  asio::post(io, [weak = weak_from_this(), reason] {
    const auto self = weak.lock();
    if (self && self->running && self->handler.on_unusable) self->handler.on_unusable(reason);
  });
}

void LuConnector::Impl::stop() {
  running = bound = false;
  retry.cancel();
  if (stream) stream->abandon();
  stream.reset();
}

void LuConnector::Impl::stream_ready(const StreamPtr& from) {
  if (!is_current(from)) return;
  const BindRequest bind = make_bind();
  if (!is_current(from)) return;
  EncodedMessage message;
  message.head = encode(bind);
  message.pieces = {message.head};
  message.total_bytes = message.head.size();
  from->send(FrameType::kBindRequest, std::move(message), {});
}

void LuConnector::Impl::take_response(std::vector<std::uint8_t>&& bytes) {
  const StreamPtr from = stream;
  const auto response = decode_bind_response(bytes);
  if (!response.good()) return from->close("The answer of " + from->peer() + " to the BIND cannot be used: " + response.status.text());
  if (response.value.accepted) {
    from->set_bound();
    bound = true;
    retry_ms = times.first_retry_ms;
  }
  if (handler.on_bound) handler.on_bound(response.value);
  if (response.value.accepted || !is_current(from)) return;
  from->close(from->peer() + " refused the BIND: " + response.value.reason);
}

void LuConnector::Impl::stream_frame(const StreamPtr& from, FrameType type, std::vector<std::uint8_t>&& bytes) {
  if (!is_current(from)) return;
  const FrameType expected = bound ? FrameType::kMessage : FrameType::kBindResponse;
  if (type != expected) return from->close("The peer " + from->peer() + " broke the rules of the link: a frame out of turn.");
  if (!bound) return take_response(std::move(bytes));
  if (handler.on_message) handler.on_message(std::move(bytes));
}

void LuConnector::Impl::stream_drained(const StreamPtr& from) {
  if (is_current(from) && bound && handler.on_drained) handler.on_drained();
}

void LuConnector::Impl::stream_closed(const StreamPtr& from, const std::string& reason) {
  if (!running || stream != from) return;
  bound = false;
  stream.reset();
  wait_to_retry();
  if (handler.on_down) handler.on_down(reason);
}

LuConnector::LuConnector(asio::io_context& io, TlsFiles files, std::string local_lu, LuAddress peer, LuSessionHandler handler,
                         std::function<BindRequest()> make_bind, LinkTimes times)
    : impl_(std::make_shared<Impl>(io, std::move(files), std::move(local_lu), std::move(peer), std::move(handler), std::move(make_bind),
                                   times)) {}
LuConnector::~LuConnector() { stop(); }
Status LuConnector::start() { return impl_->start(); }
void LuConnector::stop() { impl_->stop(); }
bool LuConnector::up() const { return impl_->bound && impl_->stream && impl_->stream->open(); }
void LuConnector::send(EncodedMessage message, std::shared_ptr<void> keep_alive) {
  if (up()) impl_->stream->send(FrameType::kMessage, std::move(message), std::move(keep_alive));
}
std::size_t LuConnector::queued_bytes() const { return impl_->stream ? impl_->stream->queued_bytes() : 0; }
void LuConnector::drop(const std::string& reason) {
  if (impl_->stream) impl_->stream->close(reason);
}

}  // namespace afterimage
