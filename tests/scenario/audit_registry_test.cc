// The registry of facts as an audit sees it, and one decision taken again with its facts.
#include <catch2/catch.hpp>

#include "base/json.h"
#include "coordinator/audit/audit.h"
#include "crypto/hash.h"
#include "ledger/readers/state_source.h"
#include "policies/evaluate.h"
#include "policies/loader.h"
#include "scenario/audit_world.h"
#include "scenario/registry_desk.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using ledger::verifier::Verdict;

v1::DatasetRegistered Registered(const World& world, const std::string& like) {
  v1::DatasetRegistered record;
  record.set_dataset("digits");
  *record.add_shards() = world.state().shards.at(like).terms;
  return record;
}

template <typename Message>
void ExpectForged(World& world, Message message, const std::string& check) {
  world.FillCommon(message.mutable_common());
  world.Forge(message, world.statement_key());
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  REQUIRE(FindingOf(report, check) != nullptr);
  CHECK(FindingOf(report, check)->index == world.signed_log().size() - 1);
}

TEST_CASE("Audit: suppliers, places and shards that are registered while a job runs are legal") {
  World world = WorldWithEvidence(601);
  const std::string job = world.Submit(2, 3);
  world.Settle();
  v1::SupplierConfig company;
  company.set_organised_in("SG");
  company.add_certifications("iso-27001");
  REQUIRE(world.Do(RegisterSupplier{kOperator, "lion", company}).ok());
  REQUIRE(world.Do(RegisterRegion{kOperator, "br", Place("BR", "condor")}).ok());
  v1::ShardRegistration shard = world.state().shards.at("digits/sg").terms;
  shard.set_shard("sg-2");
  REQUIRE(world.Do(RegisterDataset{kOperator, "digits", {shard}}).ok());
  world.ContributeAll(job);
  world.Settle();
  REQUIRE(world.Do(StopJob{kOperator, job}).ok());
  world.Settle();
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

TEST_CASE("Audit: a shard that gets other labels, by its name or by another, is found") {
  World world = WorldWithEvidence(602);
  v1::DatasetRegistered record = Registered(world, "digits/fr");
  v1::ShardRegistration& shard = *record.mutable_shards(0);
  shard.mutable_labels()->set_subjects_in(0, "SG");
  SECTION("its own name") {
    CHECK(shard.shard() == "fr");
  }
  SECTION("another name for the same bytes") {
    shard.set_shard("copy");
    shard.set_sha256(ToString(world.state().shards.at("digits/fr").sha256));
    CHECK(shard.sha256().size() == 32);
  }
  SECTION("another name in the same record") {
    shard.set_shard("one");
    shard.set_sha256(ToString(world.Random(32)));
    v1::ShardRegistration& other = *record.add_shards();
    other = record.shards(0);
    other.set_shard("two");
    other.mutable_labels()->set_subjects_in(0, "FR");
    CHECK(record.shards_size() == 2);
  }
  ExpectForged(world, record, "shard");
}

TEST_CASE("Audit: shards on record that turned out to be the same bytes may be stated again") {
  World world = WorldWithEvidence(605);
  v1::ShardRegistration one = world.state().shards.at("digits/sg").terms;
  one.set_shard("one");
  v1::ShardRegistration two = one;
  two.set_shard("two");
  two.mutable_labels()->set_subjects_in(0, "FR");
  world.SetDoctor([](ledger::Predicate& predicate) {
    if (auto* record = predicate.As<v1::DatasetRegistered>(); record != nullptr) {
      record->clear_stated();
    }
  });
  REQUIRE(world.Do(RegisterDataset{kOperator, "digits", {one, two}}).ok());
  world.SetDoctor(nullptr);
  const std::string bytes(32, 'b');
  std::vector<v1::ShardClaim> claims(2);
  for (std::size_t i = 0; i < claims.size(); ++i) {
    claims[i].set_dataset("digits");
    claims[i].set_shard(i == 0 ? "one" : "two");
    claims[i].set_sha256(bytes);
  }
  REQUIRE(world.Do(ClaimShards{world.worker("sg-1").id, claims}).ok());
  one.set_sha256(bytes);
  two.set_sha256(bytes);
  const auto stated = world.Do(RegisterDataset{kOperator, "digits", {one, two}});
  INFO(stated.status().ToString());
  REQUIRE(stated.ok());
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(FindingOf(report, "shard") == nullptr);
  CHECK(FindingOf(report, "statement-unsigned") != nullptr);
}

TEST_CASE("Audit: a region whose machines change hands, and owners of more than all, are found") {
  World world = WorldWithEvidence(603);
  SECTION("another supplier under live workers") {
    v1::RegionRegistered record;
    record.set_region("sg");
    *record.mutable_terms() = Place("SG", "falcon");
    ExpectForged(world, record, "region");
  }
  SECTION("owners") {
    v1::SupplierRegistered record;
    record.set_supplier("lion");
    for (int i = 0; i < 2; ++i) {
      v1::OwnerConfig* owner = record.mutable_terms()->add_owners();
      owner->set_jurisdiction("SG");
      owner->set_percent(60);
    }
    ExpectForged(world, record, "supplier");
  }
}

TEST_CASE("Audit: one decision comes again with its facts and its bundle") {
  World world = WorldWithEvidence(604);
  TrainWhole(world, 2);
  const auto& opened = world.At<v1::RoundOpened>(world.Find("round-opened").back());
  const auto& refusal = world.At<v1::Refusal>(world.Find("refusal").front());
  const v1::Authorisation& allowed = opened.members(0).authorisations(1);
  const v1::Decision& denied = refusal.decisions(0);
  const std::filesystem::path folder = std::filesystem::temp_directory_path() /
                                       ("carnet-retaken-" + world.state().jobs.begin()->first);
  std::filesystem::create_directories(folder);
  const ledger::verifier::TrustPolicy trust = WriteLog(world, folder);
  const auto retake = [&](const std::string& id) {
    const auto source = ledger::StateSource::Open(folder.string());
    REQUIRE(source.ok());
    audit::Options options;
    options.decision = id;
    return audit::Audit(**source, trust, options);
  };
  for (const auto& [id, facts_sha256, verdict] :
       {std::tuple(allowed.decision_id(), allowed.facts_sha256(), v1::VERDICT_ALLOW),
        std::tuple(denied.id(), denied.facts_sha256(), v1::VERDICT_DENY)}) {
    const Report report = retake(id);
    CHECK(report.verdict == Verdict::kGood);
    REQUIRE(report.retaken.has_value());
    CHECK(report.retaken->now.id() == id);
    CHECK(report.retaken->now.verdict() == verdict);
    // What an auditor does with the two files.
    const auto bundle = policies::BundleFromJson(report.retaken->bundle_json);
    const auto facts = policies::FactSet::FromJson(report.retaken->facts_json);
    REQUIRE(bundle.ok());
    REQUIRE(facts.ok());
    CHECK(AsText(facts->Sha256()) == facts_sha256);
    const v1::Decision again = policies::Evaluate(**bundle, *facts, world.now());
    CHECK(again.verdict() == verdict);
    CHECK(again.facts_sha256() == facts_sha256);
  }
  CHECK_FALSE(retake("d-aaaaaaaaaaaaaaaa").retaken.has_value());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace carnet::coordinator
