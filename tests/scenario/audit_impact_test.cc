// The audit makes the report on a proposal's impact again.
#include <functional>

#include "scenario/audit_world.h"
#include "scenario/policy_office.h"

namespace carnet::coordinator {
namespace {

using audit::Severity;
using ledger::verifier::Verdict;
using nlohmann::json;

// One more country may have it.
std::shared_ptr<const policies::Bundle> Looser(PolicyOffice& office) {
  json bundle = office.Json();
  PolicyOffice::Policy(bundle, "gdpr-chapter-v")["rules"].push_back(
      {{"id", "pilot"}, {"effect", "allow"}, {"when", {{"to.jurisdiction", {{"is", "AE"}}}}}});
  return office.Next(bundle);
}

struct Office {
  explicit Office(std::uint64_t seed) : world(WorldWithEvidence(seed)), office(world) {
    office.Hire(3, {"legal"});
    office.Hire(4, {"dpo"});
    TrainWhole(world, 1);
  }
  World world;
  PolicyOffice office;
};

TEST_CASE("Audit: the report on a proposal is made again from the log") {
  Office at(621);
  REQUIRE(at.office.Propose(Looser(at.office)).ok());
  const audit::Report report = AuditWorld(at.world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
  CHECK(FindingOf(report, "impact") == nullptr);
}

TEST_CASE("Audit: a report that says another impact than the log gives is found") {
  Office at(622);
  std::function<void(json&)> change;
  SECTION("of the tests") {
    SUCCEED();
    change = [](json& report) { report["tests"]["passed"] = 1; };
  }
  SECTION("of the flows on record") {
    SUCCEED();
    change = [](json& report) { report["impact"]["flows"] = 0; };
  }
  SECTION("of the situations") {
    SUCCEED();
    change = [](json& report) { report["situations"] = json::array(); };
  }
  SECTION("of a day on which nobody asked") {
    SUCCEED();
    change = [](json& report) { report["at"] = "2026-01-01T00:00:00.000000Z"; };
  }
  SECTION("of records that come later") {
    SUCCEED();
    change = [](json& report) { report["records"] = 100000; };
  }
  SECTION("of nothing that it names") {
    SUCCEED();
    change = [](json& report) { report.erase("records"); };
  }
  at.world.SetDoctor([change](ledger::Predicate& predicate) {
    if (auto* examined = predicate.As<v1::PolicyExamined>(); examined != nullptr) {
      json report = json::parse(examined->report_json());
      change(report);
      examined->set_report_json(*CanonicalJson(report));
      examined->set_report_sha256(ToString(crypto::Sha256(AsBytes(examined->report_json()))));
    }
  });
  REQUIRE(at.office.Propose(Looser(at.office)).ok());
  const audit::Report report = AuditWorld(at.world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* const finding = FindingOf(report, "impact");
  REQUIRE(finding != nullptr);
  CHECK(finding->index == at.world.Find("policy-examined").back());
}

TEST_CASE("Audit: of a report that other records overtook, all but its flows is made again") {
  Office at(623);
  ProposePolicy command = at.office.Proposal(kOperator, at.world.user_key(), Looser(at.office));
  json text = json::parse(command.examined.report_json());
  Verdict verdict = Verdict::kCannotDecide;
  Severity severity = Severity::kGap;
  SECTION("it is honest") {
    REQUIRE(text["records"] == at.world.state().size);
  }
  SECTION("it hides a situation") {
    REQUIRE_FALSE(text["situations"].empty());
    text["situations"] = json::array();
    verdict = Verdict::kBadEvidence;
    severity = Severity::kBadEvidence;
  }
  command.examined.set_report_json(*CanonicalJson(text));
  command.examined.set_report_sha256(
      ToString(crypto::Sha256(AsBytes(command.examined.report_json()))));
  REQUIRE(at.world.Do(ReadLog{kOperator}).ok());
  REQUIRE(at.world.Do(command).ok());
  const audit::Report report = AuditWorld(at.world);
  INFO(TextOf(report));
  CHECK(report.verdict == verdict);
  const audit::Finding* const finding = FindingOf(report, "impact");
  REQUIRE(finding != nullptr);
  CHECK(finding->severity == severity);
}

TEST_CASE("Audit: a report of an older log than the one of its time is found") {
  Office at(625);
  at.world.Advance(absl::Minutes(5));
  ProposePolicy command = at.office.Proposal(kOperator, at.world.user_key(), Looser(at.office));
  json text = json::parse(command.examined.report_json());
  REQUIRE(text["records"].get<std::uint64_t>() > 10);
  text["records"] = 10;
  command.examined.set_report_json(*CanonicalJson(text));
  command.examined.set_report_sha256(
      ToString(crypto::Sha256(AsBytes(command.examined.report_json()))));
  REQUIRE(at.world.Do(command).ok());
  const audit::Report report = AuditWorld(at.world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  REQUIRE(FindingOf(report, "impact") != nullptr);
  CHECK(FindingOf(report, "impact")->severity == Severity::kBadEvidence);
}

TEST_CASE("Audit: a draft's report on record is none of a proposal") {
  Office at(624);
  const auto bundle = Looser(at.office);
  const std::string draft = at.office.MakeReport(bundle, ReportKind::kDraft);
  at.world.SetDoctor([draft](ledger::Predicate& predicate) {
    if (auto* examined = predicate.As<v1::PolicyExamined>(); examined != nullptr) {
      examined->set_report_json(draft);
      examined->set_report_sha256(ToString(crypto::Sha256(AsBytes(draft))));
    }
  });
  REQUIRE(at.office.Propose(bundle).ok());
  const audit::Report report = AuditWorld(at.world);
  CHECK(report.verdict == Verdict::kBadEvidence);
  CHECK(FindingOf(report, "examination") != nullptr);
}

}  // namespace
}  // namespace carnet::coordinator
