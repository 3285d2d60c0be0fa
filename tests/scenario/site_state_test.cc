// What a worker keeps of the policies on its disk, and what its site tells it of its shards.
#include <fstream>

#include "policies/evaluate.h"
#include "scenario/policy_office.h"
#include "scenario/site_world.h"
#include "tests/unit/ledger/temp_dir.h"
#include "worker/policy_keeper.h"
#include "worker/site_labels.h"

namespace carnet::coordinator {
namespace {

using worker::PolicyKeeper;
using worker::StateDir;

v1::NextTaskResponse Answer(const SiteLog& log, const std::vector<std::uint64_t>& indexes) {
  v1::NextTaskResponse response;
  response.set_head("a note\n");
  for (const std::uint64_t index : indexes) {
    *response.add_policy() = log.Prove(index);
  }
  return response;
}

// Revision 2 is in force.
void Renew(World& world) {
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"dpo"});
  const Person cleo = office.Hire(5, {"compliance"});
  const auto bundle = office.Next(office.Json());
  REQUIRE(office.Propose(bundle, kIntentRenew).ok());
  REQUIRE(office.Approve(ann, "legal", *bundle).ok());
  REQUIRE(office.Approve(bea, "dpo", *bundle).ok());
  REQUIRE(office.Approve(cleo, "compliance", *bundle).ok());
  world.Settle();
  REQUIRE(world.state().bundle->revision() == 2);
}

TEST_CASE(
    "Site state: a worker that starts again goes on where it was, and refuses what is older") {
  testing_ledger::TempDir folder;
  World world(501);
  Renew(world);
  {
    const SiteLog log(world);
    const StateDir state = *StateDir::Open(folder.path());
    const auto keeper = *PolicyKeeper::Open(state, log.Record(0));
    CHECK(keeper->chain().followed() == 1);
    const absl::Status followed = keeper->Follow(Answer(log, log.Trail()), log.head(), log.keys());
    INFO(followed.ToString());
    REQUIRE(followed.ok());
    CHECK(keeper->chain().in_force().revision == 2);
  }
  v1::PolicyActivated lower;
  world.FillCommon(lower.mutable_common());
  lower.set_revision(1);
  lower.set_bundle_sha256(world.state().genesis.bundle_sha256());
  lower.set_parent_sha256(ToString(world.state().bundle->sha256()));
  lower.set_report_sha256(std::string(32, 'r'));
  lower.set_evaluator(policies::kEvaluatorVersion);
  world.Forge(lower, world.statement_key());
  const SiteLog log(world);
  {
    const StateDir state = *StateDir::Open(folder.path());
    const auto keeper = *PolicyKeeper::Open(state, log.Record(0));
    CHECK(keeper->chain().in_force().revision == 2);
    const absl::Status refused = keeper->Follow(Answer(log, {log.last()}), log.head(), log.keys());
    INFO(refused.ToString());
    CHECK(worker::IsContradiction(refused));
    CHECK(worker::IsContradiction(keeper->Follow(v1::NextTaskResponse(), log.head(), log.keys())));
    CHECK(keeper->chain().in_force().revision == 2);
  }
  const std::string stem = "policy-" + std::to_string(log.last());
  CHECK(std::filesystem::exists(folder.path() / (stem + ".dsse.json")));
  CHECK(std::filesystem::exists(folder.path() / (stem + ".tlog-proof")));
  const StateDir state = *StateDir::Open(folder.path());
  CHECK(worker::IsContradiction(PolicyKeeper::Open(state, log.Record(0)).status()));
}

TEST_CASE("Site state: what was followed before a refused record stays, and may go on later") {
  testing_ledger::TempDir folder;
  World world(502);
  Renew(world);
  const SiteLog log(world);
  const std::vector<std::uint64_t> trail = log.Trail();
  const StateDir state = *StateDir::Open(folder.path());
  const auto keeper = *PolicyKeeper::Open(state, log.Record(0));
  std::vector<std::uint64_t> gap = trail;
  gap.erase(gap.end() - 3);  // an approval
  const absl::Status refused = keeper->Follow(Answer(log, gap), log.head(), log.keys());
  CHECK(absl::IsFailedPrecondition(refused));
  CHECK(keeper->chain().followed() == trail[trail.size() - 2] + 1);
  CHECK(keeper->chain().in_force().revision == 1);
  const auto again = *PolicyKeeper::Open(state, log.Record(0));
  CHECK(again->chain().Save() == keeper->chain().Save());
}

TEST_CASE("Site state: a damaged file is an error, not a fresh beginning") {
  testing_ledger::TempDir folder;
  const World world(503);
  const SiteLog log(world);
  const StateDir state = *StateDir::Open(folder.path());
  std::ofstream(folder.path() / "policies") << "{\"v\":1}";
  CHECK(absl::IsDataLoss(PolicyKeeper::Open(state, log.Record(0)).status()));
}

TEST_CASE("Site labels: they are what policies know, or the file is refused") {
  testing_ledger::TempDir folder;
  const auto load = [&](const std::string& text) {
    std::ofstream(folder.path() / "worker.yaml", std::ios::trunc) << text;
    return worker::LoadSiteLabels(folder.path() / "worker.yaml");
  };
  const auto good = load(
      "labels:\n  digits/fr: {subjects_in: [FR, DE], categories: [personal, health]}\n"
      "  digits/none: {categories: [none]}\n");
  INFO(good.status().ToString());
  REQUIRE(good.ok());
  CHECK(good->at("digits/fr").subjects_in == std::set<std::string>{"DE", "FR"});
  CHECK(good->at("digits/fr").categories == std::set<std::string>{"health", "personal"});
  CHECK(good->at("digits/none").subjects_in.empty());
  CHECK(worker::LoadSiteLabels(std::nullopt)->empty());
  for (const char* bad : {
           "labels:\n  digits: {categories: [none]}\n",
           "labels:\n  digits/fr: {subjects_in: [FR]}\n",
           "labels:\n  digits/fr: {categories: [personal]}\n",
           "labels:\n  digits/fr: {subjects_in: [FR], categories: [none]}\n",
           "labels:\n  digits/fr: {subjects_in: [FR], categories: [none, health]}\n",
           "labels:\n  digits/fr: {subjects_in: [UK], categories: [personal]}\n",
           "labels:\n  digits/fr: {subjects_in: [FR], categories: [gossip]}\n",
           "labels:\n  digits/fr: {subjects: [FR], categories: [personal]}\n",
       }) {
    CAPTURE(bad);
    CHECK(absl::IsInvalidArgument(load(bad).status()));
  }
}

}  // namespace
}  // namespace carnet::coordinator
