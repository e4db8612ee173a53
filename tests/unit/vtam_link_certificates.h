// Certificates for the session tests, made with OpenSSL in a temporary directory that goes away with the object.
#pragma once

#include <cppunit/extensions/HelperMacros.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "vtam_link/lu_session.h"

namespace afterimage::samples {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "afterimage-link-XXXXXX").string();
    CPPUNIT_ASSERT(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name), std::ios::binary) << text;
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

class TestAuthority {
 public:
  TestAuthority(const TemporaryDirectory& directory, const std::string& name) : directory_(directory), name_(name), key_(new_key()) {
    certificate_ = signed_certificate(key_.get(), name, "critical,CA:TRUE", "", -3600, 3600);
    write_certificate(authority_file(), certificate_.get());
  }

  // Certificate and key of an LU, valid from `from_s` to `to_s` seconds after now. `uri` is the whole subjectAltName ("URI:lu:NAME").
  TlsFiles issue(const std::string& file, const std::string& alternative_name, long from_s = -3600, long to_s = 3600) const {
    const auto key = new_key();
    const auto certificate = signed_certificate(key.get(), file, "critical,CA:FALSE", alternative_name, from_s, to_s);
    const TlsFiles files{directory_.file(file + ".crt.pem"), directory_.file(file + ".key.pem"), authority_file()};
    write_certificate(files.certificate, certificate.get());
    FILE* out = fopen(files.key.c_str(), "w");
    CPPUNIT_ASSERT(out != nullptr);
    CPPUNIT_ASSERT_EQUAL(1, PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr));
    fclose(out);
    return files;
  }
  TlsFiles issue_lu(const std::string& lu) const { return issue(name_ + "." + lu, "URI:lu:" + lu); }
  std::string authority_file() const { return directory_.file(name_ + ".ca.pem"); }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  static Key new_key() { return Key(EVP_EC_gen("P-256"), EVP_PKEY_free); }

  static void write_certificate(const std::string& path, X509* certificate) {
    FILE* out = fopen(path.c_str(), "w");
    CPPUNIT_ASSERT(out != nullptr);
    CPPUNIT_ASSERT_EQUAL(1, PEM_write_X509(out, certificate));
    fclose(out);
  }

  static void add_extension(X509* certificate, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    CPPUNIT_ASSERT(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  Certificate signed_certificate(EVP_PKEY* key, const std::string& subject, const std::string& constraints,
                                 const std::string& alternative_name, long from_s, long to_s) const {
    Certificate made(X509_new(), X509_free);
    X509_set_version(made.get(), 2);
    static long serial = 1;
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), from_s);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), to_s);
    X509_set_pubkey(made.get(), key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
    X509_set_issuer_name(made.get(), X509_get_subject_name(certificate_ ? certificate_.get() : made.get()));
    add_extension(made.get(), NID_basic_constraints, constraints);
    if (!alternative_name.empty()) add_extension(made.get(), NID_subject_alt_name, alternative_name);
    CPPUNIT_ASSERT(X509_sign(made.get(), key_.get(), EVP_sha256()) > 0);
    return made;
  }

  const TemporaryDirectory& directory_;
  std::string name_;
  Key key_;
  Certificate certificate_{nullptr, X509_free};
};

}  // namespace afterimage::samples
