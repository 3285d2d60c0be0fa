// The registry of facts: suppliers, regions and data that people register while jobs run.
#include "coordinator/core/registry.h"

#include <catch2/catch.hpp>

#include "coordinator/core/flows.h"
#include "scenario/registry_desk.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

v1::SupplierConfig Company(const std::string& code, const std::string& parent) {
  v1::SupplierConfig terms;
  terms.set_organised_in(code);
  terms.set_ultimate_parent(parent);
  return terms;
}

v1::ShardRegistration ShardOf(const std::string& name, const std::string& code,
                              const std::string& region) {
  v1::ShardRegistration shard;
  shard.set_shard(name);
  shard.mutable_labels()->add_subjects_in(code);
  shard.mutable_labels()->add_categories("personal");
  shard.set_stored_in(region);
  shard.set_rows(100);
  return shard;
}

std::vector<std::string> MembersOf(const World& world, const std::string& job) {
  std::vector<std::string> slots;
  const auto& round = world.state().jobs.at(job).round;
  if (round.has_value()) {
    for (const v1::RoundMember& member : round->opened.members()) {
      slots.push_back(world.state().workers.at(member.worker_id()).terms.slot());
    }
  }
  return slots;
}

TEST_CASE("Registry: a place that somebody vouches for from now on lets its worker in") {
  // Nobody else of the demo's policies speaks of people in Brazil.
  World world(501, {"policy: brazil\nkind: regime\ntitle: Brazil\ncovers: {subjects_in: [BR]}\n"
                    "approvals: {propose: [dpo], need: 1, from: [dpo]}\n"
                    "effective: {from: 2026-01-01}\nrules:\n  - {id: ok, effect: allow}\n"});
  const std::string job = world.Submit(2, 2);
  world.Settle();
  CHECK(MembersOf(world, job) == std::vector<std::string>{"ae-1", "fr-1", "sg-1"});
  const std::uint64_t facts = world.state().facts_version;
  REQUIRE(
      world.Do(RegisterRegion{kOperator, "br", Place("BR", "condor", v1::LOCATION_GRADE_CONTRACT)})
          .ok());
  CHECK(world.state().facts_version > facts);
  CHECK(world.state().registered.at("region/br") == world.Find("region-registered").back());
  world.ContributeAll(job);
  world.AddEvidence("scc-2021-914", "condor", "BR");
  world.AddEvidence("ae-transfer-contract", "condor", "BR");
  world.Settle();
  CHECK_THAT(MembersOf(world, job), Catch::VectorContains(std::string("br-1")));
}

TEST_CASE("Registry: a supplier's new facts are what the next decision reads") {
  World world(502);
  const std::string job = world.Submit(1, 1);
  const Worker& worker = world.state().workers.at(world.worker("sg-1").id);
  const auto parent = [&] {
    const auto flows = SendModelFlows(world.state(), world.state().jobs.at(job), worker);
    return Facts(world.state(), flows.front(), world.now()).Get("recipient.ultimate_parent");
  };
  CHECK(parent().is_unknown());
  REQUIRE(world.Do(RegisterSupplier{kOperator, "lion", Company("SG", "CN")}).ok());
  CHECK(parent() == policies::Value::Text("CN"));
  // Nothing new is no record.
  const std::uint64_t size = world.state().size;
  const auto same = world.Do(RegisterSupplier{kOperator, "lion", Company("SG", "CN")});
  REQUIRE(same.ok());
  CHECK(same->answer_index == world.Find("supplier-registered").back());
  CHECK(world.state().size == size);
}

TEST_CASE("Registry: compliance registers suppliers and regions, a data steward the data") {
  World world(503);
  const RegisterSupplier supplier{"u-one", "nyati", Company("KE", "KE")};
  const RegisterRegion region{"u-one", "ke", Place("KE", "lion", v1::LOCATION_GRADE_CONTRACT)};
  const RegisterDataset dataset{"u-one", "digits", {ShardOf("ke", "KE", "sg")}};
  const auto ok = absl::StatusCode::kOk;
  const auto denied = absl::StatusCode::kPermissionDenied;
  for (const char* role : {"compliance", "dpo", "legal"}) {
    CHECK(CodeFor(world, role, supplier) == ok);
    CHECK(CodeFor(world, role, region) == ok);
    CHECK(CodeFor(world, role, dataset) == denied);
  }
  for (const char* role : {"admin", "operator", "member", "auditor", "data-steward"}) {
    CHECK(CodeFor(world, role, supplier) == denied);
    CHECK(CodeFor(world, role, region) == denied);
  }
  CHECK(CodeFor(world, "data-steward", dataset) == ok);
}

TEST_CASE("Registry: suppliers that cannot be facts are refused, with the field") {
  World world(504);
  v1::SupplierConfig company = Company("UK", "GB");
  CHECK_THAT(
      std::string(world.Do(RegisterSupplier{kOperator, "nyati", company}).status().message()),
      Catch::Contains("supplier/nyati.organised_in") && Catch::Contains("GB"));
  company = Company("GB", "GB");
  company.add_certifications("iso-27002");
  CHECK_THAT(
      std::string(world.Do(RegisterSupplier{kOperator, "nyati", company}).status().message()),
      Catch::Contains(".certifications") && Catch::Contains("iso-27001"));
  company.clear_certifications();
  for (const double percent : {60.0, 50.0}) {
    v1::OwnerConfig* owner = company.add_owners();
    owner->set_jurisdiction("SG");
    owner->set_percent(percent);
  }
  CHECK_THAT(
      std::string(world.Do(RegisterSupplier{kOperator, "nyati", company}).status().message()),
      Catch::Contains("more than 100"));
  company.mutable_owners(1)->set_jurisdiction("nobody-knows");
  company.mutable_owners(1)->set_percent(40);
  CHECK(CodeOf(world.Do(RegisterSupplier{kOperator, "nyati", company})) ==
        absl::StatusCode::kInvalidArgument);
  company.mutable_owners(1)->set_jurisdiction("unknown");
  CHECK(world.Do(RegisterSupplier{kOperator, "nyati", company}).ok());
  CHECK(CodeOf(world.Do(RegisterSupplier{kOperator, "acme", Company("DE", "DE")})) ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Registry: places and labels that cannot be facts are refused, with the field") {
  World world(509);
  const v1::LocationGrade grade = v1::LOCATION_GRADE_CONTRACT;
  CHECK(CodeOf(world.Do(RegisterRegion{kOperator, "home", Place("FR", "", grade)})) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(world.Do(RegisterRegion{kOperator, "ke", Place("KE", "nobody", grade)})) ==
        absl::StatusCode::kNotFound);
  CHECK(CodeOf(world.Do(RegisterRegion{kOperator, "ke", v1::RegionConfig()})) ==
        absl::StatusCode::kInvalidArgument);

  v1::ShardRegistration shard = ShardOf("new", "SG", "sg");
  shard.mutable_labels()->add_categories("helth");
  CHECK_THAT(
      std::string(world.Do(RegisterDataset{kOperator, "digits", {shard}}).status().message()),
      Catch::Contains("digits/new.categories") && Catch::Contains("health"));
  shard.mutable_labels()->set_categories(1, "none");
  CHECK_THAT(
      std::string(world.Do(RegisterDataset{kOperator, "digits", {shard}}).status().message()),
      Catch::Contains("stands alone"));
  shard.mutable_labels()->clear_categories();
  shard.mutable_labels()->add_categories("none");
  CHECK_THAT(
      std::string(world.Do(RegisterDataset{kOperator, "digits", {shard}}).status().message()),
      Catch::Contains(".subjects_in"));
  CHECK(CodeOf(world.Do(RegisterDataset{kOperator, "digits", {ShardOf("new", "SG", "mars")}})) ==
        absl::StatusCode::kNotFound);
  CHECK(CodeOf(world.Do(RegisterDataset{
            kOperator, "digits", {ShardOf("new", "SG", "sg"), ShardOf("new", "SG", "sg")}})) ==
        absl::StatusCode::kInvalidArgument);
  CHECK(CodeOf(world.Do(RegisterDataset{kOperator, "digits", {}})) ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Registry: a region with workers keeps its supplier, and may have another place") {
  World world(505);
  CHECK(CodeOf(world.Do(
            RegisterRegion{kOperator, "sg", Place("SG", "falcon", v1::LOCATION_GRADE_CONTRACT)})) ==
        absl::StatusCode::kFailedPrecondition);
  REQUIRE(
      world.Do(RegisterRegion{kOperator, "sg", Place("MY", "lion", v1::LOCATION_GRADE_CONTRACT)})
          .ok());
  CHECK(world.state().regions.at("sg").terms.jurisdictions(0) == "MY");
  REQUIRE(world.Do(RevokeWorker{kOperator, "sg-1", "operator"}).ok());
  CHECK(
      world.Do(RegisterRegion{kOperator, "sg", Place("SG", "falcon", v1::LOCATION_GRADE_CONTRACT)})
          .ok());
  // Somebody who was invited there comes with the supplier of the invitation.
  REQUIRE(
      world
          .Do(InviteWorker{kOperator, world.Random(32), "sg", "sg-2", world.now() + absl::Hours(1)})
          .ok());
  CHECK(CodeOf(world.Do(
            RegisterRegion{kOperator, "sg", Place("SG", "lion", v1::LOCATION_GRADE_CONTRACT)})) ==
        absl::StatusCode::kFailedPrecondition);
  world.Advance(absl::Hours(2));
  CHECK(world.Do(RegisterRegion{kOperator, "sg", Place("SG", "lion", v1::LOCATION_GRADE_CONTRACT)})
            .ok());
}

TEST_CASE("Registry: shards are added and never changed, so that lineage keeps its labels") {
  World world(506);
  const auto& known = world.state().shards.at("digits/fr");
  const Bytes digest = known.sha256;
  const auto holders = known.holders;
  REQUIRE(holders.size() == 1);

  // The whole dataset again, with one shard more: it is recorded as it was signed.
  std::vector<v1::ShardRegistration> shards;
  for (const auto& [key, shard] : world.state().shards) {
    if (key.rfind("digits/", 0) == 0) {
      shards.push_back(shard.terms);
    }
  }
  shards.push_back(ShardOf("ke", "KE", "sg"));
  const auto added = world.Do(RegisterDataset{kOperator, "digits", shards});
  REQUIRE(added.ok());
  CHECK(world.At<v1::DatasetRegistered>(*added->answer_index).shards_size() ==
        static_cast<int>(shards.size()));
  CHECK(world.state().shards.at("digits/fr").holders == holders);
  CHECK(world.state().shards.at("digits/fr").sha256 == digest);
  CHECK(world.state().shards.count("digits/ke") == 1);
  // And once more: nothing is new.
  const auto again = world.Do(RegisterDataset{kOperator, "digits", shards});
  REQUIRE(again.ok());
  CHECK(again->records.empty());
  CHECK(again->answer_index == added->answer_index);

  const v1::ShardRegistration registered = world.state().shards.at("digits/fr").terms;
  std::vector<v1::ShardRegistration> changes(5, registered);
  changes[0].mutable_labels()->clear_subjects_in();
  changes[0].mutable_labels()->clear_categories();
  changes[0].mutable_labels()->add_categories("none");
  (*changes[1].mutable_labels()->mutable_people())["FR.health"] = 1;
  changes[2].set_stored_in("sg");
  changes[3].set_sha256(std::string(32, 'x'));
  changes[4].set_rows(1);
  for (const v1::ShardRegistration& change : changes) {
    INFO(change.ShortDebugString());
    const auto changed = world.Do(RegisterDataset{kOperator, "digits", {change}});
    CHECK(CodeOf(changed) == absl::StatusCode::kFailedPrecondition);
    CHECK_THAT(std::string(changed.status().message()), Catch::Contains("carnet data withdraw"));
  }
}

TEST_CASE("Registry: the same bytes under another name have no other labels") {
  World world(507);
  v1::ShardRegistration copy = ShardOf("copy", "SG", "fr");
  copy.set_sha256(ToString(world.state().shards.at("digits/fr").sha256));
  const auto renamed = world.Do(RegisterDataset{kOperator, "other", {copy}});
  CHECK(CodeOf(renamed) == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(renamed.status().message()), Catch::Contains("digits/fr"));
  copy.mutable_labels()->set_subjects_in(0, "FR");
  CHECK(world.Do(RegisterDataset{kOperator, "other", {copy}}).ok());
}

TEST_CASE("Registry: the same bytes twice in one command have one labelling") {
  World world(508);
  v1::ShardRegistration one = ShardOf("one", "SG", "fr");
  one.set_sha256(ToString(world.Random(32)));
  v1::ShardRegistration two = one;
  two.set_shard("two");
  two.mutable_labels()->set_subjects_in(0, "FR");
  const auto both = world.Do(RegisterDataset{kOperator, "other", {one, two}});
  CHECK(CodeOf(both) == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(both.status().message()), Catch::Contains("two is the same data as one"));
  two.mutable_labels()->set_subjects_in(0, "SG");
  CHECK(world.Do(RegisterDataset{kOperator, "other", {one, two}}).ok());
}

TEST_CASE("Registry: a fold from nothing knows the same entries") {
  World world(508);
  REQUIRE(world.Do(RegisterSupplier{kOperator, "nyati", Company("KE", "KE")}).ok());
  REQUIRE(
      world.Do(RegisterRegion{kOperator, "ke", Place("KE", "nyati", v1::LOCATION_GRADE_CLAIMED)})
          .ok());
  REQUIRE(world.Do(RegisterDataset{kOperator, "digits", {ShardOf("ke", "KE", "ke")}}).ok());
  const State again = world.Refold();
  CHECK(again.registered == world.state().registered);
  CHECK(again.regions.at("ke").supplier == "nyati");
  CHECK(again.shards.at("digits/ke").terms.stored_in() == "ke");
}

}  // namespace
}  // namespace carnet::coordinator
