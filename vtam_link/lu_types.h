// What an LU-LU session is made of, for whoever uses one: addresses, the files of its certificate, and what its owner is told. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "vtam_link/bind.h"

namespace afterimage {

struct TlsFiles {
  std::string certificate, key, authority;  // PEM paths
};
struct LuAddress {
  std::string lu, host;  // host: a numeric address or a name; it is never compared with the certificate
  std::uint16_t port = 0;
};

// What the owner is told. Every text is a whole sentence. Functions may be left empty.
struct LuSessionHandler {
  // listener side: answer a bind; accepted sessions then get messages. send() may already be called inside: it goes behind the answer.
  std::function<BindResponse(const BindRequest&)> on_bind;
  // connector side: the answer came (also when refused; the session is closed after a refusal).
  std::function<void(const BindResponse&)> on_bound;
  std::function<void(std::vector<std::uint8_t>&&)> on_message;  // one whole encoded message (M0 and body), not yet decoded
  // Exactly once per session that was up or being set up. Connector: for every attempt, a refused or failed one too. Listener: for every
  // session whose bind was accepted. Nothing refers to the pieces given to send() any more.
  std::function<void(const std::string& reason)> on_down;
  std::function<void()> on_drained;  // everything queued by send() was handed to TCP
  // listener side: a connection was turned away before it was bound (no TLS, wrong certificate or LU, refused BIND ...). Rate-limited.
  std::function<void(const std::string& reason)> on_refused;
  // This LU's own certificate, key or authority cannot be used now. They are read anew for every connection, so that a file put right, or a
  // clock, needs no command; told once for each reason, and again only when they have been of use meanwhile.
  std::function<void(const std::string& reason)> on_unusable;
};

}  // namespace afterimage
