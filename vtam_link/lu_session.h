// io: an LU-LU session on TLS 1.3 over TCP, both sides with certificates, the peer's LU name bound to its certificate (the
// subjectAltName URI `lu:NETID.NAME`, else refused). Frames are length-prefixed: BIND first, then messages (docs/FORMATS.md).
// After a cut the connector connects again and binds; what is sent again is the owner's matter (A15: outage, then delivery in order).
//
// Threads: all calls and callbacks on the io_context's one thread; the io_context outlives the connector and the listener.
// Any call, the destructor included, may be made inside any callback. After stop() or the destructor no callback comes.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "vtam_link/lu_types.h"

namespace afterimage {

// Times of the link; the defaults are the product's, tests take shorter ones.
struct LinkTimes {
  std::uint32_t handshake_ms = 10000;      // TCP connect, TLS and BIND together
  std::uint32_t first_retry_ms = 200;      // after a session went down; doubled up to ...
  std::uint32_t last_retry_ms = 5000;      // ... this, and back to the first after an accepted BIND
  std::uint32_t linger_ms = 1000;          // for a refused peer to read why
  std::uint32_t refusal_report_ms = 1000;  // on_refused at most this often; what was left out is counted in the next
};

// Connects again and again (with back-off) until stop(); keeps one session at a time.
class LuConnector {
 public:
  // `make_bind` is called when the peer has shown its certificate. local_lu and peer.lu are NAME or NETID.NAME.
  LuConnector(boost::asio::io_context& io, TlsFiles files, std::string local_lu, LuAddress peer, LuSessionHandler handler,
              std::function<BindRequest()> make_bind, LinkTimes times = {});
  ~LuConnector();
  LuConnector(const LuConnector&) = delete;
  LuConnector& operator=(const LuConnector&) = delete;
  // Bad names or addresses: one sentence, and nothing is started. Certificate files that cannot be used are told in on_unusable and tried
  // again like a peer that does not answer. Returns at once; connecting goes on in callbacks.
  Status start();
  void stop();
  bool up() const;  // the bind was accepted and the session is not going down
  // Queues a message; dropped silently unless up(). The pieces stay valid until on_drained or on_down; `keep_alive` is held until then, and
  // is the way to keep them valid across stop() (which may leave one write behind until the io_context has run).
  void send(EncodedMessage message, std::shared_ptr<void> keep_alive = {});
  std::size_t queued_bytes() const;  // not yet handed to TCP
  // Closes the session and tries again. on_down comes with this reason, later, from the io_context. Nothing if there is none.
  void drop(const std::string& reason);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Listens; accepts sessions from the one configured peer LU; a second connection of the same peer replaces the first (on_down, then
// on_bind). An unknown peer costs a bounded number of connections, each of bounded memory and time.
class LuListener {
 public:
  LuListener(boost::asio::io_context& io, TlsFiles files, LuAddress local, std::string peer_lu, LuSessionHandler handler,
             LinkTimes times = {});
  ~LuListener();
  LuListener(const LuListener&) = delete;
  LuListener& operator=(const LuListener&) = delete;
  // Listens when it returns good; else one sentence. With certificate files that cannot be used it listens too, tells them in on_unusable,
  // and closes what connects until they can.
  Status start();
  void stop();
  bool up() const;
  std::uint16_t port() const;                                                // the real one when configured as 0; 0 before start()
  void send(EncodedMessage message, std::shared_ptr<void> keep_alive = {});  // as LuConnector::send; also inside on_bind
  std::size_t queued_bytes() const;
  void drop(const std::string& reason);  // as LuConnector::drop; the peer may connect again

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace afterimage
