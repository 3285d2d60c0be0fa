// Logs that hold together byte by byte, signed with the coordinator's own keys, and lie.
#include <catch2/catch.hpp>
#include <functional>

#include "crypto/hash.h"
#include "scenario/audit_world.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using audit::Severity;
using ledger::verifier::Verdict;

// Changes the n-th (from 1) coordinator record of a type as it is made; everything after follows
// from the lie.
template <typename Message>
void Lie(World& world, int nth, std::function<void(Message&)> change) {
  auto count = std::make_shared<int>(0);
  world.SetDoctor([=](ledger::Predicate& predicate) {
    auto* message = predicate.As<Message>();
    if (message != nullptr && ++*count == nth) {
      change(*message);
    }
  });
}

// The lie is found at the n-th record of `type`, by the check of that name.
void ExpectFound(const World& world, const std::string& type, std::size_t nth,
                 const std::string& check, Verdict verdict = Verdict::kBadEvidence) {
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == verdict);
  const audit::Finding* finding = FindingOf(report, check);
  REQUIRE(finding != nullptr);
  REQUIRE(finding->index.has_value());
  CHECK(*finding->index == world.Find(type).at(nth - 1));
  CHECK(finding->expected != finding->actual);
}

// A record that nobody decided, as the last one, is found there by that check.
void ExpectForged(World& world, const ledger::Predicate& predicate,
                  const crypto::Ed25519KeyPair& key, const std::string& check,
                  const std::vector<ledger::Subject>& subjects = {},
                  Verdict verdict = Verdict::kBadEvidence) {
  world.Forge(predicate, key, subjects);
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == verdict);
  const audit::Finding* finding = FindingOf(report, check);
  REQUIRE(finding != nullptr);
  CHECK(finding->index == world.signed_log().size() - 1);
}

ledger::Subject SubjectOf(const std::string& text) {
  return {"subject", crypto::Sha256(AsBytes(text))};
}

TEST_CASE("Audit: another digest of the facts is found") {
  World world = WorldWithEvidence(71);
  Lie<v1::RoundOpened>(world, 2, [](v1::RoundOpened& opened) {
    opened.mutable_members(1)->mutable_authorisations(2)->set_facts_sha256(std::string(32, 'f'));
  });
  TrainWhole(world, 3);
  ExpectFound(world, "round-opened", 2, "decision-facts");
}

TEST_CASE("Audit: an allowance where the bundle denies is found") {
  World world = WorldWithEvidence(72);
  // Brazil's place is only claimed, which denies; this coordinator lets it in.
  const auto lie = [&world](v1::RoundOpened& opened) {
    v1::RoundMember member = opened.members(0);
    member.set_worker_id(world.worker("br-1").id);
    member.clear_shards();
    member.add_shards("digits/br");
    member.set_shard_sha256(0, ToString(world.state().shards.at("digits/br").sha256));
    for (v1::Authorisation& authorisation : *member.mutable_authorisations()) {
      v1::Flow& flow = *authorisation.mutable_flow();
      flow.set_from(flow.from() == "AE" ? "BR" : flow.from());
      flow.set_to(flow.to() == "AE" ? "BR" : flow.to());
      flow.set_recipient(flow.recipient() == "falcon" ? "condor" : flow.recipient());
      if (!flow.label_class().empty()) {
        flow.set_label_class("BR|personal");
      }
    }
    v1::RoundOpened with = opened;
    with.clear_members();
    *with.add_members() = opened.members(0);
    *with.add_members() = member;
    *with.add_members() = opened.members(1);
    *with.add_members() = opened.members(2);
    opened = with;
  };
  Lie<v1::RoundOpened>(world, 1, lie);
  world.Submit(1, 3);
  world.Settle();
  ExpectFound(world, "round-opened", 1, "decision-verdict");
}

TEST_CASE("Audit: a member without decisions, and decisions on what nobody does, are found") {
  World world = WorldWithEvidence(73);
  SECTION("one decision is missing") {
    Lie<v1::RoundOpened>(world, 1, [](v1::RoundOpened& opened) {
      opened.mutable_members(0)->mutable_authorisations()->RemoveLast();
    });
    world.Submit(1, 3);
    world.Settle();
    ExpectFound(world, "round-opened", 1, "decision-missing");
  }
  SECTION("one is too many") {
    Lie<v1::RoundOpened>(world, 1, [](v1::RoundOpened& opened) {
      v1::Authorisation extra = opened.members(0).authorisations(0);
      extra.mutable_flow()->set_to("CN");
      *opened.mutable_members(0)->add_authorisations() = extra;
    });
    world.Submit(1, 3);
    world.Settle();
    ExpectFound(world, "round-opened", 1, "decision-without-operation");
  }
  SECTION("no ticket") {
    Lie<v1::RoundOpened>(
        world, 1, [](v1::RoundOpened& opened) { opened.mutable_members(2)->clear_upload(); });
    world.Submit(1, 3);
    world.Settle();
    ExpectFound(world, "round-opened", 1, "ticket");
  }
}

TEST_CASE("Audit: other rules, another bundle, another time and older facts are found") {
  World world = WorldWithEvidence(74);
  std::string check;
  SECTION("rules") {
    SUCCEED();
    check = "decision-rules";
    Lie<v1::RoundOpened>(world, 1, [](v1::RoundOpened& opened) {
      opened.mutable_members(0)->mutable_authorisations(0)->add_rules("house/invented");
    });
  }
  SECTION("obligations") {
    SUCCEED();
    check = "decision-obligations";
    Lie<v1::RoundOpened>(world, 1, [](v1::RoundOpened& opened) {
      opened.mutable_members(0)->mutable_authorisations(0)->add_obligations()->set_kind("x");
    });
  }
  SECTION("exceptions") {
    SUCCEED();
    check = "decision-exceptions";
    Lie<v1::RoundOpened>(world, 1, [](v1::RoundOpened& opened) {
      opened.mutable_members(0)->mutable_authorisations(0)->add_exceptions("x-1");
    });
  }
  SECTION("bundle") {
    SUCCEED();
    check = "decision-bundle";
    Lie<v1::RoundOpened>(world, 1, [](v1::RoundOpened& opened) {
      opened.mutable_basis()->set_bundle_sha256(std::string(32, 'b'));
    });
  }
  SECTION("time") {
    SUCCEED();
    check = "decision-time";
    Lie<v1::RoundOpened>(world, 1, [](v1::RoundOpened& opened) {
      opened.mutable_basis()->mutable_at()->set_seconds(opened.basis().at().seconds() - 60);
    });
  }
  SECTION("state") {
    SUCCEED();
    check = "decision-state";
    Lie<v1::RoundOpened>(
        world, 1, [](v1::RoundOpened& opened) { opened.mutable_basis()->set_state_size(3); });
  }
  world.Submit(1, 3);
  world.Settle();
  ExpectFound(world, "round-opened", 1, check);
}

TEST_CASE("Audit: an evaluator that this program does not have is missing data, not a lie") {
  World world = WorldWithEvidence(75);
  Lie<v1::RoundOpened>(world, 1,
                       [](v1::RoundOpened& opened) { opened.mutable_basis()->set_evaluator(99); });
  world.Submit(1, 3);
  world.Settle();
  ExpectFound(world, "round-opened", 1, "decision-evaluator", Verdict::kCannotDecide);
}

TEST_CASE("Audit: a refusal that the bundle would not have given is found") {
  World world = WorldWithEvidence(76);
  SECTION("another reason") {
    Lie<v1::Refusal>(world, 1, [](v1::Refusal& refusal) {
      refusal.mutable_decisions(0)->mutable_failures(0)->set_reason("house/invented");
    });
    world.Submit(1, 3);
    world.Settle();
    ExpectFound(world, "refusal", 1, "decision-verdict");
  }
  SECTION("of somebody who is allowed") {
    world.Submit(1, 3);
    world.Settle();
    v1::Refusal refusal = world.At<v1::Refusal>(world.Find("refusal").front());
    world.FillCommon(refusal.mutable_common());
    refusal.set_worker_id(world.worker("sg-1").id);
    for (v1::Decision& decision : *refusal.mutable_decisions()) {
      v1::Flow& flow = *decision.mutable_flow();
      flow.set_to(flow.to() == "BR" ? "SG" : flow.to());
      flow.set_from(flow.from() == "BR" ? "SG" : flow.from());
      flow.set_recipient("lion");
      decision.set_state_size(world.signed_log().size());
    }
    ExpectForged(world, refusal, world.statement_key(), "decision-verdict");
  }
}

TEST_CASE("Audit: a contribution of somebody who is not in the round is found") {
  World world = WorldWithEvidence(77);
  const std::string job = world.Submit(1, 3);
  world.Settle();
  v1::Contribution contribution = world.Contribute(job, "br-1").contribution;
  ExpectForged(world, contribution, world.worker("br-1").key, "contribution-member");
}

TEST_CASE("Audit: a second contribution, one in a worker's name, and one of a revoked worker") {
  World world = WorldWithEvidence(78);
  const std::string job = world.Submit(1, 3);
  world.Settle();
  SECTION("second") {
    REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
    ExpectForged(world, world.Contribute(job, "fr-1", "another").contribution,
                 world.worker("fr-1").key, "contribution-once");
  }
  SECTION("in a worker's name") {
    ExpectForged(world, world.Contribute(job, "fr-1").contribution, world.statement_key(),
                 "signer");
  }
  SECTION("revoked") {
    const v1::Contribution contribution = world.Contribute(job, "fr-1").contribution;
    REQUIRE(world.Do(RevokeWorker{kOperator, world.worker("fr-1").id, "operator"}).ok());
    ExpectForged(world, contribution, world.worker("fr-1").key, "contribution");
  }
}

TEST_CASE("Audit: a worker that was shown another history is found as misbehaviour") {
  World world = WorldWithEvidence(79);
  const std::string job = world.Submit(1, 3);
  world.Settle();
  v1::Contribution contribution = world.Contribute(job, "fr-1").contribution;
  contribution.mutable_seen()->set_root(std::string(32, 's'));
  ExpectForged(world, contribution, world.worker("fr-1").key, "seen", {}, Verdict::kMisbehaviour);
}

TEST_CASE("Audit: a second round-opened for one attempt is misbehaviour") {
  World world = WorldWithEvidence(80);
  const std::string job = world.Submit(1, 3);
  world.Settle();
  SECTION("while the first is open") {
    v1::RoundOpened again = world.state().jobs.at(job).round->opened;
    world.FillCommon(again.mutable_common());
    ExpectForged(world, again, world.statement_key(), "round-once", {}, Verdict::kMisbehaviour);
  }
  SECTION("after the first was abandoned") {
    v1::RoundOpened again = world.state().jobs.at(job).round->opened;
    REQUIRE(world.Do(AbandonRound{job, "too-few-contributions"}).ok());
    world.FillCommon(again.mutable_common());
    ExpectForged(world, again, world.statement_key(), "round-once", {}, Verdict::kMisbehaviour);
  }
}

TEST_CASE("Audit: an aggregate that leaves out, invents or weighs otherwise is found") {
  World world = WorldWithEvidence(81);
  SECTION("leaves out") {
    SUCCEED();
    Lie<v1::Aggregate>(world, 1, [](v1::Aggregate& aggregate) {
      aggregate.mutable_included()->RemoveLast();
      aggregate.mutable_weights()->RemoveLast();
    });
  }
  SECTION("invents") {
    SUCCEED();
    Lie<v1::Aggregate>(world, 1, [](v1::Aggregate& aggregate) {
      aggregate.add_included(3);
      aggregate.add_weights(1000);
    });
  }
  SECTION("weighs otherwise") {
    SUCCEED();
    Lie<v1::Aggregate>(world, 1, [](v1::Aggregate& aggregate) { aggregate.set_weights(0, 1); });
  }
  TrainWhole(world, 1);
  ExpectFound(world, "aggregate", 1, "aggregate");
}

TEST_CASE("Audit: a chain of models with a broken link is found") {
  World world = WorldWithEvidence(82);
  SECTION("aggregate from another base") {
    Lie<v1::Aggregate>(world, 2, [](v1::Aggregate& aggregate) {
      aggregate.set_base_model_sha256(std::string(32, 'm'));
    });
    TrainWhole(world, 2);
    ExpectFound(world, "aggregate", 2, "chain");
  }
  SECTION("completed with another model") {
    Lie<v1::JobCompleted>(world, 1, [](v1::JobCompleted& completed) {
      completed.set_model_sha256(std::string(32, 'm'));
    });
    TrainWhole(world, 1);
    ExpectFound(world, "job-completed", 1, "chain");
  }
}

TEST_CASE("Audit: a round that closes with what never came, or hides who came, is found") {
  World world = WorldWithEvidence(83);
  SECTION("what never came") {
    Lie<v1::RoundClosed>(world, 1,
                         [](v1::RoundClosed& closed) { closed.mutable_included(0)->set_index(2); });
    TrainWhole(world, 1);
    ExpectFound(world, "round-closed", 1, "close");
  }
  SECTION("nothing said of a member") {
    Lie<v1::RoundClosed>(world, 1,
                         [](v1::RoundClosed& closed) { closed.mutable_included()->RemoveLast(); });
    TrainWhole(world, 1);
    ExpectFound(world, "round-closed", 1, "close", Verdict::kBadEvidence);
  }
}

TEST_CASE("Audit: keys destroyed without an order, or ordered while in use, are found") {
  World world = WorldWithEvidence(84);
  world.Submit(1, 3);
  world.Settle();
  const std::string key = world.state().keys.begin()->first;
  SECTION("destroyed without an order") {
    v1::KeyDestroyed record;
    world.FillCommon(record.mutable_common());
    record.add_key_ids(key);
    ExpectForged(world, record, world.statement_key(), "key-order");
  }
  SECTION("ordered while in use") {
    v1::KeyDestructionOrdered record;
    world.FillCommon(record.mutable_common());
    record.add_key_ids(key);
    record.set_reason("round-ended");
    ExpectForged(world, record, world.statement_key(), "key");
  }
}

TEST_CASE("Audit: evidence from nowhere, of nobody, or withdrawn before it was added is found") {
  World world(85);
  SECTION("withdrawn and never added") {
    v1::EvidenceExpired record;
    world.FillCommon(record.mutable_common());
    record.set_evidence_id("e-aaaaaaaaaaaaaaaa");
    ExpectForged(world, record, world.statement_key(), "evidence", {SubjectOf("document")});
  }
  SECTION("accepted by nobody") {
    v1::EvidenceRecorded record;
    world.FillCommon(record.mutable_common());
    record.set_evidence_id("e-aaaaaaaaaaaaaaaa");
    record.set_kind("tia");
    record.set_recipient("lion");
    record.mutable_valid_to()->set_seconds(1);
    record.set_document_sha256(std::string(32, 'd'));
    record.set_accepted_by("u-zzzzzzzzzzzzzzzz");
    ExpectForged(world, record, world.statement_key(), "role");
  }
}

TEST_CASE("Audit: a time that goes back, a reused request and another signer are found") {
  World world(86);
  v1::ClockAccepted record;
  world.FillCommon(record.mutable_common());
  record.set_accepted_by(kOperator);
  SECTION("time") {
    record.mutable_common()->mutable_at()->set_seconds(1);
    ExpectForged(world, record, world.statement_key(), "time", {SubjectOf("request")});
  }
  SECTION("request") {
    REQUIRE(world.Do(AcceptClock{kOperator, world.now()}, std::string(16, 'r')).ok());
    world.AddEvidence("tia", "lion", "SG");
    record.mutable_common()->set_request_id(std::string(16, 'r'));
    ExpectForged(world, record, world.statement_key(), "request-once", {SubjectOf("request")});
  }
  SECTION("signer") {
    ExpectForged(world, record, world.worker("fr-1").key, "log", {SubjectOf("request")});
  }
}

TEST_CASE("Audit: a shard that turns up where no staging brought it is a gap") {
  World world(87);
  v1::ShardClaim claim;
  claim.set_dataset("digits");
  claim.set_shard("fr");
  claim.set_sha256(ToString(world.state().shards.at("digits/fr").sha256));
  REQUIRE(world.Do(ClaimShards{world.worker("sg-1").id, {claim}}).ok());
  const Report report = AuditWorld(world);
  CHECK(report.verdict == Verdict::kCannotDecide);
  const audit::Finding* gap = FindingOf(report, "shard-arrival");
  REQUIRE(gap != nullptr);
  CHECK(gap->severity == Severity::kGap);
  CHECK(gap->index == world.log().size() - 1);
}

TEST_CASE("Audit: a worker enrolled elsewhere than invited, and a stranger's job, are found") {
  World world(88);
  SECTION("another region") {
    v1::WorkerEnrolled record = world.At<v1::WorkerEnrolled>(world.Find("worker-enrolled").at(0));
    world.FillCommon(record.mutable_common());
    record.set_worker_id("w-aaaaaaaaaaaaaaaa");
    record.set_region("home");
    ExpectForged(world, record, world.statement_key(), "enrolment");
  }
  SECTION("a stranger's job") {
    const std::string job = world.Submit(1, 3);
    v1::JobSubmitted record = world.state().jobs.at(job).submitted;
    world.FillCommon(record.mutable_common());
    record.set_job_id("j-zzzzzzzzzzzzzzzz");
    ExpectForged(world, record, world.statement_key(), "signer");
  }
}

}  // namespace
}  // namespace carnet::coordinator
