// Metrics come home inside a signed contribution, or with an evaluation: what lets them come is
// decided again wherever the delta is, and a coordinator that leaves it out is found.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "coordinator/core/reasons.h"
#include "coordinator/core/transfers.h"
#include "scenario/audit_world.h"
#include "scenario/policy_office.h"
#include "scenario/transfers_of.h"

namespace carnet::coordinator {
namespace {

using absl::StatusCode;
using ledger::verifier::Verdict;

// A bundle that lets no metrics leave that place comes into force, by one signature. Of the tests'
// day it says nothing: one of the demo's has metrics come home.
void ForbidMetrics(World& world, const std::string& from) {
  PolicyOffice office(world);
  nlohmann::json bundle = office.Json();
  PolicyOffice::Policy(bundle, "house")["rules"].push_back(
      {{"id", "no-metrics"},
       {"effect", "deny"},
       {"when",
        {{"op", {{"is", "send_metrics"}}},
         {"from.jurisdiction", {{"is", from}}},
         {"at", {{"before", "2026-11-20"}}}}}});
  const auto next = office.Next(bundle);
  REQUIRE(office.Propose(next).ok());
  REQUIRE(world.Do(ActivatePolicy{kOperator, ToBytes(AsText(next->sha256()))}).ok());
  REQUIRE(world.state().bundle->sha256() == next->sha256());
}

std::string OpenTheRound(World& world, bool evaluate = false) {
  const std::string job = world.Submit(2, 2, evaluate);
  world.Settle();
  REQUIRE(world.state().jobs.at(job).round.has_value());
  return job;
}

template <typename Decisions>
void ExpectMetricsAlone(const Decisions& decisions) {
  std::size_t denied = 0;
  for (const v1::Decision& decision : decisions) {
    if (decision.verdict() != v1::VERDICT_ALLOW) {
      ++denied;
      CHECK(decision.flow().operation() == v1::OPERATION_SEND_METRICS);
      CHECK(decision.failures(0).reason() == "house/no-metrics");
    }
  }
  CHECK(denied == 1);
}

std::map<std::string, std::string> LeftOut(const World& world) {
  std::map<std::string, std::string> reasons;
  const auto& closed = world.At<v1::RoundClosed>(world.Find("round-closed").back());
  for (const v1::LeftOut& out : closed.left_out()) {
    reasons[out.worker_id()] = out.reason();
  }
  return reasons;
}

void ExpectGood(const World& world) {
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

void ExpectFound(const World& world, const std::string& check, std::uint64_t index) {
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, check);
  REQUIRE(finding != nullptr);
  CHECK(finding->index == index);
}

TEST_CASE("Metrics: a bundle that forbids them in mid-upload cuts the delta that they come with") {
  World world = WorldWithEvidence(641);
  const std::string job = OpenTheRound(world);
  const TransferName name = TransferOf(world, "sg-1", true);
  REQUIRE(Look(world, name).kind == Standing::Kind::kMayMove);
  ForbidMetrics(world, "SG");
  REQUIRE(Look(world, name).kind == Standing::Kind::kCut);
  CHECK(Look(world, TransferOf(world, "sg-1", false)).kind == Standing::Kind::kMayMove);
  CHECK(Look(world, TransferOf(world, "fr-1", true)).kind == Standing::Kind::kMayMove);
  REQUIRE(world.Do(CutOf(name, 400)).ok());
  const auto& cut = world.At<v1::TransferCut>(world.Find("transfer-cut").back());
  CHECK(cut.reason() == reasons::kRefused);
  CHECK(cut.direction() == "upload");
  CHECK(cut.bytes_crossed() == 400);
  ExpectMetricsAlone(cut.decisions());
  for (const char* slot : {"ae-1", "fr-1"}) {
    REQUIRE(world.Do(world.Contribute(job, slot)).ok());
  }
  world.Settle();
  CHECK(LeftOut(world).at(name.worker_id) == reasons::kCut);
  ExpectGood(world);
}

TEST_CASE("Metrics: a bundle that forbids them stops the first byte of the delta") {
  World world = WorldWithEvidence(642);
  OpenTheRound(world);
  const TransferName name = TransferOf(world, "sg-1", true);
  const RecheckTask recheck{name.worker_id, name.task_id, name.ticket_id, true};
  REQUIRE(world.Do(recheck)->answer.ok());
  ForbidMetrics(world, "SG");
  const auto refused = world.Do(recheck);
  REQUIRE(refused.ok());
  CHECK(refused->answer.code() == StatusCode::kPermissionDenied);
  const auto& refusal = world.At<v1::Refusal>(world.Find("refusal").back());
  CHECK(refusal.worker_id() == name.worker_id);
  ExpectMetricsAlone(refusal.decisions());
  ExpectGood(world);
}

TEST_CASE("Metrics: when the delta came whole before, its contribution is not taken any more") {
  World world = WorldWithEvidence(643);
  const std::string job = OpenTheRound(world);
  const TransferName name = TransferOf(world, "sg-1", true);
  const SubmitContribution late = world.Contribute(job, "sg-1");
  ForbidMetrics(world, "SG");
  const auto refused = world.Do(late);
  REQUIRE(refused.ok());
  CHECK(refused->answer.code() == StatusCode::kPermissionDenied);
  REQUIRE(refused->records.size() == 1);
  const auto& cut = world.At<v1::TransferCut>(world.Find("transfer-cut").back());
  CHECK(cut.ticket_id() == name.ticket_id);
  CHECK(cut.bytes_crossed() == late.contribution.sealed_bytes());
  ExpectMetricsAlone(cut.decisions());
  CHECK(world.Find("contribution").empty());
  CHECK(world.state().jobs.at(job).round->contributions.empty());
  CHECK(world.Do(late).status().code() == StatusCode::kFailedPrecondition);
  for (const char* slot : {"ae-1", "fr-1"}) {
    REQUIRE(world.Do(world.Contribute(job, slot)).ok());
  }
  world.Settle();
  CHECK(LeftOut(world).at(name.worker_id) == reasons::kCut);
  ExpectGood(world);
}

TEST_CASE("Metrics: a round closes on those that may still come home, with a decision for each") {
  World world = WorldWithEvidence(644);
  const std::string job = OpenTheRound(world);
  world.ContributeAll(job);
  ForbidMetrics(world, "SG");
  REQUIRE(world.Do(CloseRound{job}).ok());
  CHECK(LeftOut(world).at(world.worker("sg-1").id) == reasons::kRefused);
  const auto& closed = world.At<v1::RoundClosed>(world.Find("round-closed").back());
  REQUIRE(closed.included_size() == 2);
  for (const v1::Included& included : closed.included()) {
    CHECK(std::any_of(included.authorisations().begin(), included.authorisations().end(),
                      [](const v1::Authorisation& authorisation) {
                        return authorisation.flow().operation() == v1::OPERATION_SEND_METRICS;
                      }));
  }
  world.Settle();
  ExpectGood(world);
}

TEST_CASE("Metrics: an evaluation whose figures may not come home any more ends without them") {
  World world = WorldWithEvidence(645);
  const std::string job = OpenTheRound(world, true);
  world.ContributeAll(job);
  world.Settle();
  REQUIRE(world.state().jobs.at(job).evaluation.has_value());
  const SubmitEvaluation figures = Evaluate(world, job);
  ForbidMetrics(world, "DE");
  const auto refused = world.Do(figures);
  REQUIRE(refused.ok());
  CHECK(refused->answer.code() == StatusCode::kPermissionDenied);
  CHECK(world.Find("evaluation").empty());
  CHECK(world.At<v1::EvaluationAbandoned>(world.Find("evaluation-abandoned").back()).reason() ==
        reasons::kRefused);
  ExpectMetricsAlone(world.At<v1::Refusal>(world.Find("refusal").back()).decisions());
  CHECK_FALSE(world.state().jobs.at(job).evaluation.has_value());
  ExpectGood(world);
}

TEST_CASE("Metrics: a coordinator that takes them all the same is found") {
  World world = WorldWithEvidence(646);
  SECTION("with a contribution") {
    const std::string job = OpenTheRound(world);
    const v1::Contribution contribution = world.Contribute(job, "sg-1").contribution;
    ForbidMetrics(world, "SG");
    world.Forge(contribution, world.worker("sg-1").key);
  }
  SECTION("with an evaluation") {
    const std::string job = OpenTheRound(world, true);
    world.ContributeAll(job);
    world.Settle();
    const v1::Evaluation evaluation = Evaluate(world, job).evaluation;
    ForbidMetrics(world, "DE");
    world.Forge(evaluation, world.worker("home-1").key);
  }
  ExpectFound(world, "accepted", world.signed_log().size() - 1);
}

TEST_CASE("Metrics: a coordinator that closes a round without deciding on them is found") {
  World world = WorldWithEvidence(647);
  const std::string job = OpenTheRound(world);
  world.ContributeAll(job);
  world.SetDoctor([](ledger::Predicate& predicate) {
    if (auto* closed = predicate.As<v1::RoundClosed>(); closed != nullptr) {
      for (v1::Included& included : *closed->mutable_included()) {
        auto& given = *included.mutable_authorisations();
        given.erase(std::remove_if(given.begin(), given.end(),
                                   [](const v1::Authorisation& authorisation) {
                                     return authorisation.flow().operation() ==
                                            v1::OPERATION_SEND_METRICS;
                                   }),
                    given.end());
      }
    }
  });
  REQUIRE(world.Do(CloseRound{job}).ok());
  ExpectFound(world, "decision-missing", world.Find("round-closed").back());
}

}  // namespace
}  // namespace carnet::coordinator
