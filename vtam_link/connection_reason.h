// io: why a connection failed, in the operator's words.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <string>

namespace afterimage {

// "127.0.0.1:7001", "[::1]:7001".
std::string endpoint_text(const std::string& host, std::uint16_t port);
std::string endpoint_text(const boost::asio::ip::tcp::endpoint& endpoint);

// A whole sentence. `peer` as it is known so far ("127.0.0.1:7001", "SITEB.DSMLU at 127.0.0.1:7001"); `verify_reason` is what the check of
// the peer's certificate said, empty if it said nothing.
std::string connection_reason(const boost::system::error_code& error, const std::string& peer, const std::string& verify_reason);

}  // namespace afterimage
