// io: one TLS connection between two LUs, from its making to its end: handshake with deadline, peer's LU checked, frames both ways.
// The connector and the listener own streams; they know what a BIND is, the stream does not.
// Threads: the io_context's one thread.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "vtam_link/frame_reader.h"
#include "vtam_link/lu_session.h"
#include "vtam_link/send_queue.h"

namespace afterimage {

class LuStream;

// Called from the io_context only, never inside a call to the stream. None comes after stream_closed, nor after LuStream::abandon().
class LuStreamOwner {
 public:
  virtual ~LuStreamOwner() = default;
  virtual void stream_ready(const std::shared_ptr<LuStream>& stream) = 0;  // TLS is up as far as this side knows
  virtual void stream_frame(const std::shared_ptr<LuStream>& stream, FrameType type, std::vector<std::uint8_t>&& bytes) = 0;
  virtual void stream_drained(const std::shared_ptr<LuStream>& stream) = 0;
  virtual void stream_closed(const std::shared_ptr<LuStream>& stream, const std::string& reason) = 0;
};

class LuStream : public std::enable_shared_from_this<LuStream> {
 public:
  using Tcp = boost::asio::ip::tcp;

  // `context` is shared: it is in use as long as the stream.
  LuStream(boost::asio::io_context& io, std::shared_ptr<boost::asio::ssl::context> context, std::weak_ptr<LuStreamOwner> owner,
           std::string peer_lu, LinkTimes times);
  // Either one is called once. connect: resolves, connects, handshakes. accept: handshakes on an accepted socket.
  void connect(const std::string& host, std::uint16_t port);
  void accept(Tcp::socket socket);

  void set_bound();  // both sides are bound: no deadline any more, frames may have the size of messages
  void send(FrameType type, EncodedMessage message, std::shared_ptr<void> keep_alive);
  std::size_t queued_bytes() const { return queue_.bytes(); }
  // Ends it; stream_closed comes with this reason once no operation is under way. The first reason counts.
  void close(const std::string& reason);
  // As close(), but first what is queued is sent and the peer given `linger_ms` to read it and close.
  void close_after_sending(const std::string& reason);
  // Ends it silently.
  void abandon();
  bool open() const { return phase_ == Phase::kSettingUp || phase_ == Phase::kOpen; }
  const std::string& peer() const { return peer_; }  // for messages: "SITEB.DSMLU at 127.0.0.1:7001"

 private:
  enum class Phase { kSettingUp, kOpen, kLingering, kClosing, kClosed };
  using Error = boost::system::error_code;

  void start_deadline();
  void connect_to(const Tcp::resolver::results_type& endpoints);
  void prepare_socket();
  void handshake(boost::asio::ssl::stream_base::handshake_type role);
  bool check_certificate(bool chain_is_good, boost::asio::ssl::verify_context& verify);
  void handshake_done(const Error& error);
  void read_next();
  void write_next();
  void fail(const Error& error);
  void linger();
  void discard();
  void close_socket();
  void finish_if_idle();
  // Every completion handler begins with it: counts the operation as done; false when the stream is at its end.
  bool operation_done();

  boost::asio::io_context& io_;
  std::shared_ptr<boost::asio::ssl::context> context_;
  boost::asio::ssl::stream<Tcp::socket> stream_;
  Tcp::resolver resolver_;
  boost::asio::steady_timer deadline_;
  std::weak_ptr<LuStreamOwner> owner_;
  LinkTimes times_;
  std::string peer_lu_, peer_, reason_, verify_reason_;
  Phase phase_ = Phase::kSettingUp;
  unsigned operations_ = 0;  // under way; stream_closed waits for them
  bool writing_ = false, bound_ = false, closing_after_sending_ = false;
  SendQueue queue_;
  FrameReader reader_{FrameType::kBindRequest};
  std::array<std::uint8_t, 512> discarded_{};
};

}  // namespace afterimage
