#include <algorithm>
#include <catch2/catch.hpp>

#include "coordinator/core/reasons.h"
#include "coordinator/core/tasks.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

std::vector<std::string> ReasonsOf(const v1::Refusal& refusal) {
  std::vector<std::string> reasons;
  for (const v1::Decision& decision : refusal.decisions()) {
    for (const v1::Failure& failure : decision.failures()) {
      reasons.push_back(failure.reason());
    }
  }
  return reasons;
}

bool Contains(const std::vector<std::string>& reasons, const std::string& reason) {
  return std::find(reasons.begin(), reasons.end(), reason) != reasons.end();
}

// The refusals of one worker, newest last.
std::vector<v1::Refusal> RefusalsOf(const World& world, const std::string& slot) {
  std::vector<v1::Refusal> refusals;
  for (const std::uint64_t index : world.Find("refusal")) {
    if (world.At<v1::Refusal>(index).worker_id() == world.worker(slot).id) {
      refusals.push_back(world.At<v1::Refusal>(index));
    }
  }
  return refusals;
}

TEST_CASE(
    "Residency: a place that only the worker claims is refused, with what would make it pass") {
  World world(21);
  world.Submit(1, 2);
  world.Settle();
  const std::vector<v1::Refusal> refusals = RefusalsOf(world, "br-1");
  REQUIRE_FALSE(refusals.empty());
  CHECK(Contains(ReasonsOf(refusals.front()), "house/place-is-known"));
  CHECK_FALSE(refusals.front().decisions(0).failures(0).fix().empty());
}

TEST_CASE(
    "Residency: the model that learned from the EEA goes to the Emirates only with SCC and TIA") {
  World world(22);
  world.AddEvidence("scc-2021-914", "lion", "SG");
  world.AddEvidence("tia", "lion", "SG");
  const std::string job = world.Submit(3, 2);
  world.Settle();
  // The first model has seen nobody's data.
  CHECK(world.state().jobs.at(job).round->opened.members_size() == 3);
  world.ContributeAll(job);
  world.Settle();
  CHECK(world.state().jobs.at(job).round->opened.members_size() == 2);
  const std::vector<v1::Refusal> refusals = RefusalsOf(world, "ae-1");
  REQUIRE_FALSE(refusals.empty());
  CHECK(Contains(ReasonsOf(refusals.back()), "gdpr-chapter-v/no-allow"));
  for (const char* slot : {"fr-1", "sg-1"}) {
    REQUIRE(world.Do(world.Contribute(job, slot)).ok());
  }
  world.AddEvidence("scc-2021-914", "falcon", "AE");
  world.AddEvidence("tia", "falcon", "AE");
  world.Settle();
  CHECK(world.state().jobs.at(job).round->opened.members_size() == 3);
}

TEST_CASE(
    "Residency: raw EEA data is not staged to Singapore even with SCC and TIA, but goes home") {
  World world(23);
  world.AddEvidence("scc-2021-914", "lion", "SG");
  world.AddEvidence("tia", "lion", "SG");
  const auto refused = world.Do(StageData{kOperator, "digits", "fr", "sg-1", world.live});
  REQUIRE(refused.ok());
  CHECK(refused->answer.code() == absl::StatusCode::kPermissionDenied);
  CHECK(Contains(ReasonsOf(world.At<v1::Refusal>(*refused->answer_index)),
                 "raw-data-stays/in-the-eea"));
  CHECK(world.Find("staging-ordered").empty());
  const auto allowed = world.Do(StageData{kOperator, "digits", "fr", "home-1", world.live});
  REQUIRE(allowed.ok());
  CHECK(allowed->answer.ok());
  REQUIRE(world.Find("staging-ordered").size() == 1);
  const auto tasks = TasksFor(world.state(), world.worker("fr-1").id, world.now());
  REQUIRE(tasks.size() == 1);
  CHECK(tasks.front().name.kind == v1::TASK_KIND_SEND_SHARD);
}

TEST_CASE("Residency: an equal refusal is one record, however often it is asked for") {
  World world(24);
  for (int i = 0; i < 5; ++i) {
    REQUIRE(world.Do(StageData{kOperator, "digits", "fr", "sg-1", world.live}).ok());
  }
  CHECK(world.Find("refusal").size() == 1);
  world.Submit(1, 2);
  for (int i = 0; i < 5; ++i) {
    world.Settle();
  }
  const std::size_t refusals = world.Find("refusal").size();
  world.Settle();
  CHECK(world.Find("refusal").size() == refusals);
}

TEST_CASE(
    "Residency: a copy of a shard that is not the registered one has unknown labels, which deny") {
  World world(25);
  v1::ShardClaim claim;
  claim.set_dataset("digits");
  claim.set_shard("fr");
  claim.set_sha256(std::string(32, 'x'));
  REQUIRE(world.Do(ClaimShards{world.worker("fr-1").id, {claim}}).ok());
  const std::string job = world.Submit(1, 1);
  world.Settle();
  for (const v1::RoundMember& member : world.state().jobs.at(job).round->opened.members()) {
    CHECK(member.worker_id() != world.worker("fr-1").id);
  }
  CHECK_FALSE(RefusalsOf(world, "fr-1").empty());
}

TEST_CASE(
    "Residency: evidence that was withdrawn stops the first byte of what was allowed before") {
  World world(26);
  world.AddEvidence("scc-2021-914", "lion", "SG");
  world.AddEvidence("tia", "lion", "SG");
  const std::string job = world.Submit(3, 2);
  world.Settle();
  world.ContributeAll(job);
  world.Settle();
  const std::string sg = world.worker("sg-1").id;
  const auto tasks = TasksFor(world.state(), sg, world.now());
  REQUIRE(tasks.size() == 1);
  const RecheckTask recheck{sg, TaskId(tasks.front().name), tasks.front().download.ticket_id(),
                            false};
  const auto before = world.Do(recheck);
  REQUIRE(before.ok());
  CHECK(before->answer.ok());
  for (const auto& [id, evidence] : world.state().evidence) {
    if (evidence.terms.kind() == "tia") {
      const std::string tia = id;
      REQUIRE(world.Do(WithdrawEvidence{kOperator, tia}).ok());
      break;
    }
  }
  const auto after = world.Do(recheck);
  REQUIRE(after.ok());
  CHECK(after->answer.code() == absl::StatusCode::kPermissionDenied);
  REQUIRE(after->records.size() == 1);
  CHECK(after->repeated.empty());
  // Asked again: the same record, and it is counted.
  const auto again = world.Do(recheck);
  REQUIRE(again.ok());
  CHECK(again->answer == after->answer);
  CHECK(again->answer_index == after->answer_index);
  CHECK(again->records.empty());
  CHECK(again->repeated ==
        std::vector<v1::Operation>{v1::OPERATION_SEND_MODEL, v1::OPERATION_USE_KEY});
  CHECK(world.Do(RecheckTask{sg, recheck.task_id, "t-wrong", false}).status().code() ==
        absl::StatusCode::kPermissionDenied);
}

TEST_CASE("Residency: every member carries a decision for each thing that crosses") {
  World world(27);
  const std::string job = world.Submit(1, 2);
  world.Settle();
  for (const v1::RoundMember& member : world.state().jobs.at(job).round->opened.members()) {
    std::set<v1::Operation> decided;
    for (const v1::Authorisation& authorisation : member.authorisations()) {
      decided.insert(authorisation.flow().operation());
    }
    for (const v1::Operation operation :
         {v1::OPERATION_PLACE, v1::OPERATION_SEND_MODEL, v1::OPERATION_USE_KEY, v1::OPERATION_TRAIN,
          v1::OPERATION_SEND_DELTA, v1::OPERATION_SEND_METRICS}) {
      CHECK(decided.count(operation) == 1);
    }
  }
}

}  // namespace
}  // namespace carnet::coordinator
