#include "crypto/authority.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "crypto/openssl_ptr.h"
#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'760'000'000);
const Validity kYears{kNow, kNow + absl::Hours(24 * 3650)};
const Validity kWeek{kNow, kNow + absl::Hours(24 * 7)};

CertificateAuthority Authority(absl::string_view name = "acme CA", Validity validity = kYears) {
  CountingRng rng(1);
  return *CertificateAuthority::Create(name, validity, rng);
}

std::string LeafOf(const CertificateAuthority& authority) {
  CountingRng rng(9);
  const P256Key key = *P256Key::Generate();
  return *IssueCertificate(authority,
                           {.spki = key.spki(),
                            .id = *SpiffeId::Coordinator("acme.example"),
                            .dns_names = {"coordinator.acme.example"},
                            .server = true,
                            .validity = kWeek},
                           rng);
}

X509Ptr Parse(const std::string& pem) {
  BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509Ptr certificate(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  REQUIRE(certificate != nullptr);
  return certificate;
}

// What a TLS client that trusts `roots` says of `leaf`, sent with `chain`: OpenSSL's own verdict
// (RFC 5280 §6).
bool Trusts(const std::vector<std::string>& roots, const std::string& leaf,
            const std::vector<std::string>& chain, absl::Time at = kNow + absl::Hours(1)) {
  const X509StorePtr store(X509_STORE_new());
  const X509StoreCtxPtr context(X509_STORE_CTX_new());
  for (const std::string& pem : roots) {
    REQUIRE(X509_STORE_add_cert(store.get(), Parse(pem).get()) == 1);
  }
  STACK_OF(X509)* const sent = sk_X509_new_null();
  for (const std::string& pem : chain) {
    sk_X509_push(sent, Parse(pem).release());
  }
  const X509Ptr target = Parse(leaf);
  REQUIRE(X509_STORE_CTX_init(context.get(), store.get(), target.get(), sent) == 1);
  X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_X509_STRICT);
  X509_STORE_CTX_set_time(context.get(), 0, absl::ToTimeT(at));
  X509_STORE_CTX_set_default(context.get(), "ssl_server");
  const bool good = X509_verify_cert(context.get()) == 1;
  sk_X509_pop_free(sent, X509_free);
  return good;
}

TEST_CASE("Authority: whoever trusts the old one alone follows its word to the new one") {
  const CertificateAuthority previous = Authority();
  const CertificateAuthority next = Authority();
  CountingRng rng(5);
  const std::string crossed = *CrossCertify(previous, next, kWeek, rng);
  const std::string leaf = LeafOf(next);
  const std::vector<std::string> sent = {crossed, next.certificate_pem(),
                                         previous.certificate_pem()};
  CHECK(Trusts({previous.certificate_pem()}, leaf, sent));
  CHECK(Trusts({next.certificate_pem()}, leaf, sent));
  CHECK(Trusts({previous.certificate_pem(), next.certificate_pem()}, leaf, sent));
  // Not without that word, not after its end, and not for somebody else's authority.
  CHECK_FALSE(Trusts({previous.certificate_pem()}, leaf, {next.certificate_pem()}));
  CHECK_FALSE(Trusts({previous.certificate_pem()}, leaf, sent, kWeek.not_after + absl::Minutes(1)));
  CHECK_FALSE(Trusts({Authority().certificate_pem()}, leaf, sent));
  // What the old one issued is not the new one's.
  CHECK_FALSE(Trusts({next.certificate_pem()}, LeafOf(previous), sent));
}

TEST_CASE("Authority: the crossed certificate is no anchor and says whose key it is") {
  const CertificateAuthority previous = Authority();
  const CertificateAuthority next = Authority();
  CountingRng rng(5);
  const std::string crossed = *CrossCertify(previous, next, kWeek, rng);
  const auto info = ParseCertificatePem(crossed);
  REQUIRE(info.ok());
  CHECK(info->spki == next.key().spki());
  CHECK(info->is_authority);
  CHECK(info->authority_key_id_hex ==
        ParseCertificatePem(previous.certificate_pem())->subject_key_id_hex);
  CHECK(absl::IsUnauthenticated(VerifyAuthority(crossed).status()));
}

TEST_CASE("Authority: another name, the same key or a longer life crosses nothing") {
  const CertificateAuthority previous = Authority("acme CA", {kNow, kNow + absl::Hours(48)});
  CountingRng rng(5);
  const Validity day{kNow, kNow + absl::Hours(24)};
  CHECK(CrossCertify(previous, Authority(), day, rng).ok());
  CHECK(absl::IsInvalidArgument(CrossCertify(previous, Authority("other CA"), day, rng).status()));
  CHECK(absl::IsInvalidArgument(CrossCertify(previous, previous, day, rng).status()));
  CHECK(absl::IsInvalidArgument(CrossCertify(previous, Authority(), kWeek, rng).status()));
  CHECK(absl::IsInvalidArgument(
      CrossCertify(previous, Authority(), {day.not_after, day.not_before}, rng).status()));
}

TEST_CASE("Authority: only a certificate that an authority's key signed for itself is one") {
  const CertificateAuthority authority = Authority();
  const auto info = VerifyAuthority(authority.certificate_pem());
  REQUIRE(info.ok());
  CHECK(info->spki == authority.key().spki());
  CHECK(info->subject_name == "acme CA");
  CHECK(absl::IsUnauthenticated(VerifyAuthority(LeafOf(authority)).status()));
  CHECK(absl::IsInvalidArgument(VerifyAuthority("").status()));
  CHECK(absl::IsInvalidArgument(
      VerifyAuthority(authority.certificate_pem() + authority.certificate_pem()).status()));
  // One bit of the signature, which ends the certificate.
  const std::string& pem = authority.certificate_pem();
  std::string body = pem.substr(pem.find('\n') + 1, pem.find("-----END") - pem.find('\n') - 1);
  std::erase(body, '\n');
  Bytes der = *Base64Decode(body);
  der.back() ^= 1U;
  const std::string text = Base64Encode(der);
  std::string forged = "-----BEGIN CERTIFICATE-----\n";
  for (std::size_t i = 0; i < text.size(); i += 64) {
    forged += text.substr(i, 64) + "\n";
  }
  CHECK(absl::IsUnauthenticated(VerifyAuthority(forged + "-----END CERTIFICATE-----\n").status()));
}

}  // namespace
}  // namespace carnet::crypto
