// What a refusal says of other places: where the same work would pass now.
#include "coordinator/core/other_regions.h"

#include <catch2/catch.hpp>
#include <memory>

#include "coordinator/core/tasks.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

using Names = std::vector<std::string>;

constexpr char kNoGaul[] = R"(policy: no-gaul
kind: guardrail
title: No jobs at gaul
approvals: {propose: [dpo], need: 1, from: [dpo]}
effective: {from: 2026-01-01}
rules:
  - {id: never, effect: deny, when: {op: {is: place}, recipient.org: {is: gaul}}}
)";

// Everything that SG and AE workers need to be in every round; gaul's in FR gets no job.
World WithoutGaul(std::uint64_t seed) {
  World world(seed, {kNoGaul});
  for (const auto& [supplier, to] :
       {std::pair<const char*, const char*>{"lion", "SG"}, {"falcon", "AE"}}) {
    world.AddEvidence("scc-2021-914", supplier, to);
    world.AddEvidence("tia", supplier, to);
  }
  return world;
}

// Of the only refusal of that worker; each of its decisions must say the same.
Names OtherRegionsOf(const World& world, const std::string& slot) {
  std::vector<v1::Refusal> refusals;
  for (const std::uint64_t index : world.Find("refusal")) {
    if (world.At<v1::Refusal>(index).worker_id() == world.worker(slot).id) {
      refusals.push_back(world.At<v1::Refusal>(index));
    }
  }
  REQUIRE(refusals.size() == 1);
  const auto& first = refusals.front().decisions(0).other_regions();
  const Names names(first.begin(), first.end());
  for (const v1::Decision& decision : refusals.front().decisions()) {
    CHECK(Names(decision.other_regions().begin(), decision.other_regions().end()) == names);
  }
  return names;
}

void KeepLive(World* world, const std::set<std::string>& slots) {
  world->live.clear();
  for (const std::string& slot : slots) {
    world->live.insert(world->worker(slot).id);
  }
}

TEST_CASE("Other regions: who is refused in a round is told of all regions that pass in it") {
  World world = WithoutGaul(61);
  const std::string job = world.Submit(1, 2);
  world.Settle();
  CHECK(world.state().jobs.at(job).round->opened.members_size() == 2);
  // Home holds none of the job's shards, and may have those of fr-1.
  CHECK(OtherRegionsOf(world, "fr-1") == Names{"ae", "home", "sg"});
}

TEST_CASE("Other regions: a round without any eligible member says who could take the work over") {
  World world = WithoutGaul(62);
  KeepLive(&world, {"fr-1", "home-1"});
  const std::string job = world.Submit(1, 1);
  const Agenda agenda = world.Settle();
  CHECK(agenda.waiting.at(job) == "eligible workers: 0 of 1");
  CHECK(OtherRegionsOf(world, "fr-1") == Names{"home"});
}

TEST_CASE(
    "Other regions: who is not live or revoked, and the refused region itself, is not named") {
  World world = WithoutGaul(63);
  KeepLive(&world, {"fr-1", "sg-1", "home-1"});
  REQUIRE(world.Do(RevokeWorker{kOperator, world.worker("sg-1").id, "operator"}).ok());
  world.live.erase(world.worker("home-1").id);
  world.Submit(1, 1);
  world.Settle();
  CHECK(OtherRegionsOf(world, "fr-1").empty());
}

TEST_CASE("Other regions: a staging that is refused says which live workers may have the shard") {
  World world(64);
  world.AddEvidence("scc-2021-914", "lion", "SG");
  world.AddEvidence("tia", "lion", "SG");
  SECTION("home is live") {
    REQUIRE(world.Do(StageData{kOperator, "digits", "fr", "sg-1", world.live}).ok());
    CHECK(OtherRegionsOf(world, "sg-1") == Names{"home"});
  }
  SECTION("home is not") {
    KeepLive(&world, {"fr-1", "sg-1", "ae-1", "br-1"});
    REQUIRE(world.Do(StageData{kOperator, "digits", "fr", "sg-1", world.live}).ok());
    CHECK(OtherRegionsOf(world, "sg-1").empty());
  }
}

TEST_CASE("Other regions: a refusal at the first byte names them too") {
  World world(65);
  world.AddEvidence("scc-2021-914", "lion", "SG");
  world.AddEvidence("tia", "lion", "SG");
  const std::string job = world.Submit(3, 2);
  world.Settle();
  world.ContributeAll(job);
  world.Settle();
  const std::string sg = world.worker("sg-1").id;
  const auto tasks = TasksFor(world.state(), sg, world.now());
  REQUIRE(tasks.size() == 1);
  for (const auto& [id, evidence] : world.state().evidence) {
    if (evidence.terms.kind() == "tia") {
      const std::string tia = id;
      REQUIRE(world.Do(WithdrawEvidence{kOperator, tia}).ok());
      break;
    }
  }
  const auto refused =
      world.Do(RecheckTask{sg, TaskId(tasks.front().name), tasks.front().download.ticket_id(),
                           false, std::make_shared<const LiveWorkers>(world.live)});
  REQUIRE(refused.ok());
  CHECK(refused->answer.code() == absl::StatusCode::kPermissionDenied);
  CHECK(OtherRegionsOf(world, "sg-1") == Names{"fr", "home"});
}

TEST_CASE("Other regions: what the plan found out of a worker is taken as it is") {
  World world = WithoutGaul(66);
  const Job job = world.state().jobs.at(world.Submit(1, 1));
  v1::Refusal refusal;
  refusal.set_worker_id(world.worker("fr-1").id);
  refusal.add_decisions();
  OtherRegions others(world.state(), world.live, world.now());
  others.Note(world.worker("ae-1").id, false);
  others.Note(world.worker("sg-1").id, true);
  others.NameForRound(job, &refusal);
  const auto& names = refusal.decisions(0).other_regions();
  CHECK(Names(names.begin(), names.end()) == Names{"home", "sg"});
}

}  // namespace
}  // namespace carnet::coordinator
