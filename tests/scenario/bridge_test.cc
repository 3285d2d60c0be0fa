// The organisation's own Open Policy Agent as one more guardrail: when it is asked, what its word
// is worth, and for how long.
#include "coordinator/core/bridge.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/core/tasks.h"
#include "coordinator/core/transfers.h"
#include "policies/loader.h"
#include "scenario/audit_world.h"
#include "scenario/bridge_world.h"
#include "scenario/release_people.h"
#include "scenario/transfers_of.h"

namespace carnet::coordinator {
namespace {

using absl::StatusCode;
using ledger::verifier::Verdict;

TEST_CASE("Bridge: a job is held until Open Policy Agent has spoken, and goes on by itself") {
  World world = WorldOf(601, "send_model, send_delta, aggregate");
  const std::string job = world.Submit(1, 3);
  CHECK(world.Settle().waiting.at(job) ==
        "hold: the verdict of the organisation's Open Policy Agent: none is configured (bridge.opa "
        "in coordinator.yaml)");
  CHECK(world.Find("bridge-verdict").empty());
  Opa opa;
  world.bridge = opa.Caller();
  CHECK(world.Settle().waiting.count(job) == 0);
  REQUIRE(world.Find("round-opened").size() == 1);
  const std::vector<std::uint64_t> verdicts = world.Find("bridge-verdict");
  // Model and delta, for each of three places.
  CHECK(verdicts.size() == 6);
  CHECK(verdicts.back() < world.Find("round-opened").front());
  for (const std::uint64_t index : verdicts) {
    const auto& verdict = world.At<v1::BridgeVerdict>(index);
    CHECK(verdict.job_id() == job);
    CHECK(verdict.outcome() == "allowed");
    CHECK(policies::FactSet::FromJson(verdict.input())->CanonicalJson() == verdict.input());
  }
  // Nothing was refused for want of a word that came.
  const auto refused = world.Find("refusal");
  CHECK(std::none_of(refused.begin(), refused.end(), [&](std::uint64_t index) {
    return world.At<v1::Refusal>(index).worker_id() != world.worker("br-1").id;
  }));
  world.ContributeAll(job);
  world.Settle();
  CHECK(world.state().jobs.at(job).phase == JobPhase::kCompleted);
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

TEST_CASE("Bridge: its no keeps a place out, in its own words") {
  World world = WorldOf(602, "send_model");
  Opa opa;
  opa.no = "\"to.jurisdiction\":\"SG\"";
  world.bridge = opa.Caller();
  const std::string job = world.Submit(1, 2);
  world.Settle();
  REQUIRE(world.state().jobs.at(job).round.has_value());
  CHECK(world.state().jobs.at(job).round->opened.members_size() == 2);
  const v1::Refusal refusal = RefusalOf(world, "sg-1");
  REQUIRE(refusal.decisions_size() == 1);
  CHECK(refusal.decisions(0).failures(0).reason() == "opa/asks.word");
  CHECK(refusal.decisions(0).bridge() == "the organisation's Open Policy Agent said no: not there");
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

TEST_CASE("Bridge: an old no is asked about again, and refused once") {
  World world = WorldOf(611, "send_model");
  Opa opa;
  opa.no = "\"to.jurisdiction\":\"SG\"";
  world.bridge = opa.Caller();
  const std::string job = world.Submit(1, 3);
  CHECK(world.Settle().waiting.at(job) == "eligible workers: 2 of 3");
  const std::size_t refusals = world.Find("refusal").size();
  CHECK(opa.asked == 3);
  world.Advance(opa.valid_for);
  world.Settle();
  CHECK(opa.asked == 6);
  CHECK(world.Find("refusal").size() == refusals);
  opa.no.clear();
  world.Advance(opa.valid_for);
  world.Settle();
  CHECK(world.state().jobs.at(job).round.has_value());
}

TEST_CASE("Bridge: silence denies, is on record, and is asked again later and later") {
  World world = WorldOf(603, "place");
  Opa opa;
  opa.error = "timed-out";
  world.bridge = opa.Caller();
  const std::string job = world.Submit(1, 3);
  CHECK(world.Settle().waiting.at(job) ==
        "hold: the verdict of the organisation's Open Policy Agent, which does not answer");
  CHECK(opa.asked == 3);
  world.Advance(absl::Seconds(29));
  world.Settle();
  CHECK(opa.asked == 3);
  world.Advance(absl::Seconds(1));
  world.Settle();
  CHECK(opa.asked == 6);
  world.Advance(absl::Seconds(59));
  world.Settle();
  CHECK(opa.asked == 6);
  for (int i = 0; i < 10; ++i) {
    world.Advance(absl::Minutes(10));
    world.Settle();
  }
  CHECK(opa.asked == 36);
  for (const std::uint64_t index : world.Find("refusal")) {  // about Brazil nobody asks
    CHECK(world.At<v1::Refusal>(index).worker_id() == world.worker("br-1").id);
  }
  opa.error.clear();
  world.Advance(absl::Minutes(10));
  CHECK(world.Settle().waiting.count(job) == 0);
  CHECK(world.state().jobs.at(job).round.has_value());
}

TEST_CASE("Bridge: a yes is renewed while it is needed, and its end stops what moves") {
  World world = WorldOf(604, "send_model, send_delta, aggregate");
  Opa opa;
  world.bridge = opa.Caller();
  const std::string job = world.Submit(1, 3);
  world.Settle();
  const TransferName download = TransferOf(world, "sg-1", false);
  const auto standing = [&] { return Look(world, download).kind; };
  const std::size_t asked = opa.asked;
  world.Advance(absl::Seconds(170));
  world.Settle();
  CHECK(opa.asked == asked);
  world.Advance(absl::Seconds(20));
  world.Settle();
  CHECK(opa.asked > asked);
  SECTION("an answer renews it") {
    world.Advance(absl::Seconds(170));
    CHECK(standing() == Standing::Kind::kMayMove);
  }
  SECTION("silence takes nothing back, until the last answer ends") {
    opa.error = "unreachable";
    world.Advance(absl::Seconds(190));
    world.Settle();
    CHECK(standing() == Standing::Kind::kMayMove);
    world.Advance(absl::Seconds(60));
    world.Settle();
    CHECK(standing() == Standing::Kind::kCut);
  }
  SECTION("a no takes it back at once") {
    opa.no = "SG";
    world.Advance(absl::Seconds(190));
    world.Settle();
    CHECK(standing() == Standing::Kind::kCut);
  }
}

TEST_CASE("Bridge: a round that lacks its word does not close, and loses nothing") {
  World world = WorldOf(605, "send_delta, aggregate");
  Opa opa;
  world.bridge = opa.Caller();
  const std::string job = world.Submit(1, 3);
  world.Settle();
  world.Advance(absl::Minutes(5));
  opa.error = "unreachable";
  world.ContributeAll(job);
  CHECK(absl::StartsWith(world.Settle().waiting.at(job), "hold: the verdict of"));
  REQUIRE(world.state().jobs.at(job).round.has_value());
  CHECK_FALSE(world.state().jobs.at(job).round->closed.has_value());
  CHECK(world.Do(CloseRound{job}).status().code() == StatusCode::kFailedPrecondition);
  opa.error.clear();
  world.Advance(absl::Minutes(1));
  world.Settle();
  CHECK(world.state().jobs.at(job).phase == JobPhase::kCompleted);
  CHECK(world.At<v1::RoundClosed>(world.Find("round-closed").front()).included_size() == 3);
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

TEST_CASE("Bridge: an evaluation waits for its word too, and is not given up") {
  World world = WorldOf(606, "train");
  Opa opa;
  world.bridge = opa.Caller();
  const std::string job = world.Submit(1, 3, true);
  world.Settle();
  opa.error = "unreachable";
  world.ContributeAll(job);
  CHECK(absl::StartsWith(world.Settle().waiting.at(job), "hold: the verdict of"));
  CHECK(world.Find("evaluation-abandoned").empty());
  opa.error.clear();
  world.Advance(absl::Seconds(31));
  world.Settle();
  REQUIRE(world.state().jobs.at(job).evaluation.has_value());
  REQUIRE(world.Do(Evaluate(world, job)).ok());
  world.Settle();
  CHECK(world.state().jobs.at(job).phase == JobPhase::kCompleted);
}

TEST_CASE("Bridge: its word counts for the facts that it was asked with, and no others") {
  World world = WorldOf(607, "send_model");
  Opa opa;
  world.bridge = opa.Caller();
  const std::string job = world.Submit(1, 3);
  world.Settle();
  const std::size_t asked = opa.asked;
  world.Settle();
  CHECK(opa.asked == asked);
  world.AddEvidence("bcr", "lion", "SG");
  world.Settle();
  CHECK(opa.asked == asked + 1);
  CHECK(absl::StrContains(opa.last, "\"bcr\""));
}

TEST_CASE("Bridge: what other rules refuse, and what no rule asks it about, it is not asked") {
  World world = WorldOf(608, "place, send_metrics");
  Opa opa;
  world.bridge = opa.Caller();
  world.Submit(1, 3);
  world.Settle();
  for (const std::uint64_t index : world.Find("bridge-verdict")) {
    const auto& verdict = world.At<v1::BridgeVerdict>(index);
    CHECK(verdict.flow().to() != "BR");
    CHECK((verdict.flow().operation() == v1::OPERATION_PLACE ||
           verdict.flow().operation() == v1::OPERATION_SEND_METRICS));
  }
  // A round that would lack workers all the same.
  World alone = WorldOf(609, "place");
  alone.bridge = opa.Caller();
  alone.live = {alone.worker("fr-1").id};
  const std::size_t asked = opa.asked;
  const std::string job = alone.Submit(1, 2);
  CHECK(alone.Settle().waiting.at(job) == "eligible workers: 0 of 2");
  CHECK(opa.asked == asked);
}

TEST_CASE("Bridge: what a person asks for is asked about first, and decided within the call") {
  World world = WorldOf(610, "release_model, read_log");
  Opa opa;
  world.bridge = opa.Caller();
  const std::string job = TrainWhole(world, 1);
  const std::string falcon = EnrolAt(world, 3, "AE", "falcon");
  AllowedBy(world, ReadLog{kOperator});
  CHECK(opa.asked == 1);
  AllowedBy(world, ReadLog{kOperator});
  CHECK(opa.asked == 1);
  SECTION("no") {
    opa.no = "release_model";
    const auto done = world.Do(ReleaseModel{falcon, job, 0});
    REQUIRE(done.ok());
    CHECK(done->answer.code() == StatusCode::kPermissionDenied);
    CHECK(done->answer.message() == "refused by policy: opa/asks.word");
    CHECK(world.At<v1::Refusal>(*done->answer_index).decisions(0).bridge() ==
          "the organisation's Open Policy Agent said no: not there");
  }
  SECTION("no answer") {
    opa.error = "not-a-verdict";
    const auto done = world.Do(ReleaseModel{falcon, job, 0});
    REQUIRE(done.ok());
    CHECK(done->answer.message() ==
          "waits for the verdict of the organisation's Open Policy Agent (opa/asks.word): ask "
          "again when it is given");
    CHECK(world.At<v1::Refusal>(*done->answer_index).decisions(0).bridge() ==
          "the organisation's Open Policy Agent has not answered (not-a-verdict)");
    opa.error.clear();
    world.Advance(absl::Seconds(31));
    AllowedBy(world, ReleaseModel{falcon, job, 0});
  }
  SECTION("none is configured") {
    world.bridge = nullptr;
    const auto done = world.Do(ReleaseModel{falcon, job, 0});
    REQUIRE(done.ok());
    CHECK(world.At<v1::Refusal>(*done->answer_index).decisions(0).bridge() ==
          "the organisation's Open Policy Agent has not been asked about this flow");
  }
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

}  // namespace
}  // namespace carnet::coordinator
