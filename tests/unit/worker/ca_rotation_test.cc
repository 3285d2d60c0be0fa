// A worker and the federation's certificate authority that gives way to another.
#include <catch2/catch.hpp>
#include <string>

#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "crypto/key_files.h"
#include "tests/unit/worker/test_support.h"
#include "worker/enrol.h"
#include "worker/federation_file.h"

namespace carnet::worker {
namespace {

const absl::Time kOverlapEnd = TestNow() + absl::Hours(48);

crypto::CertificateAuthority NewAuthority(TestFederation& federation) {
  return crypto::CertificateAuthority::Create(
             "test CA", {TestNow() - absl::Hours(1), TestNow() + absl::Hours(9000)}, federation.rng)
      .value();
}

// On record: `next` in the place of the federation's authority.
std::uint64_t RotateCa(TestFederation& federation, const crypto::CertificateAuthority& next) {
  v1::KeyRotated rotated;
  *rotated.mutable_common() = federation.Common();
  rotated.set_kind("ca");
  rotated.set_key_id("k-cccccccccccccccc");
  rotated.set_old_public_key(ToString(federation.authority.key().spki()));
  rotated.set_new_public_key(ToString(next.key().spki()));
  rotated.set_ca_certificate_pem(next.certificate_pem());
  *rotated.mutable_overlap_until() = ToTimestamp(kOverlapEnd);
  return federation.AppendBy(federation.coordinator_key, rotated);
}

std::string CertificateBy(TestFederation& federation, const crypto::CertificateAuthority& authority,
                          absl::Time from = TestNow() - absl::Hours(1)) {
  return crypto::IssueCertificate(authority,
                                  {.spki = federation.tls_key.spki(),
                                   .id = federation.facts.spiffe_id,
                                   .client = true,
                                   .validity = {from, from + absl::Hours(160)}},
                                  federation.rng)
      .value();
}

// The coordinator's answer once `next` issues; rotation: the record's index.
v1::EnrollResponse AnswerBy(TestFederation& federation, const crypto::CertificateAuthority& next,
                            std::uint64_t rotation) {
  v1::EnrollResponse answer = federation.Answer();
  answer.set_certificate_pem(CertificateBy(federation, next));
  answer.set_ca_certificate_pem(next.certificate_pem());
  *answer.add_rotations() = federation.log.Prove(rotation, federation.log.size());
  return answer;
}

TEST_CASE("CA rotation: a token of the old authority or of the new one makes a member") {
  for (const bool newest : {false, true}) {
    TestFederation federation;
    const crypto::CertificateAuthority next = NewAuthority(federation);
    const std::uint64_t index = RotateCa(federation, next);
    if (newest) {
      federation.facts.ca_spki_sha256 = next.key().spki_sha256();
    }
    v1::EnrollResponse answer = AnswerBy(federation, next, index);
    const auto identity =
        EstablishIdentity(federation.facts, federation.PublicKeys(), answer, TestNow());
    INFO(identity.status());
    REQUIRE(identity.ok());
    const auto roots = RootsAt(*identity->keys, TestNow());
    REQUIRE(roots.ok());
    CHECK(roots->pem == federation.authority.certificate_pem() + next.certificate_pem());
    CHECK(roots->until == kOverlapEnd);
    CHECK(RootsAt(*identity->keys, kOverlapEnd)->pem == next.certificate_pem());
    CHECK(RootsAt(*identity->keys, kOverlapEnd)->until == absl::InfiniteFuture());
    // Without the record, nothing leads to the authority that issued.
    answer.clear_rotations();
    CHECK(absl::IsUnauthenticated(
        EstablishIdentity(federation.facts, federation.PublicKeys(), answer, TestNow()).status()));
  }
}

TEST_CASE("CA rotation: a certificate of an authority that ended, or of a stranger, is refused") {
  TestFederation federation;
  const crypto::CertificateAuthority next = NewAuthority(federation);
  const std::uint64_t index = RotateCa(federation, next);
  const Identity identity = EstablishIdentity(federation.facts, federation.PublicKeys(),
                                              AnswerBy(federation, next, index), TestNow())
                                .value();
  const auto check = [&](const crypto::CertificateAuthority& authority, absl::Time at) {
    v1::EnrollResponse answer;
    answer.set_certificate_pem(CertificateBy(federation, authority));
    answer.set_ca_certificate_pem(authority.certificate_pem());
    return CheckCertificate(federation.facts, federation.PublicKeys(), *identity.keys, answer, at)
        .code();
  };
  CHECK(check(federation.authority, kOverlapEnd - absl::Seconds(1)) == absl::StatusCode::kOk);
  CHECK(check(federation.authority, kOverlapEnd) == absl::StatusCode::kUnauthenticated);
  CHECK(check(next, kOverlapEnd) == absl::StatusCode::kOk);
  CHECK(check(NewAuthority(federation), TestNow()) == absl::StatusCode::kUnauthenticated);
  // The token's pin must be of this federation.
  FederationFacts other = federation.facts;
  other.ca_spki_sha256[0] ^= 1;
  CHECK(absl::IsUnauthenticated(EstablishIdentity(other, federation.PublicKeys(),
                                                  AnswerBy(federation, next, index), TestNow())
                                    .status()));
}

class FixedClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Duration MonotonicNow() const override { return now - absl::UnixEpoch(); }
  absl::Time now = TestNow();
};

// A member on disk, and a coordinator that answers renewals with `answer`.
struct Member {
  Member() : state(StateDir::Open(directory.path() / "state").value()) {
    const auto keys = crypto::KeyFiles::Open(state.keys().string());
    REQUIRE(keys->Create("tls", crypto::KeyKind::kP256, *federation.tls_key.ToPem()).ok());
    REQUIRE(
        keys->Create("statement", crypto::KeyKind::kEd25519, federation.statement_key.seed()).ok());
    REQUIRE(keys->Create("wrapping", crypto::KeyKind::kX25519,
                         federation.wrapping_key.private_key().Clone())
                .ok());
    REQUIRE(WriteFileAtomic(state.federation(), AsBytes(*FederationJson(federation.facts))).ok());
    REQUIRE(
        WriteFileAtomic(state.enrolment(), AsBytes(federation.Answer().SerializeAsString())).ok());
  }
  EnrolParts Parts() {
    return {.state = state,
            .clock = clock,
            .rng = federation.rng,
            .call = [this](const HttpCallOptions& options,
                           const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
              tls = *options.tls;
              path = request.path;
              if (!failure.ok()) {
                return failure;
              }
              HttpResponse response;
              response.body = *MessageToJson(answer);
              return response;
            }};
  }
  Enrolled Load() { return LoadOrEnrol(Parts(), std::nullopt, {}).value(); }
  // As a poll does it.
  void Follow(Enrolled& enrolled, std::uint64_t index) {
    v1::NextTaskResponse polled;
    *polled.add_rotations() = federation.log.Prove(index, federation.log.size());
    REQUIRE(
        FollowRotations(polled.rotations(), federation.log.tree_head(), &*enrolled.identity.keys)
            .ok());
  }

  TestDirectory directory;
  TestFederation federation;
  StateDir state;
  FixedClock clock;
  v1::EnrollResponse answer;
  absl::Status failure;
  HttpClientTls tls;
  std::string path;
};

TEST_CASE("CA rotation: a worker that followed renews at once and remembers both authorities") {
  Member member;
  Enrolled enrolled = member.Load();
  CHECK_FALSE(RenewalDue(enrolled, TestNow()).value());
  const crypto::CertificateAuthority next = NewAuthority(member.federation);
  const std::uint64_t index = RotateCa(member.federation, next);
  member.Follow(enrolled, index);
  CHECK(RenewalDue(enrolled, TestNow()).value());
  member.answer = AnswerBy(member.federation, next, index);
  const absl::Status renewed = Renew(member.Parts(), &enrolled);
  INFO(renewed);
  REQUIRE(renewed.ok());
  // The coordinator was known by both, and not by the token's pin alone.
  CHECK_FALSE(member.tls.ca_key_sha256.has_value());
  CHECK(member.tls.ca_certificate_pem ==
        member.federation.authority.certificate_pem() + next.certificate_pem());
  CHECK_FALSE(RenewalDue(enrolled, TestNow()).value());
  // A restart after the overlap knows the new one alone, and needs no poll for it.
  const Enrolled again = member.Load();
  CHECK(again.answer.ca_certificate_pem() == next.certificate_pem());
  CHECK(again.identity.keys->authorities().size() == 2);
  CHECK(RootsAt(*again.identity.keys, kOverlapEnd)->pem == next.certificate_pem());
  CHECK_FALSE(RenewalDue(again, TestNow()).value());
}

TEST_CASE("CA rotation: a renewal by an authority that was not followed changes nothing") {
  Member member;
  Enrolled enrolled = member.Load();
  const Bytes before = *ReadFile(member.state.enrolment(), 1 << 20);
  const crypto::CertificateAuthority next = NewAuthority(member.federation);
  const std::uint64_t index = RotateCa(member.federation, next);
  member.answer = AnswerBy(member.federation, next, index);
  CHECK(absl::IsUnauthenticated(Renew(member.Parts(), &enrolled)));
  member.Follow(enrolled, index);
  // Another history of keys than the one that was followed: asked again later.
  const crypto::CertificateAuthority third = NewAuthority(member.federation);
  v1::KeyRotated further;
  *further.mutable_common() = member.federation.Common();
  further.set_kind("ca");
  further.set_key_id("k-dddddddddddddddd");
  further.set_old_public_key(ToString(next.key().spki()));
  further.set_new_public_key(ToString(third.key().spki()));
  further.set_ca_certificate_pem(third.certificate_pem());
  *further.mutable_overlap_until() = ToTimestamp(kOverlapEnd);
  const std::uint64_t second =
      member.federation.AppendBy(member.federation.coordinator_key, further);
  member.answer = AnswerBy(member.federation, next, index);
  *member.answer.add_rotations() =
      member.federation.log.Prove(second, member.federation.log.size());
  CHECK(absl::IsUnavailable(Renew(member.Parts(), &enrolled)));
  // One of the new authority without its records.
  member.answer = AnswerBy(member.federation, next, index);
  member.answer.clear_rotations();
  CHECK_FALSE(Renew(member.Parts(), &enrolled).ok());
  CHECK(*ReadFile(member.state.enrolment(), 1 << 20) == before);
  member.answer = AnswerBy(member.federation, next, index);
  CHECK(Renew(member.Parts(), &enrolled).ok());
}

TEST_CASE("CA rotation: a worker that was away too long is told what to do") {
  Member member;
  Enrolled enrolled = member.Load();
  member.failure = absl::UnauthenticatedError("tls: the server is not known");
  const absl::Status probed = ProbeCoordinator(member.Parts(), enrolled);
  CHECK(absl::IsUnauthenticated(probed));
  CHECK(Remedy(probed).find("new invitation") != std::string::npos);
  CHECK(member.path == "/healthz");
  CHECK(member.tls.ca_key_sha256 == member.federation.facts.ca_spki_sha256);
  CHECK(Remedy(Renew(member.Parts(), &enrolled)).find("new invitation") != std::string::npos);
  member.failure = absl::UnavailableError("nobody");
  CHECK(Remedy(ProbeCoordinator(member.Parts(), enrolled)).empty());
  member.failure = absl::OkStatus();
  CHECK(ProbeCoordinator(member.Parts(), enrolled).ok());
}

}  // namespace
}  // namespace carnet::worker
