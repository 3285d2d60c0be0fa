// The policies that a site follows while its task goes on: nothing begins under what was invented,
// and nothing leaves once they forbid it, whatever the coordinator lets come.
#include "worker/site_guard.h"

#include <algorithm>
#include <filesystem>

#include "policies/exceptions.h"
#include "scenario/french_site.h"
#include "scenario/policy_office.h"
#include "tests/unit/ledger/temp_dir.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;

constexpr char kTask[] = "train/j/1/1";

// Nothing goes to France, unless a person approves the pilot.
const char kPilotInFrance[] = R"(policy: no-france
kind: guardrail
title: No model for France
approvals: {propose: [dpo], need: 1, from: [dpo]}
effective: {from: 2026-01-01}
rules:
  - {id: never, effect: deny, when: {op: {is: send_model}, to.jurisdiction: {is: FR}}}
exceptions:
  - id: pilot
    lifts: never
    only_when: {job.purpose: {is: digit-recognition}}
    ticket: T-1
    valid: {from: 2026-11-01, to: 2027-01-31}
    approvals: {need: 1, from: [dpo]}
)";

struct SiteClock final : Clock {
  absl::Time Now() const override { return now; }
  absl::Duration MonotonicNow() const override { return now - absl::UnixEpoch(); }
  absl::Time now;
};

v1::NextTaskResponse Answer(const SiteLog& log, const std::vector<std::uint64_t>& indexes) {
  v1::NextTaskResponse response;
  response.set_head("a note\n");
  for (const std::uint64_t index : indexes) {
    *response.add_policy() = log.Prove(index);
  }
  return response;
}

// The guard of the worker in France, which was shown these records of the log.
struct Guarded {
  explicit Guarded(World& world) : Guarded(world, SiteLog(world).Trail()) {}
  Guarded(World& world, const std::vector<std::uint64_t>& shown)
      : site(world), state(*worker::StateDir::Open(folder.path())) {
    keeper = *worker::PolicyKeeper::Open(state, site.log.Record(0));
    clock.now = world.now();
    guard.emplace(*keeper, site.knowledge, clock);
    Shown(site.log, shown);
  }

  void Shown(const SiteLog& log, const std::vector<std::uint64_t>& indexes) {
    const absl::Status followed = guard->Follow(Answer(log, indexes), log.head(), log.keys());
    INFO(followed.ToString());
    REQUIRE(followed.ok());
  }
  // All that came on record since.
  void ShownNews(const World& world) {
    const SiteLog log(world);
    Shown(log, log.Trail(keeper->chain().followed()));
  }
  absl::Status Begin() { return Begin(site.task, site.log); }
  absl::Status Begin(const v1::Task& task, const SiteLog& log) {
    worker::CheckedTask checked;
    checked.task_id = kTask;
    checked.work = site.train;
    return guard->Begin(task, checked, site.identity, log.head(), "a note\n");
  }
  bool HasEvidence(std::uint64_t index) const {
    const std::string stem = "policy-" + std::to_string(index);
    return std::filesystem::exists(folder.path() / (stem + ".dsse.json")) &&
           std::filesystem::exists(folder.path() / (stem + ".tlog-proof")) &&
           std::filesystem::exists(folder.path() / "policy-contradiction.txt");
  }

  testing_ledger::TempDir folder;
  FrenchSite site;
  worker::StateDir state;
  std::unique_ptr<worker::PolicyKeeper> keeper;
  SiteClock clock;
  std::optional<worker::SiteGuard> guard;
};

// A bundle with one more deny is in force, by one signature.
void Forbid(World& world, const std::string& id, const json& when) {
  PolicyOffice office(world);
  json bundle = office.Json();
  PolicyOffice::Policy(bundle, "house")["rules"].push_back(
      {{"id", id}, {"effect", "deny"}, {"when", when}});
  const auto next = office.Next(bundle);
  REQUIRE(office.Propose(next).ok());
  REQUIRE(world.Do(ActivatePolicy{kOperator, ToBytes(AsText(next->sha256()))}).ok());
  REQUIRE(world.state().bundle->sha256() == next->sha256());
}

void ExpectRefused(const absl::Status& status, const std::string& words) {
  INFO(status.ToString());
  CHECK(absl::IsPermissionDenied(status));
  CHECK(std::string(status.message()).find(words) != std::string::npos);
}

TEST_CASE("Site guard: what was checked may leave, and nothing else") {
  World world(661);
  StartRound(world);
  Guarded at(world);
  ExpectRefused(at.guard->MayLeave(kTask), "not the task");
  const absl::Status begun = at.Begin();
  INFO(begun.ToString());
  REQUIRE(begun.ok());
  CHECK(at.guard->MayLeave(kTask).ok());
  ExpectRefused(at.guard->MayLeave("train/j/2/1"), "not the task");
}

TEST_CASE(
    "Site guard: a stricter bundle that is followed while a task goes on lets nothing leave") {
  World world(662);
  StartRound(world);
  Guarded at(world);
  REQUIRE(at.Begin().ok());
  REQUIRE(at.guard->MayLeave(kTask).ok());
  SECTION("of the delta") {
    Forbid(world, "no-deltas", {{"op", {{"is", "send_delta"}}}});
    // Nobody showed it yet, and nobody cut.
    CHECK(at.guard->MayLeave(kTask).ok());
    at.ShownNews(world);
    ExpectRefused(at.guard->MayLeave(kTask), "house/no-deltas");
  }
  SECTION("of the metrics") {
    Forbid(world, "no-metrics", {{"op", {{"is", "send_metrics"}}}});
    at.ShownNews(world);
    ExpectRefused(at.guard->MayLeave(kTask), "house/no-metrics");
  }
  SECTION("but what came here before is not judged again") {
    Forbid(world, "no-models", {{"op", {{"is", "send_model"}}}});
    at.ShownNews(world);
    CHECK(at.guard->MayLeave(kTask).ok());
    // A task that begins now is.
    ExpectRefused(at.Begin(), "house/no-models");
  }
}

TEST_CASE("Site guard: policies that end by this site's clock, or cannot be followed, stop it") {
  World world(663);
  StartRound(world);
  Guarded at(world);
  REQUIRE(at.Begin().ok());
  SECTION("they end") {
    at.clock.now = at.keeper->chain().in_force().valid_to + worker::kSiteClockSkewMax;
    ExpectRefused(at.guard->MayLeave(kTask), "expired");
  }
  SECTION("a record between was left out") {
    Forbid(world, "no-logs", {{"op", {{"is", "read_log"}}}});
    const SiteLog log(world);
    const std::vector<std::uint64_t> news = log.Trail(at.keeper->chain().followed());
    const absl::Status refused =
        at.guard->Follow(Answer(log, {news.back()}), log.head(), log.keys());
    CHECK_FALSE(refused.ok());
    CHECK(at.guard->MayLeave(kTask) == refused);
    CHECK(at.Begin() == refused);
    // Shown whole, it is followed again.
    at.ShownNews(world);
    REQUIRE(at.Begin().ok());
    CHECK(at.guard->MayLeave(kTask).ok());
  }
}

TEST_CASE("Site guard: nothing begins on an approval that nobody signed") {
  World world(664, {kPilotInFrance});
  PolicyOffice office(world);
  const auto exception = policies::FindException(*world.state().bundle, "no-france/pilot");
  REQUIRE(exception.has_value());
  const Person person = office.Hire(3, {"dpo"});
  const v1::Approval approval =
      office.Draft(person.id, kApprovalOfException, "dpo", AsText(exception->subject));
  REQUIRE(world.Do(RecordApproval{person.id, PolicyOffice::Sign(approval, person.Key()), approval})
              .ok());
  StartRound(world);
  SECTION("it is on record") {
    Guarded at(world);
    const absl::Status begun = at.Begin();
    INFO(begun.ToString());
    CHECK(begun.ok());
    CHECK(at.guard->MayLeave(kTask).ok());
  }
  SECTION("the coordinator invented it") {
    std::vector<std::uint64_t> shown = SiteLog(world).Trail();
    shown.erase(std::find(shown.begin(), shown.end(), world.Find("approval").back()));
    Guarded at(world, shown);
    ExpectRefused(at.Begin(), "lacks signed approvals on record: pilot");
    ExpectRefused(at.guard->MayLeave(kTask), "not the task");
  }
}

TEST_CASE("Site guard: a task on a lower revision is evidence, and nothing begins") {
  World world(665);
  StartRound(world);
  Guarded at(world);
  at.site.train.opened.mutable_basis()->set_revision(0);
  const absl::Status begun = at.Begin();
  INFO(begun.ToString());
  CHECK(worker::IsContradiction(begun));
  CHECK(at.HasEvidence(at.site.train.opened_index));
  CHECK_FALSE(at.guard->MayLeave(kTask).ok());
  CHECK(worker::IsContradiction(
      at.guard->Follow(v1::NextTaskResponse(), at.site.log.head(), at.site.log.keys())));
}

TEST_CASE("Site guard: a bundle that was kept back until its task had begun is evidence") {
  World world(666);
  StartRound(world);
  Guarded at(world);
  Forbid(world, "no-logs", {{"op", {{"is", "read_log"}}}});
  // A round of before, once more on record, behind the bundle that this site was not shown.
  v1::RoundOpened& opened = at.site.train.opened;
  world.FillCommon(opened.mutable_common());
  *opened.mutable_basis()->mutable_at() = opened.common().at();
  world.Forge(opened, world.statement_key());
  const SiteLog log(world);
  v1::Task task;
  *task.mutable_opened() = log.Prove(log.last());
  for (const v1::ProvenRecord& proven : at.site.task.context()) {
    *task.add_context() = log.Prove(proven.proof().index());
  }
  const absl::Status begun = at.Begin(task, log);
  INFO(begun.ToString());
  REQUIRE(begun.ok());
  REQUIRE(at.guard->MayLeave(kTask).ok());
  at.Shown(log, log.Trail(at.keeper->chain().followed()));
  CHECK(worker::IsContradiction(at.guard->MayLeave(kTask)));
  CHECK(at.HasEvidence(log.last()));
}

}  // namespace
}  // namespace carnet::coordinator
