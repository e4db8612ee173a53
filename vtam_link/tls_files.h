// io: the certificate, key and authority of a local LU: loaded, checked, and made into a TLS 1.3 context that asks the peer for its own.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "serializer/status.h"
#include "vtam_link/lu_session.h"

namespace afterimage {

// For either end of a connection. Errors name the file and what to do: missing, not PEM, expired or not yet valid, for another LU, key
// encrypted or of another certificate. Never asks for a pass phrase.
Result<std::shared_ptr<boost::asio::ssl::context>> load_tls_files(const TlsFiles& files, const std::string& local_lu);

// The names in the certificate's subjectAltName URIs of the form `lu:NAME`, made safe to show.
std::vector<std::string> lu_names_of(X509* certificate);
// The same for people: "LU A", "LUs A and B", "no LU".
std::string lu_names_text(const std::vector<std::string>& names);
// "2026.326 19:41:20 UTC" style text of a certificate's date.
std::string asn1_time_text(const ASN1_TIME* time);

}  // namespace afterimage
