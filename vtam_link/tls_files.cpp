// io: the certificate, key and authority of a local LU: loaded, checked, and made into a TLS 1.3 context.
#include "vtam_link/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <fstream>

#include "serializer/tod.h"
#include "vtam_link/names.h"

namespace afterimage {

namespace {

namespace ssl = boost::asio::ssl;

constexpr std::size_t kMaxFileBytes = 1u << 20;
constexpr long kMaxPeerChainBytes = 16384;  // what an unknown peer may make OpenSSL hold for its certificates

template <auto F>
struct Free {
  template <typename T>
  void operator()(T* p) const {
    F(p);
  }
};
using BioPtr = std::unique_ptr<BIO, Free<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;

Result<std::string> read_file(const std::string& what, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (path.empty() || !file) {
    return failed<std::string>(
        Status::error("The " + what + " file '" + path + "' cannot be read; see that it exists and that this user may read it."));
  }
  std::string text(kMaxFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.empty() || text.size() > kMaxFileBytes) {
    return failed<std::string>(
        Status::error("The " + what + " file '" + path + "' is empty or larger than 1 MiB; it should be a PEM file."));
  }
  return result_of(std::move(text));
}

BioPtr bio_of(const std::string& text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

Result<std::vector<X509Ptr>> read_certificates(const std::string& what, const std::string& path) {
  using Certificates = std::vector<X509Ptr>;
  auto text = read_file(what, path);
  if (!text.good()) return failed<Certificates>(std::move(text.status));
  const BioPtr bio = bio_of(text.value);
  Certificates certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) certificates.emplace_back(certificate);
  const bool only_end_of_file = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty() || !only_end_of_file) {
    return failed<Certificates>(
        Status::error("The " + what + " file '" + path + "' does not hold certificates in PEM form; put the right file there."));
  }
  return {Status::ok(), std::move(certificates)};
}

Status check_dates(const std::string& what, const std::string& path, X509* certificate) {
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0) {
    return Status::error("The " + what + " in '" + path + "' expired at " + asn1_time_text(X509_get0_notAfter(certificate)) +
                         "; replace it by a current one.");
  }
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
    return Status::error("The " + what + " in '" + path + "' is valid only from " + asn1_time_text(X509_get0_notBefore(certificate)) +
                         "; check this machine's clock or replace it.");
  }
  return Status::ok();
}

// A key with a pass phrase is refused: asking for one would stop a started task that has no terminal.
int no_pass_phrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Status use_own_certificate(SSL_CTX* context, const TlsFiles& files, const std::string& local_lu) {
  auto chain = read_certificates("certificate", files.certificate);
  if (!chain.good()) return std::move(chain.status);
  X509* own = chain.value.front().get();
  Status status = check_dates("certificate", files.certificate, own);
  if (!status.good()) return status;
  const std::vector<std::string> names = lu_names_of(own);
  if (std::find(names.begin(), names.end(), local_lu) == names.end()) {
    return Status::error("The certificate in '" + files.certificate + "' names " + lu_names_text(names) + ", but this LU is " + local_lu +
                         "; use a certificate with the subjectAltName URI lu:" + local_lu + ".");
  }
  bool used = SSL_CTX_use_certificate(context, own) == 1;
  for (std::size_t i = 1; i < chain.value.size(); ++i) used = used && SSL_CTX_add1_chain_cert(context, chain.value[i].get()) == 1;
  ERR_clear_error();
  if (!used)
    return Status::error("The certificate in '" + files.certificate + "' is not of a kind that TLS 1.3 can use; make one with an EC key.");
  return Status::ok();
}

Status use_key(SSL_CTX* context, const TlsFiles& files) {
  auto text = read_file("key", files.key);
  if (!text.good()) return std::move(text.status);
  bool asked = false;
  const KeyPtr key(PEM_read_bio_PrivateKey(bio_of(text.value).get(), nullptr, no_pass_phrase, &asked));
  OPENSSL_cleanse(text.value.data(), text.value.size());
  ERR_clear_error();
  if (asked) return Status::error("The key in '" + files.key + "' has a pass phrase; store it without one, readable by this user only.");
  if (!key) return Status::error("The key file '" + files.key + "' does not hold a private key in PEM form; put the right file there.");
  if (X509_check_private_key(SSL_CTX_get0_certificate(context), key.get()) != 1 || SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    ERR_clear_error();
    return Status::error("The key in '" + files.key + "' does not belong to the certificate in '" + files.certificate +
                         "'; use the two that were made together.");
  }
  return Status::ok();
}

Status use_authority(SSL_CTX* context, const TlsFiles& files) {
  auto authorities = read_certificates("authority", files.authority);
  if (!authorities.good()) return std::move(authorities.status);
  for (const X509Ptr& authority : authorities.value) {
    Status status = check_dates("authority certificate", files.authority, authority.get());
    if (!status.good()) return status;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1) {
      ERR_clear_error();
      return Status::error("An authority certificate in '" + files.authority + "' cannot be used; put a certificate authority's there.");
    }
  }
  return Status::ok();
}

void set_policy(ssl::context& context) {
  SSL_CTX* native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(native, TLS1_3_VERSION);
  SSL_CTX_set_num_tickets(native, 0);  // every connection shows its certificate: nothing is resumed
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(native, kMaxPeerChainBytes);
  context.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
}

}  // namespace

Result<TlsContext> load_tls_files(const TlsFiles& files, const std::string& local_lu) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls);
  set_policy(*context);
  Status status = use_own_certificate(context->native_handle(), files, local_lu);
  if (status.good()) status = use_key(context->native_handle(), files);
  if (status.good()) status = use_authority(context->native_handle(), files);
  if (!status.good()) return failed<TlsContext>(std::move(status));
  return result_of(std::move(context));
}

TlsContext OwnCertificate::load() {
  auto loaded = load_tls_files(files_, local_lu_);
  if (loaded.status.text() != reason_) news_ = loaded.status.text();
  reason_ = loaded.status.text();
  return std::move(loaded.value);
}

std::vector<std::string> lu_names_of(X509* certificate) {
  constexpr std::size_t kMostNames = 8;
  std::vector<std::string> names;
  const NamesPtr all(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()) && names.size() < kMostNames; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != GEN_URI) continue;
    const auto* bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier));
    const std::string uri(bytes, static_cast<std::size_t>(ASN1_STRING_length(name->d.uniformResourceIdentifier)));
    if (uri.rfind("lu:", 0) == 0) names.push_back(safe_sentence(uri.substr(3), 64));
  }
  ERR_clear_error();
  return names;
}

std::string lu_names_text(const std::vector<std::string>& names) {
  if (names.empty()) return "no LU";
  std::string text = names.size() == 1 ? "LU " : "LUs ";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

std::string asn1_time_text(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
  const std::time_t seconds = timegm(&parts);
  if (seconds < 0) return "a date before 1970";
  return tod_text(tod_from_unix_us(static_cast<std::uint64_t>(seconds) * 1000000)).substr(0, 17) + " UTC";
}

}  // namespace afterimage
