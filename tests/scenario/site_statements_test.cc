// What a site takes of places and labels: what persons signed whom it followed itself.
#include <catch2/catch.hpp>

#include "scenario/french_site.h"
#include "scenario/policy_office.h"

namespace carnet::coordinator {
namespace {

// The task's context without records of the type.
template <typename Message>
void Hide(FrenchSite& site) {
  const auto context = site.task.context();
  site.task.clear_context();
  for (const v1::ProvenRecord& proven : context) {
    if (ledger::OpenRecord(proven.record())->As<Message>() == nullptr) {
      *site.task.add_context() = proven;
    }
  }
}

v1::DatasetRegistered Relabelled(World& world, const std::string& code) {
  v1::DatasetRegistered record;
  world.FillCommon(record.mutable_common());
  record.set_dataset("digits");
  *record.add_shards() = world.state().shards.at("digits/fr").terms;
  record.mutable_shards(0)->mutable_labels()->set_subjects_in(0, code);
  return record;
}

// Decided as if the shard were about people in Germany alone.
void DecideForGermany(FrenchSite& site) {
  for (const v1::Operation operation : {v1::OPERATION_TRAIN, v1::OPERATION_SEND_DELTA}) {
    site.Of(operation).mutable_flow()->set_label_class("DE|personal");
  }
}

TEST_CASE("Site statements: a decision names the labels that a steward signed") {
  World world(731);
  StartRound(world);
  FrenchSite site(world);
  const absl::Status honest = site.Check();
  INFO(honest.ToString());
  REQUIRE(honest.ok());
  SECTION("other labels") {
    DecideForGermany(site);
    site.Refused("no data steward signed");
  }
  SECTION("the steward's record is not shown") {
    Hide<v1::DatasetRegistered>(site);
    site.Refused("no data steward signed");
  }
}

TEST_CASE("Site statements: labels that the coordinator made up are nobody's") {
  World world(732);
  StartRound(world);
  v1::DatasetRegistered record = Relabelled(world, "DE");
  SECTION("signed by nobody") {
    CHECK(record.stated().signature().empty());
  }
  SECTION("signed by the coordinator itself") {
    world.SignAs(&record, record.mutable_stated(), {kOperator, "data-steward"},
                 world.statement_key());
    CHECK_FALSE(record.stated().signature().empty());
  }
  SECTION("signed in a role that says nothing of labels") {
    world.SignRecord(&record, "compliance");
    CHECK(record.stated().role() == "compliance");
  }
  SECTION("altered after they were signed") {
    record.mutable_shards(0)->mutable_labels()->set_subjects_in(0, "FR");
    world.SignRecord(&record, "data-steward");
    record.mutable_shards(0)->mutable_labels()->set_subjects_in(0, "DE");
    CHECK(record.stated().role() == "data-steward");
  }
  world.Forge(record, world.statement_key());
  FrenchSite site(world);
  Hide<v1::DatasetRegistered>(site);
  *site.task.add_context() = site.log.Prove(site.log.last());
  DecideForGermany(site);
  site.Refused("no data steward signed");
}

TEST_CASE("Site statements: labels are of the bytes that the steward signed") {
  World world(735);
  StartRound(world);
  v1::DatasetRegistered record = Relabelled(world, "FR");
  v1::ShardRegistration& shard = *record.mutable_shards(0);
  const std::string bytes = ToString(world.state().shards.at("digits/fr").sha256);
  const bool same = GENERATE(true, false);
  shard.set_sha256(same ? bytes : std::string(32, 'x'));
  world.SignRecord(&record, "data-steward");
  world.Forge(record, world.statement_key());
  FrenchSite site(world);
  Hide<v1::DatasetRegistered>(site);
  *site.task.add_context() = site.log.Prove(site.log.last());
  if (same) {
    const absl::Status honest = site.Check();
    INFO(honest.ToString());
    CHECK(honest.ok());
  } else {
    site.Refused("no data steward signed");
  }
}

TEST_CASE("Site statements: a place that the coordinator made up is none") {
  World world(733);
  StartRound(world);
  v1::RegionRegistered record;
  world.FillCommon(record.mutable_common());
  record.set_region("fr");
  record.mutable_terms()->add_jurisdictions("FR");
  SECTION("signed by nobody") {
    CHECK(record.stated().signature().empty());
  }
  SECTION("signed in a role that says nothing of places") {
    world.SignRecord(&record, "data-steward");
    CHECK(record.stated().role() == "data-steward");
  }
  world.Forge(record, world.statement_key());
  FrenchSite site(world);
  Hide<v1::RegionRegistered>(site);
  *site.task.add_context() = site.log.Prove(site.log.last());
  site.Refused("region");
}

TEST_CASE("Site statements: what a steward signed outlives the role, and a restart") {
  World world(734);
  PolicyOffice office(world);
  office.Hire(3, {"data-steward"});
  REQUIRE(world.Do(RevokeRole{kOperator, kOperator, "data-steward"}).ok());
  const std::uint64_t labels = world.Find("dataset-registered").front();
  StartRound(world);
  FrenchSite site(world);
  CHECK(site.chain.HeldAt(kOperator, "data-steward", labels));
  CHECK_FALSE(site.chain.HeldAt(kOperator, "data-steward", site.log.last()));
  CHECK_FALSE(site.chain.HeldAt(kOperator, "data-steward", 1));
  const absl::Status honest = site.Check();
  INFO(honest.ToString());
  CHECK(honest.ok());
  const auto genesis = ledger::verifier::VerifyRecord(site.log.Record(0));
  REQUIRE(genesis.ok());
  const auto restored = worker::PolicyChain::Restore(*genesis, site.chain.Save());
  REQUIRE(restored.ok());
  CHECK(restored->HeldAt(kOperator, "data-steward", labels));
  CHECK_FALSE(restored->HeldAt(kOperator, "data-steward", site.log.last()));
}

}  // namespace
}  // namespace carnet::coordinator
