// Certificates for the tests of base/http_*: made afresh, P-256, valid for an hour around now
// unless said otherwise.
#ifndef CARNET_TESTS_UNIT_BASE_TEST_CERTIFICATES_H_
#define CARNET_TESTS_UNIT_BASE_TEST_CERTIFICATES_H_

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "base/bytes.h"

namespace carnet {

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CertificateDeleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

struct TestIdentity {
  std::unique_ptr<EVP_PKEY, KeyDeleter> key;
  std::unique_ptr<X509, CertificateDeleter> certificate;

  std::string CertificatePem() const;
  std::string KeyPem() const;
  std::string CertificateDer() const;
  // SHA-256 of the SubjectPublicKeyInfo.
  Digest KeySha256() const;
};

TestIdentity MakeTestCa();

struct TestLeafOptions {
  std::string dns_name = "coordinator.digits.acme.example";
  long not_before_seconds = -3600;  // from now
  long not_after_seconds = 3600;
};
TestIdentity MakeTestLeaf(const TestIdentity& ca, const TestLeafOptions& options = {});

}  // namespace carnet

#endif  // CARNET_TESTS_UNIT_BASE_TEST_CERTIFICATES_H_
