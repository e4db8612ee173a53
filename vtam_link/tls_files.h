// io: the certificate, key and authority of a local LU: loaded, checked, and made into a TLS 1.3 context that asks the peer for its own.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "serializer/status.h"
#include "vtam_link/lu_session.h"

namespace afterimage {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// For either end of a connection. Errors name the file and what to do: missing, not PEM, expired or not yet valid, for another LU, key
// encrypted or of another certificate. Never asks for a pass phrase.
Result<TlsContext> load_tls_files(const TlsFiles& files, const std::string& local_lu);

// What one LU shows to its peers, read anew for each connection: whoever renews a certificate, or sets a clock right, need not end dsmd.
class OwnCertificate {
 public:
  OwnCertificate(TlsFiles files, std::string local_lu) : files_(std::move(files)), local_lu_(std::move(local_lu)) {}
  // For one connection; null when the files cannot be used now.
  TlsContext load();
  // Why the last load() gave nothing, once for each reason; empty when that was told already.
  std::string take_news() { return std::exchange(news_, {}); }

 private:
  TlsFiles files_;
  std::string local_lu_, reason_, news_;
};

// The names in the certificate's subjectAltName URIs of the form `lu:NAME`, made safe to show.
std::vector<std::string> lu_names_of(X509* certificate);
// The same for people: "LU A", "LUs A and B", "no LU".
std::string lu_names_text(const std::vector<std::string>& names);
// "2026.326 19:41:20 UTC" style text of a certificate's date.
std::string asn1_time_text(const ASN1_TIME* time);

}  // namespace afterimage
