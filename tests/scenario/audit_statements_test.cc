// What a coordinator invents in the names of people, as an audit finds it.
#include <catch2/catch.hpp>

#include "base/timestamp.h"
#include "ledger/person_statement.h"
#include "scenario/audit_world.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using ledger::verifier::Verdict;

// Found at the last record of the log.
void ExpectForged(World& world, const ledger::Predicate& record, const std::string& check) {
  world.Forge(record, world.statement_key());
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, check);
  REQUIRE(finding != nullptr);
  CHECK(finding->severity == audit::Severity::kBadEvidence);
  CHECK(finding->index == world.signed_log().size() - 1);
}

v1::DatasetRegistered Labels(World& world) {
  v1::DatasetRegistered record;
  world.FillCommon(record.mutable_common());
  record.set_dataset("digits");
  v1::ShardRegistration& shard = *record.add_shards();
  shard = world.state().shards.at("digits/fr").terms;
  shard.set_shard("invented");
  return record;
}

v1::CounterOpened Balance(World& world) {
  v1::CounterOpened record;
  world.FillCommon(record.mutable_common());
  record.set_counter("people.KE.personal");
  *record.mutable_as_of() = record.common().at();
  record.set_recorded_by(kOperator);
  return record;
}

v1::EvidenceRecorded Document(World& world) {
  v1::EvidenceRecorded record;
  world.FillCommon(record.mutable_common());
  record.set_evidence_id("e-aaaaaaaaaaaaaaaa");
  record.set_kind("scc-2021-914");
  record.set_sender("acme");
  record.set_recipient("lion");
  record.add_destinations("SG");
  *record.mutable_valid_from() = record.common().at();
  *record.mutable_valid_to() = ToTimestamp(world.now() + absl::Hours(24));
  record.set_document_sha256(std::string(32, 'd'));
  record.set_accepted_by(kOperator);
  return record;
}

// In the name of the operator, with the only key that a coordinator has.
template <typename Record>
void Counterfeit(World& world, Record* record, const std::string& role) {
  world.SignAs(record, record->mutable_stated(), {kOperator, role}, world.statement_key());
}

TEST_CASE("Audit: labels that a coordinator invents are found") {
  World world = WorldWithEvidence(721);
  v1::DatasetRegistered record = Labels(world);
  SECTION("signed by nobody") {
    ExpectForged(world, record, "statement-unsigned");
  }
  SECTION("signed by the coordinator itself") {
    Counterfeit(world, &record, "data-steward");
    ExpectForged(world, record, "statement-signature");
  }
  SECTION("signed in a role that says nothing of labels") {
    world.SignRecord(&record, "compliance");
    ExpectForged(world, record, "statement-by-wrong-role");
  }
  SECTION("altered after they were signed") {
    world.SignRecord(&record, "data-steward");
    record.mutable_shards(0)->mutable_labels()->set_subjects_in(0, "SG");
    ExpectForged(world, record, "statement-signature");
  }
  SECTION("signed days before") {
    world.SignRecord(&record, "data-steward");
    world.Advance(absl::Hours(48));
    *record.mutable_common()->mutable_at() = ToTimestamp(world.now());
    ExpectForged(world, record, "statement-time");
  }
}

TEST_CASE("Audit: people counts that a coordinator invents are found") {
  World world = WorldWithEvidence(722);
  v1::CounterOpened record = Balance(world);
  SECTION("signed by nobody") {
    ExpectForged(world, record, "statement-unsigned");
  }
  SECTION("signed by the coordinator itself") {
    Counterfeit(world, &record, "data-steward");
    ExpectForged(world, record, "statement-signature");
  }
}

TEST_CASE("Audit: evidence that a coordinator invents is found") {
  World world = WorldWithEvidence(723);
  v1::EvidenceRecorded record = Document(world);
  SECTION("signed by nobody") {
    ExpectForged(world, record, "statement-unsigned");
  }
  SECTION("signed by the coordinator itself") {
    Counterfeit(world, &record, "legal");
    ExpectForged(world, record, "statement-signature");
  }
  SECTION("brought by one role and said to be accepted") {
    world.SignRecord(&record, "dpo");
    ExpectForged(world, record, "evidence");
  }
  SECTION("accepted by nobody") {
    record.clear_accepted_by();
    world.SignRecord(&record, "dpo");
    world.Forge(record, world.statement_key());
    v1::EvidenceAccepted accepted;
    world.FillCommon(accepted.mutable_common());
    accepted.set_evidence_id(record.evidence_id());
    accepted.set_document_sha256(record.document_sha256());
    accepted.set_item_sha256(ToString(*ledger::EvidenceItemDigest(record)));
    Counterfeit(world, &accepted, "legal");
    ExpectForged(world, accepted, "statement-signature");
  }
}

TEST_CASE("Audit: a supplier's words of last month are not his words of today") {
  World world = WorldWithEvidence(724);
  v1::SupplierRegistered first =
      world.At<v1::SupplierRegistered>(world.Find("supplier-registered").front());
  v1::SupplierConfig terms = first.terms();
  terms.set_ultimate_parent("CN");
  REQUIRE(world.Do(RegisterSupplier{kOperator, first.supplier(), terms}).ok());
  world.FillCommon(first.mutable_common());
  ExpectForged(world, first, "statement-once");
}

TEST_CASE("Audit: words that a coordinator held back until others were on record are found") {
  World world = WorldWithEvidence(726);
  v1::CounterOpened held = Balance(world);
  world.SignRecord(&held, "data-steward");
  world.Advance(absl::Hours(1));
  REQUIRE(world.Do(OpenCounter{kOperator, held.counter(), 9, world.now()}).ok());
  world.FillCommon(held.mutable_common());
  ExpectForged(world, held, "statement-order");
}

TEST_CASE("Audit: what people signed themselves is good") {
  World world = WorldWithEvidence(725);
  REQUIRE(world.Do(OpenCounter{kOperator, "people.KE.personal", 3, world.now()}).ok());
  TrainWhole(world, 1);
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

}  // namespace
}  // namespace carnet::coordinator
