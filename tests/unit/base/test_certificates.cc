#include "test_certificates.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <catch2/catch.hpp>

namespace carnet {
namespace {

std::string Drain(BIO* bio) {
  std::string text;
  char buffer[1024];
  int count = 0;
  while ((count = BIO_read(bio, buffer, sizeof(buffer))) > 0) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  BIO_free(bio);
  return text;
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  REQUIRE(extension != nullptr);
  REQUIRE(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

TestIdentity MakeUnsigned(const char* common_name, long not_before, long not_after) {
  static long serial = 1;
  TestIdentity identity;
  identity.key.reset(EVP_EC_gen("P-256"));
  identity.certificate.reset(X509_new());
  X509* certificate = identity.certificate.get();
  REQUIRE(X509_set_version(certificate, X509_VERSION_3) == 1);
  REQUIRE(ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial) == 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), not_before);
  X509_gmtime_adj(X509_getm_notAfter(certificate), not_after);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
  REQUIRE(X509_set_pubkey(certificate, identity.key.get()) == 1);
  return identity;
}

}  // namespace

std::string TestIdentity::CertificatePem() const {
  BIO* bio = BIO_new(BIO_s_mem());
  REQUIRE(PEM_write_bio_X509(bio, certificate.get()) == 1);
  return Drain(bio);
}

std::string TestIdentity::KeyPem() const {
  BIO* bio = BIO_new(BIO_s_mem());
  REQUIRE(PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return Drain(bio);
}

std::string TestIdentity::CertificateDer() const {
  BIO* bio = BIO_new(BIO_s_mem());
  REQUIRE(i2d_X509_bio(bio, certificate.get()) == 1);
  return Drain(bio);
}

Digest TestIdentity::KeySha256() const {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &der);
  REQUIRE(size > 0);
  Digest digest{};
  SHA256(der, static_cast<std::size_t>(size), digest.data());
  OPENSSL_free(der);
  return digest;
}

TestIdentity MakeTestCa() {
  TestIdentity ca = MakeUnsigned("test CA", -3600, 3600);
  X509* certificate = ca.certificate.get();
  REQUIRE(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1);
  AddExtension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, NID_key_usage, "critical,keyCertSign");
  REQUIRE(X509_sign(certificate, ca.key.get(), EVP_sha256()) > 0);
  return ca;
}

TestIdentity MakeTestLeaf(const TestIdentity& ca, const TestLeafOptions& options) {
  TestIdentity leaf =
      MakeUnsigned("test leaf", options.not_before_seconds, options.not_after_seconds);
  X509* certificate = leaf.certificate.get();
  REQUIRE(X509_set_issuer_name(certificate, X509_get_subject_name(ca.certificate.get())) == 1);
  AddExtension(certificate, NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(certificate, NID_subject_alt_name, "DNS:" + options.dns_name);
  REQUIRE(X509_sign(certificate, ca.key.get(), EVP_sha256()) > 0);
  return leaf;
}

}  // namespace carnet
