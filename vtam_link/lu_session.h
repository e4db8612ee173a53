// io: an LU-LU session on TLS 1.3 over TCP, both sides with certificates, the peer's LU name bound to its certificate (the
// subjectAltName URI `lu:NETID.NAME`, else refused). Frames are length-prefixed: BIND first, then messages.
// Threads: all calls and callbacks on the io_context's one thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "vtam_link/bind.h"

namespace afterimage {

struct TlsFiles {
  std::string certificate, key, authority;
};  // PEM paths
struct LuAddress {
  std::string lu, host;
  std::uint16_t port = 0;
};

class LuSession;  // one established or establishing connection

// What the owner is told. Every text is a whole sentence.
struct LuSessionHandler {
  // listener side: answer a bind; accepted sessions then get messages.
  std::function<BindResponse(const BindRequest&)> on_bind;
  // connector side: the answer came (also when refused; the session is closed after a refusal).
  std::function<void(const BindResponse&)> on_bound;
  std::function<void(std::vector<std::uint8_t>&&)> on_message;  // one whole encoded message (M0 and body)
  std::function<void(const std::string& reason)> on_down;       // exactly once per session that was up or being set up
  std::function<void()> on_drained;                             // everything queued by send() was handed to TCP
};

// Connects again and again (with back-off) until stop(); keeps one session at a time.
class LuConnector {
 public:
  LuConnector(boost::asio::io_context& io, TlsFiles files, std::string local_lu, LuAddress peer, LuSessionHandler handler,
              std::function<BindRequest()> make_bind);
  ~LuConnector();
  Status start();  // bad certificate files, names: one sentence, at once
  void stop();
  bool up() const;
  void send(EncodedMessage message, std::shared_ptr<void> keep_alive = {});  // pieces stay valid until drained or down
  std::size_t queued_bytes() const;
  void drop(const std::string& reason);  // close and try again
 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Listens; accepts sessions from the one configured peer LU; a second connection of the same peer replaces the first.
class LuListener {
 public:
  LuListener(boost::asio::io_context& io, TlsFiles files, LuAddress local, std::string peer_lu, LuSessionHandler handler);
  ~LuListener();
  Status start();
  void stop();
  bool up() const;
  std::uint16_t port() const;  // the real one when configured as 0
  void send(EncodedMessage message, std::shared_ptr<void> keep_alive = {});
  std::size_t queued_bytes() const;
  void drop(const std::string& reason);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace afterimage
