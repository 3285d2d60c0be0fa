// In every doubt nothing crosses: the coordinator's own core, from the state to the ticket.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "absl/strings/str_cat.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/judge.h"
#include "coordinator/core/location.h"
#include "coordinator/core/plan.h"
#include "coordinator/core/tasks.h"
#include "scenario/audit_world.h"
#include "scenario/policy_office.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

constexpr char kGuardHead[] =
    "kind: guardrail\ntitle: T\napprovals: {propose: [dpo], need: 1, from: [dpo]}\n"
    "effective: {from: 2026-01-01}\nrules:\n";

// Nothing goes to exactly that place.
std::string Against(const std::string& code) {
  return absl::StrCat("policy: against\n", kGuardHead,
                      "  - {id: it, effect: deny, when: {to.jurisdiction: {is: ", code, "}}}\n");
}

void Place(World& world, const std::vector<std::string>& codes) {
  v1::RegionConfig terms;
  terms.mutable_jurisdictions()->Add(codes.begin(), codes.end());
  terms.set_supplier("gaul");
  terms.set_location_evidence(v1::LOCATION_GRADE_CONTRACT);
  REQUIRE(world.Do(RegisterRegion{kOperator, "fr", terms}).ok());
}

void ClaimAnotherCopy(World& world) {
  v1::ShardClaim claim;
  claim.set_dataset("digits");
  claim.set_shard("fr");
  claim.set_sha256(std::string(32, 'x'));
  REQUIRE(world.Do(ClaimShards{world.worker("fr-1").id, {claim}}).ok());
}

// What is on record as refused to that worker.
std::vector<std::string> ReasonsFor(const World& world, const std::string& slot) {
  std::vector<std::string> reasons;
  for (const std::uint64_t index : world.Find("refusal")) {
    const auto& refusal = world.At<v1::Refusal>(index);
    for (const v1::Decision& decision : refusal.decisions()) {
      for (const v1::Failure& failure : decision.failures()) {
        if (refusal.worker_id() == world.worker(slot).id) {
          reasons.push_back(failure.reason());
        }
      }
    }
  }
  return reasons;
}

// Why fr-1 cannot be a member of that job's round now; empty: it can.
std::vector<std::string> ReasonsNow(const World& world, const std::string& job_id) {
  const State& state = world.state();
  const Job& job = state.jobs.at(job_id);
  const Worker& worker = state.workers.at(world.worker("fr-1").id);
  const auto shards = ShardsOf(state, job.submitted.spec(), worker.terms.worker_id());
  std::vector<std::string> reasons;
  for (const auto& flows :
       {PlaceFlows(state, job, worker), SendModelFlows(state, job, worker),
        UseKeyFlows(state, job, worker), TrainFlows(state, job, worker, shards),
        SendDeltaFlows(state, job, worker, shards), SendMetricsFlows(state, job, worker)}) {
    std::uint64_t counter = 0;
    for (const v1::Decision& decision :
         DecideFlows(state, flows, world.now(), {}, &counter).decisions) {
      CHECK((decision.verdict() == v1::VERDICT_ALLOW) == decision.failures().empty());
      for (const v1::Failure& failure : decision.failures()) {
        reasons.push_back(failure.reason());
      }
    }
  }
  return reasons;
}

struct Doubt {
  const char* name;
  const char* reason;  // why fr-1 is refused
  std::string policy;  // a further one; empty: none
  std::function<void(World&)> arise;
};

std::vector<Doubt> Doubts() {
  return {
      {"labels that nobody vouches for", "uncovered/unknown", "", ClaimAnotherCopy},
      {"a place that something speaks against", "house/place-is-known", "",
       [](World& world) {
         REQUIRE(
             world.Do(ContradictLocation{kOperator, "fr", "fr-1", kObservedByOfficer, "", 0, {}})
                 .ok());
       }},
      {"people for whom no pack is there", "uncovered/KE", "",
       [](World& world) { world.AddShard("ke", "KE", 5, "fr-1"); }},
      {"a bundle that has ended", "bundle/expired", "",
       [](World& world) { world.Advance(absl::Hours(24 * 61)); }},
      {"a site in two countries, and a rule against one", "against/it", Against("AE"),
       [](World& world) {
         Place(world, {"FR", "AE"});
       }},
      {"a site in a zone, and a rule against the zone alone", "against/it", Against("AE-DIFC"),
       [](World& world) {
         Place(world, {"AE", "AE-DIFC"});
       }},
  };
}

TEST_CASE("Default deny: in each doubt a worker gets no ticket, and hears why") {
  std::uint64_t seed = 950;
  for (const Doubt& doubt : Doubts()) {
    CAPTURE(doubt.name);
    std::vector<std::string> policies;
    if (!doubt.policy.empty()) {
      policies.push_back(doubt.policy);
    }
    World sound(++seed, policies);
    CHECK(ReasonsNow(sound, sound.Submit(1, 1)).empty());
    sound.Settle();
    REQUIRE(TasksFor(sound.state(), sound.worker("fr-1").id, sound.now()).size() == 1);

    World world(++seed, policies);
    doubt.arise(world);
    const std::string job = world.Submit(1, 1);
    world.Settle();
    CHECK(TasksFor(world.state(), world.worker("fr-1").id, world.now()).empty());
    CHECK_THAT(ReasonsNow(world, job), Catch::VectorContains(std::string(doubt.reason)));
  }
}

TEST_CASE("Default deny: each jurisdiction of a site is a flow, and one no is a no") {
  World world(970, {Against("AE")});
  Place(world, {"FR", "AE"});
  const std::string job = world.Submit(1, 1);
  const Worker& worker = world.state().workers.at(world.worker("fr-1").id);
  std::uint64_t counter = 0;
  const Verdicts verdicts =
      DecideFlows(world.state(), PlaceFlows(world.state(), world.state().jobs.at(job), worker),
                  world.now(), {}, &counter);
  CHECK_FALSE(verdicts.allowed);
  REQUIRE(verdicts.decisions.size() == 2);
  CHECK(verdicts.decisions[0].flow().to() == "FR");
  CHECK(verdicts.decisions[0].verdict() == v1::VERDICT_ALLOW);
  CHECK(verdicts.decisions[1].flow().to() == "AE");
  CHECK(verdicts.decisions[1].verdict() == v1::VERDICT_DENY);
}

TEST_CASE("Default deny: a lower revision of the policies changes nothing") {
  World world(971);
  PolicyOffice office(world);
  const auto in_force = world.state().bundle;
  nlohmann::json json = office.Json();
  PolicyOffice::Policy(json, "house")["title"] = "Another house";
  policies::BundleHead head;
  head.revision = in_force->revision();
  head.parent = in_force->sha256();
  head.valid_from = world.now();
  head.valid_to = world.now() + absl::Hours(24);
  for (const char* key : {"revision", "parent", "valid"}) {
    json.erase(key);
  }
  const auto plain = policies::BundleFromJson(*CanonicalJson(json));
  REQUIRE(plain.ok());
  const auto lower = policies::IssueBundle(**plain, head);
  REQUIRE(lower.ok());
  CHECK_FALSE(office.Propose(*lower).ok());
  CHECK_FALSE(world.Do(ActivatePolicy{kOperator, ToBytes(AsText((*lower)->sha256()))}).ok());
  CHECK(world.state().bundle == in_force);
  CHECK(world.Find("policy-proposed").empty());
}

// What `fr-1` would be told, by a state that went wrong.
Verdicts InState(const World& world, const State& state, const std::string& job) {
  const Worker& worker = world.state().workers.at(world.worker("fr-1").id);
  std::uint64_t counter = 0;
  return DecideFlows(state, SendModelFlows(state, world.state().jobs.at(job), worker), world.now(),
                     {}, &counter);
}

void ExpectInError(const Verdicts& verdicts, const char* reason) {
  CHECK_FALSE(verdicts.allowed);
  CHECK_FALSE(verdicts.held);
  REQUIRE_FALSE(verdicts.decisions.empty());
  for (const v1::Decision& decision : verdicts.decisions) {
    CHECK(decision.verdict() == v1::VERDICT_DENY);
    REQUIRE(decision.failures_size() == 1);
    CHECK(decision.failures(0).reason() == reason);
    CHECK_FALSE(decision.failures(0).because().empty());
    CHECK_FALSE(decision.failures(0).fix().empty());
    CHECK(decision.obligations().empty());
    CHECK(decision.facts_sha256().size() == kDigestBytes);
    CHECK(IsInError(decision));
  }
}

TEST_CASE("Default deny: what the state lacks is a denial in error, and no abort") {
  World world(972);
  const std::string job = world.Submit(1, 1);
  State state = world.state();
  REQUIRE(InState(world, state, job).allowed);
  SECTION("the region of the worker") {
    state.regions.erase("fr");
    ExpectInError(InState(world, state, job), kFactsError);
  }
  SECTION("the policies") {
    state.bundle = nullptr;
    ExpectInError(InState(world, state, job), kBundleError);
  }
  SECTION("the shard to be staged") {
    const Worker& from = world.state().workers.at(world.worker("fr-1").id);
    const Worker& to = world.state().workers.at(world.worker("home-1").id);
    std::uint64_t counter = 0;
    ExpectInError(DecideFlows(state, StageDataFlows(state, "digits/none", from, to), world.now(),
                              {}, &counter),
                  kFactsError);
  }
}

// A guardrail of that name against models for France: each of its rules asks for what nobody has.
std::string Long(const std::string& name, const std::string& rule, int rules, int items,
                 const std::string& because) {
  std::string policy = absl::StrCat("policy: ", name, "\n", kGuardHead);
  for (int i = 0; i < rules; ++i) {
    absl::StrAppend(
        &policy, "  - id: ", rule, i, "\n    effect: require\n    because: ", because,
        "\n    when: {to.jurisdiction: {is: FR}, op: {is: send_model}}\n    require:\n");
    for (int item = 0; item < items; ++item) {
      absl::StrAppend(&policy, "      - {id: i", item, ", check: {secagg.k: {at_least: 99}}}\n");
    }
  }
  return policy;
}

void StopAndAudit(World& world, const std::string& job) {
  REQUIRE(world.Do(StopJob{kOperator, job}).ok());
  world.Settle();
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == ledger::verifier::Verdict::kGood);
}

TEST_CASE("Default deny: a decision too large for its words goes on record without them") {
  World world(974, {Long("long", "r", 1, 300, std::string(2000, 'x'))});
  const std::string job = world.Submit(1, 1);
  const Verdicts ahead = InState(world, world.state(), job);
  CHECK_FALSE(ahead.allowed);
  REQUIRE_FALSE(ahead.decisions.empty());
  for (const v1::Decision& decision : ahead.decisions) {
    CHECK_FALSE(IsInError(decision));
    CHECK(decision.failures_size() == 300);
  }
  const FlowContext flow = SendModelFlows(world.state(), world.state().jobs.at(job),
                                          world.state().workers.at(world.worker("fr-1").id))
                               .front();
  const Judged judged = Judge(world.state(), flow, world.now(), policies::Words::kWritten);
  CHECK_FALSE(judged.in_error);
  CHECK(judged.decision.ByteSizeLong() <= kDecisionBytesMax);
  REQUIRE(judged.decision.failures_size() == 300);
  CHECK(judged.decision.failures(0).reason() == "long/r0.i0");
  CHECK(judged.decision.failures(0).because() == kWordsLeftOut);
  CHECK(judged.decision.failures(1).because().empty());
  world.Settle();
  CHECK(TasksFor(world.state(), world.worker("fr-1").id, world.now()).empty());
  CHECK_THAT(ReasonsFor(world, "fr-1"), Catch::VectorContains(std::string("long/r0.i299")));
  StopAndAudit(world, job);
}

TEST_CASE("Default deny: a decision too large without its words is a denial in error, also later") {
  World world(973, {Long(std::string(64, 'p'), std::string(63, 'r'), 4, 1000, "No.")});
  const std::string job = world.Submit(1, 1);
  const FlowContext flow = SendModelFlows(world.state(), world.state().jobs.at(job),
                                          world.state().workers.at(world.worker("fr-1").id))
                               .front();
  for (const policies::Words words : {policies::Words::kLeftOut, policies::Words::kWritten}) {
    const Judged judged = Judge(world.state(), flow, world.now(), words);
    CHECK(judged.in_error);
  }
  ExpectInError(InState(world, world.state(), job), kBundleError);
  world.Settle();
  CHECK(TasksFor(world.state(), world.worker("fr-1").id, world.now()).empty());
  CHECK_THAT(ReasonsFor(world, "fr-1"), Catch::VectorContains(std::string(kBundleError)));
  StopAndAudit(world, job);
}

}  // namespace
}  // namespace carnet::coordinator
