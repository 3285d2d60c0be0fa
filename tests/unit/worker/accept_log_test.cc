// A worker whose log lost records: what lets it follow the one that takes its place.
#include "worker/accept_log.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "exchange/join_token.h"
#include "tests/unit/worker/test_support.h"
#include "worker/enrol.h"
#include "worker/federation_file.h"
#include "worker/head_keeper.h"

namespace carnet::worker {
namespace {

constexpr char kNewOrigin[] = "digits.acme.example/log-2";

// A member of the old log, and the log that takes its place.
struct Succession {
  Succession() {
    StateDir state = StateDir::Open(directory.path() / "state").value();
    REQUIRE(WriteFileAtomic(state.federation(), AsBytes(FederationJson(old.facts).value())).ok());
    REQUIRE(WriteFileAtomic(state.enrolment(), AsBytes(old.Answer().SerializeAsString())).ok());
    REQUIRE(WriteFileAtomic(state.head(), AsBytes(old.log.Head())).ok());
    REQUIRE(WriteFileAtomic(state.receipts() / "3.tlog-proof", AsBytes("a receipt")).ok());
    REQUIRE(WriteFileAtomic(state.root() / "fork-2.tlog-fork", AsBytes("evidence")).ok());
  }
  std::filesystem::path StatePath() const { return directory.path() / "state"; }

  // The genesis of the new log, which admits a head of the old one.
  v1::ProvenRecord Genesis(const std::string& succeeds, const std::string& last_known) {
    v1::Genesis genesis;
    *genesis.mutable_common() = old.Common();
    genesis.set_origin(kNewOrigin);
    genesis.set_log_vkey(next.vkey());
    genesis.set_statement_public_key(ToString(old.coordinator_key.public_key()));
    genesis.mutable_succeeds()->set_origin(succeeds);
    genesis.mutable_succeeds()->set_last_known(last_known);
    const std::uint64_t index = next.Append(old.Sign(genesis, old.coordinator_key));
    return next.Prove(index, next.size());
  }
  v1::EnrollResponse Answer(const v1::ProvenRecord& genesis) {
    v1::EnrollResponse answer;
    *answer.mutable_genesis() = genesis;
    return answer;
  }
  std::filesystem::path Token(const Digest& genesis, const std::string& slot = "sg-1") {
    exchange::JoinToken token{.addresses = {"127.0.0.1:7600"},
                              .https_addresses = {"127.0.0.1:7680"},
                              .ca_spki_sha256 = old.facts.ca_spki_sha256,
                              .log_vkey = next.vkey(),
                              .genesis_leaf = genesis,
                              .region = "sg",
                              .supplier = "lion",
                              .slot = slot,
                              .trust_domain = old.facts.trust_domain,
                              .secret = crypto::SecretBytes(exchange::kJoinSecretBytes),
                              .expires = TestNow() + absl::Hours(24)};
    const auto text = exchange::EncodeJoinToken(token);
    REQUIRE(text.ok());
    REQUIRE(WriteFileAtomic(directory.path() / "token", text->View()).ok());
    return directory.path() / "token";
  }
  absl::StatusOr<AcceptedLog> Accept(const std::filesystem::path& token) {
    return AcceptLog(StatePath(), token, TestNow());
  }

  TestDirectory directory;
  TestFederation old;
  TestLog next{kNewOrigin};
};

TEST_CASE("Accept log: what the worker knew is put aside, and what it left admits a successor") {
  Succession s;
  const std::string head = s.old.log.Head();
  const v1::ProvenRecord genesis = s.Genesis("digits.acme.example/log", head);
  const auto token = s.Token(s.next.leaf(0));
  for (int calls = 0; calls < 2; ++calls) {  // The second one finds it done.
    const auto accepted = s.Accept(token);
    INFO(accepted.status());
    REQUIRE(accepted.ok());
    CHECK(accepted->old_origin == "digits.acme.example/log");
    CHECK(accepted->old_size == s.old.log.size());
    CHECK(accepted->origin == kNewOrigin);
    for (const char* name :
         {"federation.json", "enrolment.pb", "head", "fork-2.tlog-fork", "receipts/3.tlog-proof"}) {
      CAPTURE(name);
      CHECK(std::filesystem::exists(accepted->kept / name));
    }
  }
  const StateDir state = StateDir::Open(s.StatePath()).value();
  CHECK_FALSE(std::filesystem::exists(state.enrolment()));
  CHECK_FALSE(std::filesystem::exists(state.head()));
  CHECK_FALSE(state.ForkEvidence().has_value());
  CHECK(CheckAccepted(state, s.Answer(genesis)).ok());
}

TEST_CASE("Accept log: a successor that admits less than this worker saw is misbehaviour") {
  Succession s;
  const v1::ProvenRecord genesis =
      s.Genesis("digits.acme.example/log", s.old.log.Head(s.old.log.size() - 1));
  REQUIRE(s.Accept(s.Token(s.next.leaf(0))).ok());
  const StateDir state = StateDir::Open(s.StatePath()).value();
  const absl::Status status = CheckAccepted(state, s.Answer(genesis));
  CHECK(absl::IsDataLoss(status));
  CHECK(IsFork(status));
}

TEST_CASE(
    "Accept log: another log than the accepted one, or one that succeeds nothing, is refused") {
  Succession s;
  s.Genesis("digits.acme.example/log", s.old.log.Head());
  REQUIRE(s.Accept(s.Token(s.next.leaf(0))).ok());
  const StateDir state = StateDir::Open(s.StatePath()).value();
  const v1::ProvenRecord other = s.Genesis("digits.acme.example/log", s.old.log.Head());
  CHECK(absl::IsUnauthenticated(CheckAccepted(state, s.Answer(other))));
  Succession t;
  const v1::ProvenRecord stranger = t.Genesis("another.example/log", t.old.log.Head());
  REQUIRE(t.Accept(t.Token(t.next.leaf(0))).ok());
  CHECK(absl::IsUnauthenticated(
      CheckAccepted(StateDir::Open(t.StatePath()).value(), t.Answer(stranger))));
}

TEST_CASE("Accept log: a second successor may come in the place of one that admitted too little") {
  Succession s;
  const std::string head = s.old.log.Head();
  s.Genesis("digits.acme.example/log", s.old.log.Head(1));
  REQUIRE(s.Accept(s.Token(s.next.leaf(0))).ok());
  s.next = TestLog("digits.acme.example/log-3");
  const v1::ProvenRecord better = s.Genesis("digits.acme.example/log", head);
  const auto accepted = s.Accept(s.Token(s.next.leaf(0)));
  REQUIRE(accepted.ok());
  CHECK(accepted->old_size == s.old.log.size());
  CHECK(CheckAccepted(StateDir::Open(s.StatePath()).value(), s.Answer(better)).ok());
}

TEST_CASE("Accept log: a worker that left no log enrols without any word") {
  Succession s;
  const TestDirectory fresh;
  const StateDir state = StateDir::Open(fresh.path() / "new").value();
  CHECK(CheckAccepted(state, s.Answer(s.Genesis("x", s.old.log.Head()))).ok());
}

TEST_CASE("Accept log: a token of the same log, or of another slot, changes nothing") {
  Succession s;
  s.Genesis("digits.acme.example/log", s.old.log.Head());
  CHECK(absl::IsInvalidArgument(s.Accept(s.Token(s.next.leaf(0), "sg-2")).status()));
  CHECK(absl::IsFailedPrecondition(s.Accept(s.Token(s.old.facts.genesis_leaf)).status()));
  CHECK(std::filesystem::exists(s.StatePath() / "enrolment.pb"));
  CHECK(std::filesystem::exists(s.StatePath() / "head"));
  CHECK_FALSE(std::filesystem::exists(s.StatePath() / "accepted-log"));
}

TEST_CASE("Accept log: a member of a successor that is given up accepts the one in its place") {
  Succession s;
  const std::string head = s.old.log.Head();
  s.Genesis("digits.acme.example/log", head);
  const Digest first_successor = s.next.leaf(0);
  REQUIRE(s.Accept(s.Token(first_successor)).ok());
  // It joined, and verified a head there.
  FederationFacts facts = s.old.facts;
  facts.log_vkey = s.next.vkey();
  facts.genesis_leaf = first_successor;
  const std::string head_there = s.next.Head();
  {
    const StateDir state = StateDir::Open(s.StatePath()).value();
    REQUIRE(WriteFileAtomic(state.federation(), AsBytes(FederationJson(facts).value())).ok());
    REQUIRE(WriteFileAtomic(state.enrolment(), AsBytes(s.old.Answer().SerializeAsString())).ok());
    REQUIRE(WriteFileAtomic(state.head(), AsBytes(head_there)).ok());
  }
  s.next = TestLog("digits.acme.example/log-3");
  SECTION("it succeeds the log before both") {
    const v1::ProvenRecord genesis = s.Genesis("digits.acme.example/log", head);
    const auto accepted = s.Accept(s.Token(s.next.leaf(0)));
    INFO(accepted.status());
    REQUIRE(accepted.ok());
    CHECK(accepted->old_origin == kNewOrigin);
    const StateDir state = StateDir::Open(s.StatePath()).value();
    CHECK_FALSE(std::filesystem::exists(state.enrolment()));
    CHECK(ToString(ReadFile(accepted->kept / "head", 1 << 14).value()) == head_there);
    CHECK(CheckAccepted(state, s.Answer(genesis)).ok());
  }
  SECTION("it succeeds the log before both, and admits less than this worker saw of that") {
    const v1::ProvenRecord genesis = s.Genesis("digits.acme.example/log", s.old.log.Head(1));
    REQUIRE(s.Accept(s.Token(s.next.leaf(0))).ok());
    const StateDir state = StateDir::Open(s.StatePath()).value();
    CHECK(IsFork(CheckAccepted(state, s.Answer(genesis))));
  }
  SECTION("it succeeds the one that is given up") {
    const v1::ProvenRecord genesis = s.Genesis(kNewOrigin, head_there);
    REQUIRE(s.Accept(s.Token(s.next.leaf(0))).ok());
    const StateDir state = StateDir::Open(s.StatePath()).value();
    CHECK(CheckAccepted(state, s.Answer(genesis)).ok());
  }
}

TEST_CASE("Accept log: after a crash at any of its renames the next enrolment finds nothing old") {
  const std::vector<std::string> renames = {"enrolment.pb",
                                            "federation.json",
                                            "head",
                                            "published",
                                            "log-keys",
                                            "receipts",
                                            "policies",
                                            "policy-contradiction.txt",
                                            "policy-7.dsse.json",
                                            "policy-7.tlog-proof",
                                            "fork-2.tlog-fork"};
  for (std::size_t done = 1; done <= renames.size(); ++done) {
    CAPTURE(done);
    Succession s;
    s.Genesis("digits.acme.example/log", s.old.log.Head());
    for (const char* name : {"published", "log-keys", "policies", "policy-contradiction.txt",
                             "policy-7.dsse.json", "policy-7.tlog-proof"}) {
      REQUIRE(WriteFileAtomic(s.StatePath() / name, AsBytes("of the old log")).ok());
    }
    const auto accepted = s.Accept(s.Token(s.next.leaf(0)));
    REQUIRE(accepted.ok());
    // What a crash after `done` renames leaves.
    std::filesystem::remove(s.StatePath() / "receipts");
    for (std::size_t i = done; i < renames.size(); ++i) {
      std::filesystem::rename(accepted->kept / renames[i], s.StatePath() / renames[i]);
    }
    const StateDir state = StateDir::Open(s.StatePath()).value();
    TestRng rng(1);
    SystemClock clock;
    const auto enrolled =
        LoadOrEnrol({.state = state, .clock = clock, .rng = rng, .call = {}}, std::nullopt, {});
    CHECK(absl::IsFailedPrecondition(enrolled.status()));  // no token was given
    for (const std::string& name : renames) {
      CAPTURE(name);
      CHECK(std::filesystem::exists(accepted->kept / name));
      CHECK((name == "receipts" || !std::filesystem::exists(s.StatePath() / name)));
    }
    CHECK(std::filesystem::is_empty(state.receipts()));
    const auto keeper = HeadKeeper::Open(state, s.next.key(), s.next.Head());
    INFO(keeper.status());
    CHECK(keeper.ok());
  }
}

}  // namespace
}  // namespace carnet::worker
