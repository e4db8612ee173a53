// io: why a connection failed, in the operator's words.
#include "vtam_link/connection_reason.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

namespace afterimage {

namespace {

// OpenSSL reports an alert of the peer as reason 1000 + the alert's number.
constexpr int kAlertBase = 1000;

bool is_certificate_alert(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

std::string tls_reason(int value, const std::string& peer, const std::string& verify_reason) {
  const unsigned long code = static_cast<unsigned int>(value);
  const int reason = ERR_GET_REASON(code);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && !verify_reason.empty()) return verify_reason;
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    return "The peer at " + peer + " showed no certificate; give it one that names its LU.";
  const char* words = ERR_reason_error_string(code);
  const std::string detail = words == nullptr ? "code " + std::to_string(reason) : words;
  if (reason >= kAlertBase && is_certificate_alert(reason - kAlertBase)) {
    return "The peer at " + peer + " did not accept the certificate of this LU (" + detail + "); its own messages say why.";
  }
  if (reason >= kAlertBase) return "The peer at " + peer + " ended the TLS session (" + detail + ").";
  return "The peer at " + peer + " does not speak TLS 1.3 as this LU expects (" + detail + "); check address and port.";
}

}  // namespace

std::string endpoint_text(const std::string& host, std::uint16_t port) {
  const bool colons = host.find(':') != std::string::npos;
  return (colons ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string endpoint_text(const boost::asio::ip::tcp::endpoint& endpoint) {
  return endpoint_text(endpoint.address().to_string(), endpoint.port());
}

std::string connection_reason(const boost::system::error_code& error, const std::string& peer, const std::string& verify_reason) {
  namespace asio = boost::asio;
  if (error.category() == asio::error::get_ssl_category()) return tls_reason(error.value(), peer, verify_reason);
  if (error == asio::error::connection_refused) {
    return "Connection refused by " + peer + "; see that the other site's LU is active and listens there.";
  }
  if (error == asio::error::host_not_found || error == asio::error::host_not_found_try_again) {
    return "The host of " + peer + " is not known; check its name.";
  }
  if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) return "The peer at " + peer + " closed the connection.";
  if (error == asio::error::connection_reset || error == asio::error::broken_pipe) return "The connection was reset by " + peer + ".";
  return "The connection with " + peer + " failed: " + error.message() + ".";
}

}  // namespace afterimage
