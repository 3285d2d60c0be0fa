#include <catch2/catch.hpp>
#include <set>

#include "tests/unit/worker/test_support.h"
#include "worker/core/receipts.h"
#include "worker/core/seeds.h"
#include "worker/core/session.h"

namespace carnet::worker {
namespace {

// ---- identity ----

TEST_CASE("Identity: it follows from the token by proofs alone") {
  const TestFederation federation;
  const auto identity =
      EstablishIdentity(federation.facts, federation.PublicKeys(), federation.Answer(), TestNow());
  REQUIRE(identity.ok());
  CHECK(AsText(identity->keys->StatementKeyAt(1)) ==
        AsText(federation.coordinator_key.public_key()));
  CHECK(identity->home_jurisdiction == "DE");
  CHECK(identity->supplier == "lion");
}

TEST_CASE("Identity: an answer that contradicts the token is refused") {
  const TestFederation federation;
  const auto refused = [&](const FederationFacts& facts, const OwnPublicKeys& keys,
                           const v1::EnrollResponse& answer) {
    return !EstablishIdentity(facts, keys, answer, TestNow()).ok();
  };
  FederationFacts facts = federation.facts;
  facts.genesis_leaf[0] ^= 1;
  CHECK(refused(facts, federation.PublicKeys(), federation.Answer()));
  facts = federation.facts;
  facts.ca_spki_sha256[0] ^= 1;
  CHECK(refused(facts, federation.PublicKeys(), federation.Answer()));
  facts = federation.facts;
  facts.trust_domain = "other.example";
  CHECK(refused(facts, federation.PublicKeys(), federation.Answer()));
  facts = federation.facts;
  facts.spiffe_id = crypto::SpiffeId::Worker("digits.acme.example", "sg", "lion", "sg-2").value();
  CHECK(refused(facts, federation.PublicKeys(), federation.Answer()));

  OwnPublicKeys keys = federation.PublicKeys();
  keys.wrapping[0] ^= 1;
  CHECK(refused(federation.facts, keys, federation.Answer()));
  keys = federation.PublicKeys();
  keys.tls_spki[40] ^= 1;
  CHECK(refused(federation.facts, keys, federation.Answer()));

  v1::EnrollResponse answer = federation.Answer();
  answer.set_worker_id("w-bbbbbbbbbbbbbbbb");
  CHECK(refused(federation.facts, federation.PublicKeys(), answer));
  answer = federation.Answer();
  *answer.mutable_genesis() = answer.enrolled();
  CHECK(refused(federation.facts, federation.PublicKeys(), answer));
  answer = federation.Answer();
  answer.set_certificate_pem(federation.authority.certificate_pem());
  CHECK(refused(federation.facts, federation.PublicKeys(), answer));
  answer = federation.Answer();
  answer.mutable_head()->append("x");
  CHECK(refused(federation.facts, federation.PublicKeys(), answer));
}

TEST_CASE(
    "Identity: an expired certificate is refused at enrolment, not when it is due for renewal") {
  const TestFederation federation;
  const absl::Time later = TestNow() + absl::Hours(500);
  CHECK_FALSE(
      EstablishIdentity(federation.facts, federation.PublicKeys(), federation.Answer(), later)
          .ok());
  CHECK(EstablishIdentity(federation.facts, federation.PublicKeys(), federation.Answer(),
                          absl::InfinitePast())
            .ok());
}

// ---- receipts and heads ----

v1::SignedRecord SomeRecord(TestFederation& federation) {
  v1::JobStarted started;
  v1::UserEnrolled user;
  *user.mutable_common() = federation.Common();
  user.set_user_id("u-cccccccccccccccc");
  user.set_public_key(ToString(federation.user_key.public_key()));
  return federation.Sign(user, federation.coordinator_key);
}

struct ReceiptCase {
  TestFederation federation;
  v1::SignedRecord record;
  v1::Receipt receipt;
  std::uint64_t receipt_size = 0;

  ReceiptCase() {
    record = SomeRecord(federation);
    const std::uint64_t index = federation.log.Append(record);
    receipt_size = federation.log.size();
    *receipt.mutable_proof() = federation.log.Prove(index, receipt_size).proof();
    receipt.set_head(federation.log.Head());
  }
  ledger::verifier::HeadTracker TrackerAt(std::uint64_t size) const {
    return ledger::verifier::HeadTracker::Create(federation.log.key(), federation.log.Head(size))
        .value();
  }
};

TEST_CASE("Receipt: a newer head becomes the remembered one") {
  ReceiptCase c;
  auto tracker = c.TrackerAt(1);
  const auto wanted = ProofFor(tracker, c.federation.log.key(), c.receipt.head());
  REQUIRE(wanted.ok());
  REQUIRE(wanted->has_value());
  CHECK((*wanted)->old_size == 1);
  CHECK((*wanted)->new_size == c.receipt_size);
  std::optional<ledger::verifier::Fork> fork;
  CHECK(CheckReceipt(c.record, c.receipt, {}, c.federation.log.key(), &tracker, &fork).code() ==
        absl::StatusCode::kNotFound);
  CHECK(CheckReceipt(c.record, c.receipt, c.federation.log.Consistency(1, c.receipt_size),
                     c.federation.log.key(), &tracker, &fork)
            .ok());
  CHECK(tracker.head()->tree.size == c.receipt_size);
  CHECK_FALSE(fork.has_value());
}

TEST_CASE("Receipt: an older head is taken when the remembered one extends it") {
  ReceiptCase c;
  c.federation.log.Append(SomeRecord(c.federation));
  const std::uint64_t size = c.federation.log.size();
  auto tracker = c.TrackerAt(size);
  std::optional<ledger::verifier::Fork> fork;
  CHECK(CheckReceipt(c.record, c.receipt, c.federation.log.Consistency(c.receipt_size, size),
                     c.federation.log.key(), &tracker, &fork)
            .ok());
  CHECK(tracker.head()->tree.size == size);
}

TEST_CASE("Receipt: one for another record, or with another path, proves nothing") {
  ReceiptCase c;
  auto tracker = c.TrackerAt(c.receipt_size);
  std::optional<ledger::verifier::Fork> fork;
  CHECK(
      CheckReceipt(SomeRecord(c.federation), c.receipt, {}, c.federation.log.key(), &tracker, &fork)
          .code() == absl::StatusCode::kUnauthenticated);
  v1::Receipt spoiled = c.receipt;
  (*spoiled.mutable_proof()->mutable_hashes(0))[0] ^= 1;
  CHECK_FALSE(CheckReceipt(c.record, spoiled, {}, c.federation.log.key(), &tracker, &fork).ok());
  CHECK_FALSE(fork.has_value());
}

TEST_CASE("Receipt: a head of another history is a fork, and both heads are kept as evidence") {
  ReceiptCase c;
  // The same size, another root: the log signed both.
  TestLog other = c.federation.log;
  other.Tamper(1);
  v1::Receipt receipt = c.receipt;
  *receipt.mutable_proof() = other.Prove(c.receipt_size - 1, c.receipt_size).proof();
  receipt.set_head(other.Head());
  auto tracker = c.TrackerAt(c.receipt_size);
  std::optional<ledger::verifier::Fork> fork;
  CHECK(CheckReceipt(c.record, receipt, {}, c.federation.log.key(), &tracker, &fork).code() ==
        absl::StatusCode::kDataLoss);
  REQUIRE(fork.has_value());
  CHECK(ledger::verifier::VerifyForkEvidence(fork->evidence, c.federation.log.key()).ok());
}

TEST_CASE("Receipt: an older head that the remembered one does not extend is a fork") {
  ReceiptCase c;
  TestLog other = c.federation.log;
  other.Tamper(0);
  other.Append(SomeRecord(c.federation));
  auto tracker = ledger::verifier::HeadTracker::Create(other.key(), other.Head()).value();
  std::optional<ledger::verifier::Fork> fork;
  CHECK(CheckReceipt(c.record, c.receipt, other.Consistency(c.receipt_size, other.size()),
                     c.federation.log.key(), &tracker, &fork)
            .code() == absl::StatusCode::kDataLoss);
  CHECK(fork.has_value());
}

TEST_CASE("Receipt: it is kept as a C2SP tlog-proof") {
  const ReceiptCase c;
  const auto text = ReceiptFile(c.receipt);
  REQUIRE(text.ok());
  CHECK(text->rfind("c2sp.org/tlog-proof@v1\nindex 2\n", 0) == 0);
  CHECK(text->substr(text->size() - c.receipt.head().size()) == c.receipt.head());
  v1::Receipt bad = c.receipt;
  bad.mutable_proof()->add_hashes("short");
  CHECK_FALSE(ReceiptFile(bad).ok());
}

// ---- session ----

v1::NextTaskResponse Offer(const char* task_id) {
  v1::NextTaskResponse response;
  response.mutable_task()->set_task_id(task_id);
  return response;
}

TEST_CASE("Session: an idle worker starts what it is offered, once") {
  Session session;
  CHECK(session.OnResponse({}).step == Step::kPoll);
  CHECK(session.OnResponse(Offer("a")).step == Step::kStart);
  session.OnTaskStarted("a");
  CHECK(session.current_task() == "a");
  CHECK(session.OnResponse(Offer("a")).step == Step::kPoll);
  session.OnTaskEnded("a");
  CHECK(session.idle());
  // The answer that crossed with the end.
  const NextStep again = session.OnResponse(Offer("a"));
  CHECK(again.step == Step::kPoll);
  CHECK(again.pause >= kDeclinedPause);
  CHECK(session.OnResponse(Offer("b")).step == Step::kStart);
}

TEST_CASE("Session: a task without an id is none, and not asked for again at once") {
  Session session;
  const NextStep next = session.OnResponse(Offer(""));
  CHECK(next.step == Step::kPoll);
  CHECK(next.pause >= kDeclinedPause);
}

TEST_CASE("Session: a busy worker keeps its task until the coordinator cancels it, once") {
  Session session;
  session.OnTaskStarted("a");
  const NextStep other = session.OnResponse(Offer("b"));
  CHECK(other.step == Step::kPoll);
  CHECK(other.pause >= kDeclinedPause);
  v1::NextTaskResponse cancel;
  cancel.set_cancel_current(true);
  CHECK(session.OnResponse(cancel).step == Step::kCancel);
  const NextStep again = session.OnResponse(cancel);
  CHECK(again.step == Step::kPoll);
  CHECK(again.pause >= kDeclinedPause);
  session.OnTaskEnded("a");
  CHECK(session.OnResponse(Offer("b")).step == Step::kStart);
}

TEST_CASE("Session: a draining worker finishes its task and starts no other") {
  Session session;
  session.OnTaskStarted("a");
  session.Drain();
  CHECK(session.OnResponse(Offer("b")).step == Step::kPoll);
  session.OnTaskEnded("a");
  CHECK(session.OnResponse(Offer("b")).step == Step::kStop);
}

TEST_CASE("Session: the coordinator's pause is bounded") {
  Session session;
  v1::NextTaskResponse response;
  response.set_poll_again_millis(~std::uint32_t{0});
  CHECK(session.OnResponse(response).pause == kPollPauseMax);
}

// ---- seeds ----

TEST_CASE("Seeds: they differ by job, round and worker, and are the same each time") {
  const Digest job{1};
  std::set<std::uint64_t> seeds = {FitSeed(job, 1, "/a"), FitSeed(job, 2, "/a"),
                                   FitSeed(job, 1, "/b"), FitSeed(Digest{2}, 1, "/a")};
  CHECK(seeds.size() == 4);
  CHECK(FitSeed(job, 1, "/a") == FitSeed(job, 1, "/a"));
  CHECK(*seeds.rbegin() < (std::uint64_t{1} << 53));
}

TEST_CASE("Seeds: known answers, recomputed by an independent HKDF") {
  // Python, cryptography's HKDF and HKDFExpand over the inputs of seeds.h, job spec digest 00 01 ..
  // 1f, round 7, path /region/sg/supplier/lion/worker/sg-1, block 3.
  Digest job;
  for (std::size_t i = 0; i < job.size(); ++i) {
    job[i] = static_cast<std::uint8_t>(i);
  }
  const char* path = "/region/sg/supplier/lion/worker/sg-1";
  CHECK(FitSeed(job, 7, path) == 4873558051100696);
  Bytes stream(16400);
  REQUIRE(RoundingRandom(job, 7, path)(3, stream).ok());
  CHECK(HexEncode(ByteView(stream).first(16)) == "9a888531bee4f6c7cccec2700edfe02d");
  // Across the border of two pieces.
  CHECK(HexEncode(ByteView(stream).subspan(16312, 16)) == "e385def9c47739439602ab955af0d3f7");
}

}  // namespace
}  // namespace carnet::worker
