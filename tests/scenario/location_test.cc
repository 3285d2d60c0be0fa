// How the place of a region is known: a grade stands on evidence, what was observed only speaks
// against it, and somebody clears that.
#include "coordinator/core/location.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/timestamp.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/tasks.h"
#include "coordinator/core/transfers.h"
#include "scenario/audit_world.h"
#include "scenario/registry_desk.h"
#include "scenario/transfers_of.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

using ledger::verifier::Verdict;

ContradictLocation Seen(const std::string& region, const std::string& code) {
  return {kOperator, region, "", kObservedAddress, code, 0, {}};
}

v1::LocationGrade GradeOf(const World& world, const std::string& region) {
  return LocationGradeOf(world.state(), region, world.now());
}

// What policies are told of the place that a model goes to.
policies::Value FactOf(const World& world, const std::string& job, const std::string& slot) {
  const Worker& worker = world.state().workers.at(world.worker(slot).id);
  const auto flows = SendModelFlows(world.state(), world.state().jobs.at(job), worker);
  return Facts(world.state(), flows.front(), world.now()).Get("to.location_grade");
}

TEST_CASE("Location: a grade of the provider needs the identity that somebody verified on file") {
  World world(901);
  const RegisterRegion provider{kOperator, "sg", Place("SG", "lion", v1::LOCATION_GRADE_PROVIDER)};
  const auto refused = world.Do(provider);
  CHECK(CodeOf(refused) == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(refused.status().message()),
             Catch::Contains("--kind instance-identity --recipient lion --to SG"));
  CHECK(GradeOf(world, "sg") == v1::LOCATION_GRADE_CONTRACT);
  SECTION("not another supplier's, nor for another place, nor another kind") {
    world.AddEvidence("instance-identity", "falcon", "SG");
    world.AddEvidence("instance-identity", "lion", "AE");
    world.AddEvidence("bcr", "lion", "SG");
    CHECK(CodeOf(world.Do(provider)) == absl::StatusCode::kFailedPrecondition);
  }
  SECTION("and for each of its places") {
    world.AddEvidence("instance-identity", "lion", "SG");
    RegisterRegion both = provider;
    both.terms.add_jurisdictions("MY");
    CHECK(CodeOf(world.Do(both)) == absl::StatusCode::kFailedPrecondition);
    REQUIRE(world.Do(provider).ok());
    CHECK(GradeOf(world, "sg") == v1::LOCATION_GRADE_PROVIDER);
  }
}

TEST_CASE("Location: without its evidence a place is only claimed, from that moment on") {
  World world(902);
  const std::string job = world.Submit(1, 1);
  world.AddEvidence("instance-identity", "lion", "SG");
  REQUIRE(
      world.Do(RegisterRegion{kOperator, "sg", Place("SG", "lion", v1::LOCATION_GRADE_PROVIDER)})
          .ok());
  CHECK(FactOf(world, job, "sg-1") == policies::Value::Text("provider"));
  SECTION("withdrawn") {
    REQUIRE(world.Do(WithdrawEvidence{kOperator, world.state().evidence.begin()->first}).ok());
    CHECK(FactOf(world, job, "sg-1") == policies::Value::Text("claimed"));
  }
  SECTION("ended with time") {
    world.Advance(absl::Hours(24 * 366));
    CHECK(FactOf(world, job, "sg-1") == policies::Value::Text("claimed"));
  }
  CHECK(world.state().regions.at("sg").terms.location_evidence() == v1::LOCATION_GRADE_PROVIDER);
}

TEST_CASE("Location: what was observed makes the grade unknown until it is cleared") {
  World world(903);
  const std::string job = world.Submit(1, 2);
  const std::uint64_t facts = world.state().facts_version;
  const auto seen = world.Do(Seen("sg", "MY"));
  REQUIRE(seen.ok());
  CHECK(world.state().facts_version > facts);
  CHECK(GradeOf(world, "sg") == v1::LOCATION_GRADE_UNKNOWN);
  CHECK(FactOf(world, job, "sg-1").is_unknown());
  const auto& record = world.At<v1::LocationContradicted>(*seen->answer_index);
  CHECK(record.seen_in() == "MY");
  CHECK(record.reported_by() == kOperator);
  CHECK(ContradictedRegions(world.state()) == 1);
  world.Settle();
  const auto& members = world.state().jobs.at(job).round->opened.members();
  CHECK(std::none_of(members.begin(), members.end(), [&](const v1::RoundMember& member) {
    return member.worker_id() == world.worker("sg-1").id;
  }));
  SECTION("another entry of the registry clears nothing") {
    REQUIRE(
        world.Do(RegisterRegion{kOperator, "sg", Place("MY", "lion", v1::LOCATION_GRADE_CONTRACT)})
            .ok());
    CHECK(GradeOf(world, "sg") == v1::LOCATION_GRADE_UNKNOWN);
    CHECK(FactOf(world, job, "sg-1").is_unknown());
  }
  SECTION("a person with the role does, of all of them at once") {
    REQUIRE(
        world.Do(ContradictLocation{kOperator, "sg", "sg-1", kObservedRoundTrip, "", 90'000, {}})
            .ok());
    const auto cleared = world.Do(ClearLocation{kOperator, "sg", "explained", {}});
    REQUIRE(cleared.ok());
    CHECK(world.At<v1::LocationCleared>(*cleared->answer_index).contradictions_size() == 2);
    CHECK(FactOf(world, job, "sg-1") == policies::Value::Text("contract"));
    CHECK(CodeOf(world.Do(ClearLocation{kOperator, "sg", "explained", {}})) ==
          absl::StatusCode::kFailedPrecondition);
  }
  CHECK(LocationGradeOf(world.Refold(), "sg", world.now()) == GradeOf(world, "sg"));
}

TEST_CASE("Location: what moves to a contradicted place is decided again at once, and cut") {
  World world = WorldWithEvidence(904);
  world.Submit(2, 2);
  world.Settle();
  const TransferName name = TransferOf(world, "sg-1", false);
  REQUIRE(Look(world, name).kind == Standing::Kind::kMayMove);
  REQUIRE(world.Do(Seen("sg", "MY")).ok());
  const Standing standing = Look(world, name);
  CHECK(standing.kind == Standing::Kind::kCut);
  CHECK(standing.reason == reasons::kRefused);
  REQUIRE(world.Do(CutOf(name, 77)).ok());
  CHECK(world.At<v1::TransferCut>(world.Find("transfer-cut").back()).bytes_crossed() == 77);
}

TEST_CASE("Location: compliance roles report, and only compliance clears") {
  World world(905);
  REQUIRE(world.Do(Seen("sg", "MY")).ok());
  ContradictLocation report = Seen("ae", "OM");
  report.user_id = "u-one";
  const ClearLocation clear{"u-one", "sg", "mistaken", {}};
  const auto ok = absl::StatusCode::kOk;
  const auto denied = absl::StatusCode::kPermissionDenied;
  for (const char* role : {"compliance", "dpo", "legal"}) {
    CHECK(CodeFor(world, role, report) == ok);
    CHECK(CodeFor(world, role, clear) == (role == std::string("compliance") ? ok : denied));
  }
  for (const char* role : {"admin", "operator", "member", "auditor", "data-steward"}) {
    CHECK(CodeFor(world, role, report) == denied);
    CHECK(CodeFor(world, role, clear) == denied);
  }
}

TEST_CASE("Location: a clearance that nobody signed clears nothing") {
  World world(909);
  REQUIRE(world.Do(Seen("sg", "MY")).ok());
  CommandBody early = ClearLocation{kOperator, "sg", "explained", {}};
  world.SignCommand(&early, {kOperator, "compliance"}, world.user_key());
  // Something else came after the person looked.
  REQUIRE(world.Do(Seen("sg", "ID")).ok());
  CHECK(CodeOf(world.Do(early)) == absl::StatusCode::kPermissionDenied);
  CommandBody other = ClearLocation{kOperator, "sg", "explained", {}};
  world.SignCommand(&other, {kOperator, "legal"}, world.user_key());
  CHECK(CodeOf(world.Do(other)) == absl::StatusCode::kPermissionDenied);
  world.SetDoctor([](ledger::Predicate& predicate) {
    if (auto* record = predicate.As<v1::LocationCleared>(); record != nullptr) {
      record->clear_stated();
    }
  });
  REQUIRE(world.Do(ClearLocation{kOperator, "sg", "explained", {}}).ok());
  world.SetDoctor(nullptr);
  CHECK(GradeOf(world, "sg") == v1::LOCATION_GRADE_UNKNOWN);
  REQUIRE(world.Do(ClearLocation{kOperator, "sg", "explained", {}}).ok());
  CHECK(GradeOf(world, "sg") == v1::LOCATION_GRADE_CONTRACT);
}

TEST_CASE("Location: an observation that contradicts nothing is refused") {
  World world(906);
  const auto code = [&](auto change) {
    ContradictLocation report = Seen("sg", "MY");
    change(report);
    return CodeOf(world.Do(report));
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  CHECK(code([](auto& report) { report.seen_in = "SG"; }) == invalid);
  CHECK(code([](auto& report) { report.seen_in = "UK"; }) == invalid);
  CHECK(code([](auto& report) { report.seen_in = ""; }) == invalid);
  CHECK(code([](auto& report) { report.observed = "rumour"; }) == invalid);
  CHECK(code([](auto& report) { report.round_trip_micros = 5; }) == invalid);
  CHECK(code([](auto& report) { report.observed = kObservedRoundTrip; }) == invalid);
  CHECK(code([](auto& report) { report.document_sha256 = Bytes(31, 1); }) == invalid);
  CHECK(code([](auto& report) { report.region = "mars"; }) == absl::StatusCode::kNotFound);
  CHECK(code([](auto& report) { report.worker = "ae-1"; }) == absl::StatusCode::kNotFound);
  CHECK(CodeOf(world.Do(ClearLocation{kOperator, "sg", "bored", {}})) == invalid);
  CHECK(world.Find("location-contradicted").empty());
  for (std::size_t i = 0; i < kContradictionsMax; ++i) {
    REQUIRE(code([](auto& report) { report.worker = "sg-1"; }) == absl::StatusCode::kOk);
  }
  CHECK(code([](auto&) {}) == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("Location: an audit decides again with what was contradicted and cleared") {
  World world = WorldWithEvidence(907);
  world.AddEvidence("instance-identity", "lion", "SG");
  REQUIRE(
      world.Do(RegisterRegion{kOperator, "sg", Place("SG", "lion", v1::LOCATION_GRADE_PROVIDER)})
          .ok());
  const std::string job = world.Submit(2, 2);
  REQUIRE(world.Do(Seen("ae", "OM")).ok());
  world.Settle();
  for (const char* slot : {"fr-1", "sg-1"}) {
    REQUIRE(world.Do(world.Contribute(job, slot)).ok());
  }
  REQUIRE(world.Do(ClearLocation{kOperator, "ae", "mistaken", {}}).ok());
  world.Settle();
  REQUIRE(world.Do(StopJob{kOperator, job}).ok());
  world.Settle();
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

template <typename Message>
void ExpectForged(World& world, Message message) {
  world.FillCommon(message.mutable_common());
  world.Forge(message, world.statement_key());
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  REQUIRE(FindingOf(report, "location") != nullptr);
  CHECK(FindingOf(report, "location")->index == world.signed_log().size() - 1);
}

TEST_CASE("Location: an audit finds a grade without its evidence, and a clearance that hides one") {
  World world = WorldWithEvidence(908);
  SECTION("a grade that nothing stands under") {
    v1::RegionRegistered record;
    record.set_region("sg");
    *record.mutable_terms() = Place("SG", "lion", v1::LOCATION_GRADE_PROVIDER);
    ExpectForged(world, record);
  }
  SECTION("one of two observations overlooked") {
    REQUIRE(world.Do(Seen("sg", "MY")).ok());
    REQUIRE(world.Do(Seen("sg", "ID")).ok());
    v1::LocationCleared record;
    record.set_region("sg");
    record.add_contradictions(world.Find("location-contradicted").front());
    record.set_reason("mistaken");
    record.set_cleared_by(kOperator);
    ExpectForged(world, record);
  }
  SECTION("a clearance that nobody signed") {
    REQUIRE(world.Do(Seen("sg", "MY")).ok());
    v1::LocationCleared record;
    world.FillCommon(record.mutable_common());
    record.set_region("sg");
    record.add_contradictions(world.Find("location-contradicted").front());
    record.set_reason("mistaken");
    record.set_cleared_by(kOperator);
    world.Forge(record, world.statement_key());
    const audit::Report report = AuditWorld(world);
    INFO(TextOf(report));
    CHECK(FindingOf(report, "statement-unsigned") != nullptr);
  }
  SECTION("an observation that contradicts nothing") {
    v1::LocationContradicted record;
    record.set_region("sg");
    record.set_observed("address");
    record.set_seen_in("SG");
    record.set_reported_by(kOperator);
    ExpectForged(world, record);
  }
}

}  // namespace
}  // namespace carnet::coordinator
