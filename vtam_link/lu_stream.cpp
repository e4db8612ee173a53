// io: one TLS connection between two LUs.
#include "vtam_link/lu_stream.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "vtam_link/connection_reason.h"
#include "vtam_link/tls_files.h"

namespace afterimage {

namespace asio = boost::asio;

LuStream::LuStream(asio::io_context& io, std::shared_ptr<asio::ssl::context> context, std::weak_ptr<LuStreamOwner> owner,
                   std::string peer_lu, LinkTimes times)
    : io_(io),
      context_(std::move(context)),
      stream_(io, *context_),
      resolver_(io),
      deadline_(io),
      owner_(std::move(owner)),
      times_(times),
      peer_lu_(std::move(peer_lu)) {}

bool LuStream::operation_done() {
  --operations_;
  if (open()) return true;
  finish_if_idle();
  return false;
}

void LuStream::start_deadline() {
  deadline_.expires_after(std::chrono::milliseconds(times_.handshake_ms));
  deadline_.async_wait([self = shared_from_this()](const Error& error) {
    if (error || self->bound_) return;
    self->close("The peer at " + self->peer_ + " did not complete the handshake within " + std::to_string(self->times_.handshake_ms) +
                " ms.");
  });
}

void LuStream::connect(const std::string& host, std::uint16_t port) {
  peer_ = endpoint_text(host, port);
  reader_ = FrameReader(FrameType::kBindResponse);
  start_deadline();
  Error not_numeric;
  const auto address = asio::ip::make_address(host, not_numeric);
  if (!not_numeric) {
    connect_to(Tcp::resolver::results_type::create(Tcp::endpoint(address, port), host, std::to_string(port)));
    return;
  }
  ++operations_;
  resolver_.async_resolve(host, std::to_string(port), [self = shared_from_this()](const Error& error, const auto& endpoints) {
    if (!self->operation_done()) return;
    if (error) return self->fail(error);
    self->connect_to(endpoints);
  });
}

void LuStream::connect_to(const Tcp::resolver::results_type& endpoints) {
  ++operations_;
  asio::async_connect(stream_.next_layer(), endpoints, [self = shared_from_this()](const Error& error, const Tcp::endpoint&) {
    if (!self->operation_done()) return;
    if (error) return self->fail(error);
    self->prepare_socket();
    self->handshake(asio::ssl::stream_base::client);
  });
}

void LuStream::accept(Tcp::socket socket) {
  Error gone;
  const auto endpoint = socket.remote_endpoint(gone);
  peer_ = gone ? "an address that is gone" : endpoint_text(endpoint);
  stream_.next_layer() = std::move(socket);
  start_deadline();
  prepare_socket();
  handshake(asio::ssl::stream_base::server);
}

void LuStream::prepare_socket() {
  Error ignored;  // a socket that is already dead says so at the next read
  stream_.next_layer().set_option(Tcp::no_delay(true), ignored);
  stream_.next_layer().set_option(asio::socket_base::keep_alive(true), ignored);
  const auto set = [this](int option, int value) {
    ::setsockopt(stream_.next_layer().native_handle(), IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_KEEPIDLE, 10);  // seconds: a host that vanished is noticed within about half a minute even when nothing is sent
  set(TCP_KEEPINTVL, 5);
  set(TCP_KEEPCNT, 3);
  // Nothing is probed while data is unacknowledged: TCP would send that again for a quarter of an hour before it gives up.
  set(TCP_USER_TIMEOUT, 25000);  // milliseconds: as long as the probes above take
}

void LuStream::handshake(asio::ssl::stream_base::handshake_type role) {
  // The callback lives inside the stream, so it holds no reference to it.
  stream_.set_verify_callback([this](bool good, asio::ssl::verify_context& verify) { return check_certificate(good, verify); });
  ++operations_;
  stream_.async_handshake(role, [self = shared_from_this()](const Error& error) {
    if (!self->operation_done()) return;
    self->handshake_done(error);
  });
}

bool LuStream::check_certificate(bool chain_is_good, asio::ssl::verify_context& verify) {
  X509_STORE_CTX* store = verify.native_handle();
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  if (!chain_is_good) {
    const int error = X509_STORE_CTX_get_error(store);
    if (error == X509_V_ERR_CERT_HAS_EXPIRED && certificate != nullptr) {
      verify_reason_ = "The certificate of the peer at " + peer_ + " (" + lu_names_text(lu_names_of(certificate)) + ") expired at " +
                       asn1_time_text(X509_get0_notAfter(certificate)) + "; replace it at the peer.";
    } else if (error == X509_V_ERR_CERT_NOT_YET_VALID && certificate != nullptr) {
      verify_reason_ = "The certificate of the peer at " + peer_ + " is valid only from " +
                       asn1_time_text(X509_get0_notBefore(certificate)) + "; check the clocks of both sites.";
    } else if (error == X509_V_ERR_INVALID_PURPOSE) {
      verify_reason_ = "The certificate of the peer at " + peer_ + " is not meant for this use; make one for serverAuth and clientAuth.";
    } else {
      verify_reason_ =
          "The peer's certificate is not signed by the configured authority (" + peer_ + ": " + X509_verify_cert_error_string(error) + ").";
    }
    return false;
  }
  if (X509_STORE_CTX_get_error_depth(store) != 0) return true;
  const std::vector<std::string> names = lu_names_of(certificate);
  if (std::find(names.begin(), names.end(), peer_lu_) != names.end()) return true;
  verify_reason_ = "The certificate of the peer names " + lu_names_text(names) + ", " + peer_lu_ + " is expected (" + peer_ + ").";
  X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);  // so that the peer gets a certificate alert
  return false;
}

void LuStream::handshake_done(const Error& error) {
  if (error) {
    reason_ = connection_reason(error, peer_, verify_reason_);
    linger();  // closing at once with unread bytes would take the alert from the peer
    return;
  }
  peer_ = peer_lu_ + " at " + peer_;
  phase_ = Phase::kOpen;
  if (const auto owner = owner_.lock()) owner->stream_ready(shared_from_this());
  if (phase_ == Phase::kOpen) read_next();
}

void LuStream::set_bound() {
  bound_ = true;
  reader_.set_bound();
  deadline_.cancel();
}

void LuStream::read_next() {
  const auto wanted = reader_.wanted();
  ++operations_;
  asio::async_read(stream_, asio::buffer(wanted.data(), wanted.size()), [self = shared_from_this()](const Error& error, std::size_t) {
    if (!self->operation_done()) return;
    if (error) return self->fail(error);
    auto frame = self->reader_.filled();
    if (!frame.good()) return self->close("The peer " + self->peer_ + " broke the rules of the link: " + frame.status.text() + ".");
    const auto owner = frame.value ? self->owner_.lock() : nullptr;
    if (owner) owner->stream_frame(self, frame.value->type, std::move(frame.value->bytes));
    if (self->phase_ == Phase::kOpen && !self->closing_after_sending_) self->read_next();
  });
}

void LuStream::send(FrameType type, EncodedMessage message, std::shared_ptr<void> keep_alive) {
  if (phase_ != Phase::kOpen || closing_after_sending_) return;
  queue_.push(type, std::move(message), std::move(keep_alive));
  write_next();
}

void LuStream::write_next() {
  if (writing_ || phase_ != Phase::kOpen) return;
  const auto bytes = queue_.next();
  if (bytes.empty()) {
    if (closing_after_sending_) linger();
    return;
  }
  writing_ = true;
  ++operations_;
  asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()), [self = shared_from_this()](const Error& error, std::size_t) {
    self->writing_ = false;
    if (!self->operation_done()) return;
    if (error) return self->fail(error);
    self->queue_.written();
    if (self->queue_.empty()) {
      if (const auto owner = self->owner_.lock()) owner->stream_drained(self);
    }
    self->write_next();
  });
}

void LuStream::fail(const Error& error) { close(connection_reason(error, peer_, verify_reason_)); }

void LuStream::close(const std::string& reason) {
  if (phase_ == Phase::kClosing || phase_ == Phase::kClosed) return;
  if (phase_ != Phase::kLingering && !closing_after_sending_) reason_ = reason;
  phase_ = Phase::kClosing;
  close_socket();
  // Posted, so that the owner is never called back inside its own call.
  ++operations_;
  asio::post(io_, [self = shared_from_this()] { self->operation_done(); });
}

void LuStream::close_after_sending(const std::string& reason) {
  if (phase_ != Phase::kOpen) return close(reason);
  reason_ = reason;
  closing_after_sending_ = true;
  write_next();
}

void LuStream::abandon() {
  owner_.reset();
  close({});
}

// The peer may still be reading what was sent: no more is sent, what it sends is thrown away, and it has a short time to close.
void LuStream::linger() {
  phase_ = Phase::kLingering;
  Error ignored;
  stream_.next_layer().shutdown(Tcp::socket::shutdown_send, ignored);
  deadline_.expires_after(std::chrono::milliseconds(times_.linger_ms));
  deadline_.async_wait([self = shared_from_this()](const Error& error) {
    if (!error) self->close({});
  });
  discard();
}

void LuStream::discard() {
  ++operations_;
  stream_.next_layer().async_read_some(asio::buffer(discarded_), [self = shared_from_this()](const Error& error, std::size_t) {
    if (error || self->phase_ != Phase::kLingering) {
      self->close({});
      self->operation_done();
      return;
    }
    --self->operations_;
    self->discard();
  });
}

void LuStream::close_socket() {
  Error ignored;
  deadline_.cancel();
  resolver_.cancel();
  stream_.next_layer().shutdown(Tcp::socket::shutdown_both, ignored);
  stream_.next_layer().close(ignored);
}

void LuStream::finish_if_idle() {
  if (operations_ != 0 || phase_ != Phase::kClosing) return;
  phase_ = Phase::kClosed;
  queue_.clear();
  if (const auto owner = owner_.lock()) owner->stream_closed(shared_from_this(), reason_);
}

}  // namespace afterimage
