#include "coordinator/http/renewal.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/rng.h"
#include "base/timestamp.h"
#include "crypto/ed25519.h"
#include "exchange/renewal.h"

namespace carnet::coordinator {
namespace {

constexpr char kTrustDomain[] = "test.acme.example";
constexpr char kUser[] = "u-aaaaaaaaaaaaaaaa";
const absl::Time kNow = absl::FromUnixSeconds(1'795'253'000);

// A person on record, his certificate, and the request for another one.
struct Person {
  Person() {
    state.genesis.set_trust_domain(kTrustDomain);
    User user;
    user.id = kUser;
    user.public_key = ToBytes(AsText(statement.public_key()));
    const Digest spki_sha256 = tls.spki_sha256();
    user.tls_spki_sha256.assign(spki_sha256.begin(), spki_sha256.end());
    state.users[kUser] = user;
    request.set_request_id(std::string(16, 'r'));
    request.set_user_id(kUser);
    *request.mutable_at() = ToTimestamp(kNow);
    certificate = Issue(kUser, tls);
    csr = Csr(kUser, tls);
    Sign();
  }
  crypto::CertificateInfo Issue(const std::string& user, const crypto::P256Key& key) {
    const std::string pem =
        crypto::IssueCertificate(ca,
                                 {.spki = key.spki(),
                                  .id = *crypto::SpiffeId::User(kTrustDomain, user),
                                  .client = true,
                                  .validity = {kNow - absl::Hours(24), kNow + absl::Hours(24)}},
                                 rng)
            .value();
    request.set_certificate_pem(pem);
    return crypto::ParseCertificatePem(pem).value();
  }
  crypto::CertificateRequest Csr(const std::string& user, const crypto::P256Key& key) {
    request.set_csr_pem(
        crypto::MakeCertificateRequest(key, *crypto::SpiffeId::User(kTrustDomain, user)).value());
    return crypto::VerifyCertificateRequest(request.csr_pem()).value();
  }
  void Sign() { Sign(statement); }
  void Sign(const crypto::Ed25519KeyPair& key) {
    request.set_proof(ToString(key.Sign(exchange::RenewUserProofMessage(request))));
  }
  absl::StatusCode Check(absl::Time now = kNow) const {
    return CheckRenewUser(state, request, csr, certificate, now).code();
  }

  SystemRng rng;
  crypto::CertificateAuthority ca =
      crypto::CertificateAuthority::Create("test CA",
                                           {kNow - absl::Hours(48), kNow + absl::Hours(9000)}, rng)
          .value();
  crypto::P256Key tls = crypto::P256Key::Generate().value();
  crypto::Ed25519KeyPair statement = crypto::Ed25519KeyPair::Generate(rng);
  State state;
  v1::RenewUserRequest request;
  crypto::CertificateInfo certificate;
  crypto::CertificateRequest csr{{}, *crypto::SpiffeId::User(kTrustDomain, kUser)};
};

constexpr absl::StatusCode kGood = absl::StatusCode::kOk;
constexpr absl::StatusCode kNoRenewal = absl::StatusCode::kUnauthenticated;
constexpr absl::StatusCode kTooLate = absl::StatusCode::kPermissionDenied;

TEST_CASE("Renewal: a person gets a fresh certificate of the same key until 7 days after its end") {
  Person person;
  CHECK(person.Check() == kGood);
  const absl::Time last = person.certificate.validity.not_after + kUserRenewalGrace;
  *person.request.mutable_at() = ToTimestamp(last);
  person.Sign();
  CHECK(person.Check(last) == kGood);
  CHECK(person.Check(last + absl::Seconds(1)) == kTooLate);
  // One that was made at init: no key is on record.
  Person founder;
  founder.state.users[kUser].tls_spki_sha256.clear();
  CHECK(founder.Check() == kGood);
}

TEST_CASE("Renewal: another's signature, another's name or another key is refused") {
  Person unsigned_request;
  unsigned_request.request.clear_proof();
  CHECK(unsigned_request.Check() == kNoRenewal);
  Person stranger;
  stranger.Sign(crypto::Ed25519KeyPair::Generate(stranger.rng));
  CHECK(stranger.Check() == kNoRenewal);
  Person changed;
  changed.request.set_request_id(std::string(16, 's'));  // after the signature
  CHECK(changed.Check() == kNoRenewal);
  Person unknown;
  unknown.state.users.clear();
  CHECK(unknown.Check() == kNoRenewal);
  // The certificate of somebody else, and a request in somebody else's name.
  Person other;
  other.certificate = other.Issue("u-bbbbbbbbbbbbbbbb", other.tls);
  other.Sign();
  CHECK(other.Check() == kNoRenewal);
  Person asks;
  asks.csr = asks.Csr("u-bbbbbbbbbbbbbbbb", asks.tls);
  asks.Sign();
  CHECK(asks.Check() == kNoRenewal);
  // Another key in the request, in the certificate, or on record.
  const crypto::P256Key fresh = crypto::P256Key::Generate().value();
  Person new_key;
  new_key.csr = new_key.Csr(kUser, fresh);
  new_key.Sign();
  CHECK(new_key.Check() == kNoRenewal);
  Person both_new;
  both_new.csr = both_new.Csr(kUser, fresh);
  both_new.certificate = both_new.Issue(kUser, fresh);
  both_new.Sign();
  CHECK(both_new.Check() == kNoRenewal);
  // Of another federation.
  Person elsewhere;
  elsewhere.state.genesis.set_trust_domain("other.acme.example");
  CHECK(elsewhere.Check() == kNoRenewal);
}

TEST_CASE("Renewal: who was revoked, and whose clock is off, is refused") {
  Person revoked;
  revoked.state.users[kUser].revoked = true;
  CHECK(revoked.Check() == kTooLate);
  // Whoever cannot sign does not learn it.
  revoked.request.clear_proof();
  CHECK(revoked.Check() == kNoRenewal);
  Person clock;
  CHECK(clock.Check(kNow + absl::Minutes(5)) == kGood);
  CHECK(clock.Check(kNow - absl::Minutes(5)) == kGood);
  CHECK(clock.Check(kNow + absl::Minutes(5) + absl::Seconds(1)) == kNoRenewal);
  CHECK(clock.Check(kNow - absl::Minutes(5) - absl::Seconds(1)) == kNoRenewal);
}

}  // namespace
}  // namespace carnet::coordinator
