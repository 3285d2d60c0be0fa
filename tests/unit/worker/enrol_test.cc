#include "worker/enrol.h"

#include <catch2/catch.hpp>

#include "base/files.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "exchange/enrolment.h"
#include "exchange/join_token.h"
#include "tests/unit/worker/test_support.h"
#include "worker/federation_file.h"

namespace carnet::worker {
namespace {

class TestClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Duration MonotonicNow() const override { return now - absl::UnixEpoch(); }
  absl::Time now = TestNow();
};

// The coordinator's side of the Enrolment service, as far as a worker can see it.
class FakeEnrolment {
 public:
  explicit FakeEnrolment(TestFederation& federation) : federation_(federation) {}

  absl::StatusOr<HttpResponse> Call(const HttpCallOptions& options, const HttpRequest& request) {
    paths.push_back(request.path);
    CHECK(options.tls.has_value());
    CHECK(options.tls->ca_key_sha256 == federation_.facts.ca_spki_sha256);
    CHECK(options.tls->server_name == "coordinator.digits.acme.example");
    if (unreachable > 0) {
      --unreachable;
      return absl::UnavailableError("nobody there");
    }
    if (request.path == "/carnet.v1.Enrolment/Challenge") {
      return Challenge(request.body);
    }
    if (request.path == "/carnet.v1.Enrolment/Enroll") {
      return Enroll(request.body);
    }
    REQUIRE(request.path == "/carnet.v1.Enrolment/Renew");
    return Renew(request.body);
  }

  std::vector<std::string> paths;
  std::vector<v1::EnrollRequest> enrolments;
  int unreachable = 0;
  bool lose_answer = false;
  bool spoil_answer = false;

 private:
  absl::StatusOr<HttpResponse> Reply(const google::protobuf::Message& message) {
    HttpResponse response;
    response.body = MessageToJson(message).value();
    return response;
  }
  absl::StatusOr<HttpResponse> Challenge(const std::string& body) {
    v1::ChallengeRequest request;
    REQUIRE(JsonToMessage(body, &request).ok());
    answer_ = ToString(RandomBytes(federation_.rng, 32));
    const auto sealed = crypto::HpkeSeal(
        crypto::ToX25519PublicKey(AsBytes(request.wrapping_public_key())).value(),
        AsBytes(exchange::kEnrolmentChallengeInfo), {}, AsBytes(answer_), federation_.rng);
    REQUIRE(sealed.ok());
    v1::ChallengeResponse response;
    response.set_challenge_id(std::string(16, 'c'));
    response.set_encapsulated(ToString(sealed->encapsulated));
    response.set_ciphertext(ToString(sealed->ciphertext));
    return Reply(response);
  }
  absl::StatusOr<HttpResponse> Enroll(const std::string& body) {
    v1::EnrollRequest request;
    REQUIRE(JsonToMessage(body, &request).ok());
    CHECK(request.challenge_answer() == answer_);
    CHECK(request.token_secret() == std::string(16, 's'));
    const auto key = crypto::ToEd25519PublicKey(AsBytes(request.statement_public_key())).value();
    CHECK(crypto::Ed25519Verify(key, exchange::EnrollProofMessage(request),
                                AsBytes(request.proof())));
    enrolments.push_back(request);
    if (lose_answer) {
      lose_answer = false;
      return absl::DeadlineExceededError("the answer was lost");
    }
    v1::EnrollResponse response = Member(request);
    if (spoil_answer) {
      response.mutable_genesis()->mutable_record()->mutable_statement()->append(" ");
    }
    return Reply(response);
  }
  absl::StatusOr<HttpResponse> Renew(const std::string& body) {
    v1::RenewRequest request;
    REQUIRE(JsonToMessage(body, &request).ok());
    const auto key =
        crypto::ToEd25519PublicKey(AsBytes(enrolments.front().statement_public_key())).value();
    CHECK(
        crypto::Ed25519Verify(key, exchange::RenewProofMessage(request), AsBytes(request.proof())));
    v1::EnrollResponse response;
    response.set_certificate_pem(
        Certificate(request.csr_pem(), ToTime(request.at()) - absl::Minutes(1)));
    response.set_ca_certificate_pem(federation_.authority.certificate_pem());
    return Reply(response);
  }
  std::string Certificate(const std::string& csr, absl::Time from) {
    const auto verified = crypto::VerifyCertificateRequest(csr);
    REQUIRE(verified.ok());
    return crypto::IssueCertificate(federation_.authority,
                                    {.spki = verified->spki,
                                     .id = verified->id,
                                     .client = true,
                                     .validity = {from, from + absl::Hours(168)}},
                                    federation_.rng)
        .value();
  }
  // The same worker gets the same record again.
  v1::EnrollResponse Member(const v1::EnrollRequest& request) {
    if (!enrolled_.has_value()) {
      v1::WorkerEnrolled enrolled;
      *enrolled.mutable_common() = federation_.Common();
      enrolled.set_worker_id("w-bbbbbbbbbbbbbbbb");
      enrolled.set_spiffe_id(federation_.facts.spiffe_id.ToString());
      enrolled.set_region("sg");
      enrolled.set_supplier("lion");
      enrolled.set_slot("sg-1");
      enrolled.set_token_sha256(std::string(32, 't'));
      const auto csr = crypto::VerifyCertificateRequest(request.csr_pem());
      REQUIRE(csr.ok());
      enrolled.set_tls_spki_sha256(ToString(crypto::Sha256(csr->spki)));
      enrolled.set_statement_public_key(request.statement_public_key());
      enrolled.set_wrapping_public_key(request.wrapping_public_key());
      enrolled_ = federation_.AppendBy(federation_.coordinator_key, enrolled);
    }
    v1::EnrollResponse response;
    response.set_worker_id("w-bbbbbbbbbbbbbbbb");
    response.set_certificate_pem(Certificate(request.csr_pem(), TestNow() - absl::Hours(1)));
    response.set_ca_certificate_pem(federation_.authority.certificate_pem());
    *response.mutable_genesis() = federation_.log.Prove(0, federation_.log.size());
    *response.mutable_enrolled() = federation_.log.Prove(*enrolled_, federation_.log.size());
    response.set_head(federation_.log.Head());
    return response;
  }

  TestFederation& federation_;
  std::string answer_;
  std::optional<std::uint64_t> enrolled_;
};

struct Enrolment {
  Enrolment() : service(federation), state(StateDir::Open(directory.path() / "state").value()) {
    WriteToken(TestNow() + absl::Hours(24));
  }
  void WriteToken(absl::Time expires) {
    exchange::JoinToken token;
    token.addresses = federation.facts.addresses;
    token.https_addresses = federation.facts.https_addresses;
    token.ca_spki_sha256 = federation.facts.ca_spki_sha256;
    token.log_vkey = federation.facts.log_vkey;
    token.genesis_leaf = federation.facts.genesis_leaf;
    token.region = "sg";
    token.supplier = "lion";
    token.slot = "sg-1";
    token.trust_domain = "digits.acme.example";
    token.secret = crypto::SecretBytes::Copy(AsBytes(std::string(16, 's')));
    token.expires = expires;
    const auto text = exchange::EncodeJoinToken(token);
    REQUIRE(text.ok());
    REQUIRE(WriteFileAtomic(directory.path() / "token", text->View()).ok());
  }
  absl::StatusOr<Enrolled> Run(bool with_token = true) {
    return LoadOrEnrol(
        Parts(), with_token ? std::optional(directory.path() / "token") : std::nullopt, statement);
  }
  EnrolParts Parts() {
    return {.state = state,
            .clock = clock,
            .rng = federation.rng,
            .call = [this](const HttpCallOptions& options, const HttpRequest& request) {
              return service.Call(options, request);
            }};
  }
  TestDirectory directory;
  TestFederation federation;
  FakeEnrolment service;
  StateDir state;
  TestClock clock;
  v1::WorkerStatement statement;
};

TEST_CASE("Enrolment: a token makes a member, and the next start needs none") {
  Enrolment e;
  {
    const auto enrolled = e.Run();
    INFO(enrolled.status());
    REQUIRE(enrolled.ok());
    CHECK(enrolled->identity.worker_id == "w-bbbbbbbbbbbbbbbb");
  }
  CHECK(e.service.paths ==
        std::vector<std::string>{"/carnet.v1.Enrolment/Challenge", "/carnet.v1.Enrolment/Enroll"});
  const auto again = e.Run(false);
  REQUIRE(again.ok());
  CHECK(again->identity.worker_id == "w-bbbbbbbbbbbbbbbb");
  CHECK(e.service.paths.size() == 2);
}

TEST_CASE("Enrolment: after a lost answer the same request is sent again, with the same keys") {
  Enrolment e;
  e.service.lose_answer = true;
  CHECK(e.Run().status().code() == absl::StatusCode::kUnavailable);
  REQUIRE(e.Run().ok());
  REQUIRE(e.service.enrolments.size() == 2);
  const v1::EnrollRequest& first = e.service.enrolments[0];
  const v1::EnrollRequest& second = e.service.enrolments[1];
  CHECK(first.csr_pem() == second.csr_pem());
  CHECK(first.request_id() == second.request_id());
  CHECK(first.statement_public_key() == second.statement_public_key());
  CHECK(first.wrapping_public_key() == second.wrapping_public_key());
}

TEST_CASE("Enrolment: an answer that does not hold leaves no membership") {
  Enrolment e;
  e.service.spoil_answer = true;
  CHECK(e.Run().status().code() == absl::StatusCode::kUnauthenticated);
  CHECK_FALSE(std::filesystem::exists(e.state.enrolment()));
  e.service.spoil_answer = false;
  CHECK(e.Run().ok());
}

TEST_CASE("Enrolment: no token, an expired one, and garbage are told apart") {
  Enrolment e;
  CHECK(e.Run(false).status().code() == absl::StatusCode::kFailedPrecondition);
  e.WriteToken(TestNow());
  CHECK(e.Run().status().message() == "join token: it has expired");
  REQUIRE(WriteFileAtomic(e.directory.path() / "token", AsBytes("garbage!")).ok());
  CHECK(e.Run().status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(e.service.paths.empty());
}

TEST_CASE(
    "Enrolment: nobody there is worth a retry, and nothing secret is in the file that stays") {
  Enrolment e;
  e.service.unreachable = 1;
  CHECK(e.Run().status().code() == absl::StatusCode::kUnavailable);
  const std::string kept =
      ToString(ReadFile(e.state.federation(), kFederationFileBytesMax).value());
  CHECK(kept.find(Base64UrlEncode(AsBytes(std::string(16, 's')))) == std::string::npos);
  CHECK(ParseFederationJson(kept)->genesis_leaf == e.federation.facts.genesis_leaf);
  CHECK_FALSE(ParseFederationJson(kept + "x").ok());
}

TEST_CASE("Enrolment: the certificate is renewed at a third of its life, and kept") {
  Enrolment e;
  auto enrolled = e.Run();
  REQUIRE(enrolled.ok());
  const std::string first = enrolled->answer.certificate_pem();
  CHECK_FALSE(RenewalDue(*enrolled, TestNow() - absl::Hours(1) + absl::Hours(55)).value());
  const absl::Time due = TestNow() - absl::Hours(1) + absl::Hours(56);
  CHECK(RenewalDue(*enrolled, due).value());
  e.clock.now = due;
  REQUIRE(Renew(e.Parts(), &*enrolled).ok());
  CHECK(enrolled->answer.certificate_pem() != first);
  CHECK_FALSE(RenewalDue(*enrolled, due).value());
  const auto reloaded = e.Run(false);
  REQUIRE(reloaded.ok());
  CHECK(reloaded->answer.certificate_pem() == enrolled->answer.certificate_pem());
}

}  // namespace
}  // namespace carnet::worker
