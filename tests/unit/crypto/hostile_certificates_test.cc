// Requests and certificates that our own code would never write, made with OpenSSL directly.
#include <openssl/err.h>

#include <catch2/catch.hpp>

#include "crypto/certificates.h"
#include "crypto/x509_forms.h"
#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

using x509_internal::PemEncode;

const absl::Time kNow = absl::FromUnixSeconds(1'760'000'000);
const Validity kYears{kNow, kNow + absl::Hours(24 * 3650)};

struct Extension {
  int nid;
  const char* value;  // In OpenSSL's configuration language.
};

std::string RequestPem(EVP_PKEY* key, const std::vector<Extension>& wanted,
                       const EVP_MD* digest = EVP_sha256(), bool challenge = false) {
  const X509ReqPtr request(X509_REQ_new());
  const X509ExtensionsPtr extensions(sk_X509_EXTENSION_new_null());
  for (const Extension& extension : wanted) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, nullptr, nullptr, request.get(), nullptr, 0);
    sk_X509_EXTENSION_push(extensions.get(),
                           X509V3_EXT_conf_nid(nullptr, &context, extension.nid, extension.value));
  }
  X509_REQ_set_pubkey(request.get(), key);
  if (!wanted.empty()) {
    X509_REQ_add_extensions(request.get(), extensions.get());
  }
  if (challenge) {
    X509_REQ_add1_attr_by_NID(request.get(), NID_pkcs9_challengePassword, MBSTRING_ASC,
                              reinterpret_cast<const unsigned char*>("secret"), -1);
  }
  REQUIRE(X509_REQ_sign(request.get(), key, digest) > 0);
  std::uint8_t* der = nullptr;
  const int size = i2d_X509_REQ(request.get(), &der);
  std::string pem = PemEncode("CERTIFICATE REQUEST", ByteView(der, static_cast<std::size_t>(size)));
  OPENSSL_free(der);
  return pem;
}

constexpr char kId[] = "URI:spiffe://acme.example/user/u-1";

TEST_CASE("Certificate requests: asking for anything but one SPIFFE id is refused") {
  const P256Key key = *P256Key::Generate();
  REQUIRE(VerifyCertificateRequest(RequestPem(key.raw(), {{NID_subject_alt_name, kId}})).ok());
  const std::vector<std::vector<Extension>> refused = {
      {},
      {{NID_subject_alt_name, "URI:https://acme.example/user/u-1"}},
      {{NID_subject_alt_name, "DNS:acme.example"}},
      {{NID_subject_alt_name, "URI:spiffe://acme.example/user/u-1,DNS:acme.example"}},
      {{NID_subject_alt_name,
        "URI:spiffe://acme.example/user/u-1,URI:spiffe://acme.example/user/u-2"}},
      {{NID_subject_alt_name, "URI:spiffe://acme.example/user/u-1,IP:127.0.0.1"}},
      {{NID_subject_alt_name, "URI:spiffe://acme.example/user/u-1,email:a@b.c"}},
      {{NID_subject_alt_name, kId}, {NID_basic_constraints, "CA:TRUE"}},
      {{NID_subject_alt_name, kId}, {NID_subject_alt_name, kId}},
      {{NID_basic_constraints, "CA:TRUE"}},
  };
  for (std::size_t i = 0; i < refused.size(); ++i) {
    CAPTURE(i);
    CHECK(CodeOf(VerifyCertificateRequest(RequestPem(key.raw(), refused[i]))) ==
          absl::StatusCode::kInvalidArgument);
  }
  CHECK(CodeOf(VerifyCertificateRequest(
            RequestPem(key.raw(), {{NID_subject_alt_name, kId}}, EVP_sha256(), true))) ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Certificate requests: other keys and digests are refused") {
  const std::vector<Extension> wanted = {{NID_subject_alt_name, kId}};
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const EvpPkeyPtr p384(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384"));
  CHECK(CodeOf(VerifyCertificateRequest(RequestPem(p384.get(), wanted))) == invalid);
  const EvpPkeyPtr secp256k1(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "secp256k1"));
  CHECK(CodeOf(VerifyCertificateRequest(RequestPem(secp256k1.get(), wanted))) == invalid);
  const EvpPkeyPtr ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  CHECK(CodeOf(VerifyCertificateRequest(RequestPem(ed25519.get(), wanted, nullptr))) == invalid);
  const P256Key key = *P256Key::Generate();
  CHECK(CodeOf(VerifyCertificateRequest(RequestPem(key.raw(), wanted, EVP_sha1()))) == invalid);
}

// A certificate for `subject_key` signed by `issuer_key` under the authority's name.
std::string CertificatePem(const CertificateAuthority& authority, EVP_PKEY* subject_key,
                           EVP_PKEY* issuer_key, const std::vector<Extension>& extensions,
                           const EVP_MD* digest = EVP_sha256()) {
  const auto der =
      x509_internal::PemDecode("CERTIFICATE", authority.certificate_pem(), kCertificatePemBytesMax);
  const auto issuer = x509_internal::CertificateFromDer(*der);
  const X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 7);
  X509_set1_notBefore(certificate.get(), x509_internal::ToAsn1Time(kNow).get());
  X509_set1_notAfter(certificate.get(), x509_internal::ToAsn1Time(kYears.not_after).get());
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer->get()));
  X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate.get()), NID_commonName,
                             MBSTRING_UTF8, reinterpret_cast<const unsigned char*>("x"), 1, -1, 0);
  X509_set_pubkey(certificate.get(), subject_key);
  for (const Extension& wanted : extensions) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer->get(), certificate.get(), nullptr, nullptr, 0);
    const X509ExtensionPtr extension(
        X509V3_EXT_conf_nid(nullptr, &context, wanted.nid, wanted.value));
    REQUIRE(extension != nullptr);
    X509_add_ext(certificate.get(), extension.get(), -1);
  }
  REQUIRE(X509_sign(certificate.get(), issuer_key, digest) > 0);
  std::uint8_t* encoded = nullptr;
  const int size = i2d_X509(certificate.get(), &encoded);
  std::string pem = PemEncode("CERTIFICATE", ByteView(encoded, static_cast<std::size_t>(size)));
  OPENSSL_free(encoded);
  return pem;
}

const std::vector<Extension>& PartyExtensions() {
  static const std::vector<Extension> extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                                                    {NID_key_usage, "critical,digitalSignature"},
                                                    {NID_subject_key_identifier, "hash"},
                                                    {NID_authority_key_identifier, "keyid:always"},
                                                    {NID_subject_alt_name, kId}};
  return extensions;
}

TEST_CASE("Certificates: only the authority's own signature with SHA-256 counts") {
  CountingRng rng;
  const CertificateAuthority authority = *CertificateAuthority::Create("CA", kYears, rng);
  const P256Key key = *P256Key::Generate();
  const auto verify = [&](EVP_PKEY* signer, const EVP_MD* digest) {
    return CodeOf(
        VerifyCertificate(CertificatePem(authority, key.raw(), signer, PartyExtensions(), digest),
                          authority.certificate_pem(), kNow));
  };
  const auto unauthenticated = absl::StatusCode::kUnauthenticated;
  CHECK(verify(authority.key().raw(), EVP_sha256()) == absl::StatusCode::kOk);
  CHECK(verify(key.raw(), EVP_sha256()) == unauthenticated);  // Signed by itself.
  CHECK(verify(authority.key().raw(), EVP_sha1()) == unauthenticated);
}

TEST_CASE("Certificates: a forged chain of unusual certificates is refused") {
  CountingRng rng;
  const CertificateAuthority authority = *CertificateAuthority::Create("CA", kYears, rng);
  const P256Key key = *P256Key::Generate();
  const auto verify = [&](std::vector<Extension> extensions) {
    return CodeOf(
        VerifyCertificate(CertificatePem(authority, key.raw(), authority.key().raw(), extensions),
                          authority.certificate_pem(), kNow));
  };
  std::vector<Extension> none = PartyExtensions();
  none.pop_back();
  CHECK(verify(none) == absl::StatusCode::kUnauthenticated);  // No SPIFFE id.
  std::vector<Extension> under_authority = PartyExtensions();
  under_authority[0] = {NID_basic_constraints, "critical,CA:TRUE"};
  under_authority[1] = {NID_key_usage, "critical,keyCertSign"};
  CHECK(verify(under_authority) == absl::StatusCode::kUnauthenticated);
  std::vector<Extension> strange = PartyExtensions();
  const int unknown = OBJ_create("1.3.6.1.4.1.99999.1", "carnetTest", "an extension of a test");
  strange.push_back({unknown, "critical,ASN1:NULL"});
  CHECK(verify(strange) == absl::StatusCode::kUnauthenticated);
  strange.back().value = "ASN1:NULL";
  CHECK(verify(strange) == absl::StatusCode::kOk);  // It is being critical that matters.
  std::vector<Extension> twice = PartyExtensions();
  twice.push_back({NID_subject_alt_name, kId});
  CHECK(verify(twice) == absl::StatusCode::kInvalidArgument);
  std::vector<Extension> wildcard = PartyExtensions();
  wildcard.back() = {NID_subject_alt_name, "URI:spiffe://acme.example/user/u-1,DNS:*.acme.example"};
  CHECK(verify(wildcard) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Certificates: a certificate with another kind of key is refused") {
  CountingRng rng;
  const CertificateAuthority authority = *CertificateAuthority::Create("CA", kYears, rng);
  const EvpPkeyPtr p384(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384"));
  CHECK(CodeOf(ParseCertificatePem(
            CertificatePem(authority, p384.get(), authority.key().raw(), PartyExtensions()))) ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Certificates: a NUL inside a name does not shorten it") {
  GeneralNamesPtr names =
      x509_internal::MakeAlternativeNames(*SpiffeId::User("acme.example", "u-1"), {});
  REQUIRE(names != nullptr);
  const std::string evil("spiffe://acme.example/user/u-1\0x", 32);
  int type = 0;
  auto* const value = static_cast<ASN1_STRING*>(
      GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), 0), &type));
  REQUIRE(x509_internal::ReadAlternativeNames(*names).ok());
  ASN1_STRING_set(value, evil.data(), static_cast<int>(evil.size()));
  CHECK(CodeOf(x509_internal::ReadAlternativeNames(*names)) == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("OpenSSL's error queue is left as it was found") {
  ERR_clear_error();
  CHECK_FALSE(ParseCertificateDer(Bytes(100, 0x30)).ok());
  CHECK_FALSE(P256Key::FromPem(SecretBytes(10)).ok());
  CHECK_FALSE(P256Verify(P256Key::Generate()->spki(), {}, Bytes(70, 0x30)));
  CHECK_FALSE(VerifyCertificateRequest("nonsense").ok());
  CHECK(ERR_peek_error() == 0);
}

}  // namespace
}  // namespace carnet::crypto
