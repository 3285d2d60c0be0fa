// Approvals of jobs and of exceptions in a replay, and a coordinator that invents them.
#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "policies/exceptions.h"
#include "scenario/audit_world.h"
#include "scenario/policy_office.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using ledger::verifier::Verdict;

constexpr char kHead[] =
    "kind: guardrail\ntitle: T\napprovals: {propose: [dpo], need: 1, from: [dpo]}\n"
    "effective: {from: 2026-01-01}\nrules:\n";

// A job is placed only with a yes of dpo; Singapore only by the exception, with a yes of legal.
std::vector<std::string> Policies() {
  return {absl::StrCat("policy: sign\n", kHead,
                       "  - id: abroad\n    effect: require\n    when: {op: {is: place}}\n"
                       "    require: [{id: chief, phase: approval, from: [dpo], need: 1}]\n"),
          absl::StrCat("policy: sg\n", kHead,
                       "  - {id: never, effect: deny, when: {to.jurisdiction: {is: SG}}}\n"
                       "exceptions:\n  - id: pilot\n    lifts: never\n"
                       "    only_when: {job.purpose: {is: digit-recognition}}\n    ticket: T-1\n"
                       "    valid: {from: 2026-11-01, to: 2027-01-31}\n"
                       "    approvals: {need: 1, from: [legal]}\n")};
}

struct Office {
  explicit Office(std::uint64_t seed) : world(seed, Policies()), office(world) {
    ann = office.Hire(3, {"dpo"});
    bea = office.Hire(4, {"legal"});
    job = world.Submit(1, 3);
    world.Settle();
    subject_of_job = world.state().jobs.at(job).submitted.spec_sha256();
    subject_of_pilot =
        ToString(policies::FindException(*world.state().bundle, "sg/pilot")->subject);
  }

  v1::Approval OfJob(const Person& who, const std::string& role) {
    return office.Draft(who.id, kApprovalOfJob, role, subject_of_job);
  }
  v1::Approval OfPilot(const Person& who, const std::string& role) {
    return office.Draft(who.id, kApprovalOfException, role, subject_of_pilot);
  }
  void Record(const Person& who, const v1::Approval& approval) {
    const auto done =
        world.Do(RecordApproval{who.id, PolicyOffice::Sign(approval, who.Key()), approval});
    INFO(done.status().ToString());
    REQUIRE(done.ok());
  }
  // Both said yes, and the round is open.
  void Open() {
    Record(ann, OfJob(ann, "dpo"));
    Record(bea, OfPilot(bea, "legal"));
    world.Settle();
    REQUIRE(world.state().jobs.at(job).round.has_value());
    REQUIRE(world.state().jobs.at(job).round->opened.members_size() == 3);
  }

  World world;
  PolicyOffice office;
  Person ann;
  Person bea;
  std::string job;
  std::string subject_of_job;
  std::string subject_of_pilot;
};

// The last record, which nobody decided, is found by that check.
void ExpectForged(World& world, const ledger::Predicate& predicate,
                  const crypto::Ed25519KeyPair& key, const std::string& check) {
  world.Forge(predicate, key);
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, check);
  REQUIRE(finding != nullptr);
  CHECK(finding->index == world.signed_log().size() - 1);
}

TEST_CASE("Audit: a job and an exception that persons approved are good evidence") {
  Office its(221);
  REQUIRE(AuditWorld(its.world).verdict == Verdict::kGood);  // held
  its.Open();
  // Both end with the day; what was decided while they counted is not judged anew.
  its.world.ContributeAll(its.job);
  its.world.Settle();
  its.world.Advance(absl::Hours(48));
  its.world.Settle();
  const Report report = AuditWorld(its.world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
  CHECK(report.findings.empty());
}

TEST_CASE("Audit: an approval of a job that its person could not give is found") {
  Office its(222);
  v1::Approval approval = its.OfJob(its.ann, "dpo");
  SECTION("made by the coordinator") {
    ExpectForged(its.world, approval, its.world.statement_key(), "signer");
  }
  SECTION("by the job's submitter") {
    approval.set_approver(kOperator);
    ExpectForged(its.world, approval, its.world.user_key(), "approval");
  }
  SECTION("in a role that she does not hold") {
    approval.set_role("legal");
    ExpectForged(its.world, approval, its.ann.Key(), "approval");
  }
  SECTION("of a job that nobody submitted") {
    approval.set_subject_sha256(std::string(32, 'j'));
    ExpectForged(its.world, approval, its.ann.Key(), "approval");
  }
}

TEST_CASE("Audit: an approval of an exception that its person could not give is found") {
  Office its(223);
  v1::Approval approval = its.OfPilot(its.bea, "legal");
  SECTION("made by the coordinator") {
    ExpectForged(its.world, approval, its.world.statement_key(), "signer");
  }
  SECTION("in a role that the exception does not ask for") {
    approval = its.OfPilot(its.ann, "dpo");
    ExpectForged(its.world, approval, its.ann.Key(), "approval");
  }
  SECTION("of an exception that no bundle has") {
    approval.set_subject_sha256(std::string(32, 'e'));
    ExpectForged(its.world, approval, its.bea.Key(), "approval");
  }
}

TEST_CASE("Audit: an exception's approval by its own author is found") {
  World world(224);
  PolicyOffice office(world);
  nlohmann::json bundle = office.Json();
  nlohmann::json& policy = PolicyOffice::Policy(bundle, "raw-data-stays");
  policy["exceptions"] = nlohmann::json::array();
  policy["exceptions"].push_back({{"id", "pilot"},
                                  {"lifts", policy["rules"][0]["id"]},
                                  {"only_when", {{"job.purpose", {{"is", "pilot"}}}}},
                                  {"ticket", "T-1"},
                                  {"valid", {{"from", "2026-11-01"}, {"to", "2027-01-31"}}},
                                  {"approvals", {{"need", "1"}, {"from", {"dpo"}}}}});
  office.Hire(3, {"dpo"});
  office.Hire(4, {"dpo"});
  const auto proposed = office.Next(bundle);
  REQUIRE(office.Propose(proposed).ok());
  const auto exception = policies::FindException(*proposed, "raw-data-stays/pilot");
  REQUIRE(exception.has_value());
  ExpectForged(world,
               office.Draft(kOperator, kApprovalOfException, "dpo", AsText(exception->subject)),
               world.user_key(), "approval");
}

TEST_CASE("Audit: a round that opened without its approvals is found") {
  // The same federation, in which the approvals came, shows what the round would be.
  Office honest(225);
  Office lying(225);
  std::string check = "decision-verdict";
  SECTION("of the job") {
    SUCCEED();
    lying.Record(lying.bea, lying.OfPilot(lying.bea, "legal"));
    lying.world.Settle();
  }
  SECTION("of the exception") {
    SUCCEED();
    const LiveWorkers live = lying.world.live;
    lying.world.live.clear();
    lying.Record(lying.ann, lying.OfJob(lying.ann, "dpo"));
    lying.world.live = live;
  }
  honest.Open();
  v1::RoundOpened opened = honest.world.state().jobs.at(honest.job).round->opened;
  lying.world.FillCommon(opened.mutable_common());
  ExpectForged(lying.world, opened, lying.world.statement_key(), check);
}

TEST_CASE("Audit: an exception in a decision that used none is found") {
  Office its(226);
  its.world.SetDoctor([](ledger::Predicate& predicate) {
    if (auto* opened = predicate.As<v1::RoundOpened>(); opened != nullptr) {
      opened->mutable_members(0)->mutable_authorisations(0)->add_exceptions("quiet");
    }
  });
  its.Open();
  const Report report = AuditWorld(its.world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, "decision-exceptions");
  REQUIRE(finding != nullptr);
  CHECK(finding->index == its.world.Find("round-opened").front());
}

}  // namespace
}  // namespace carnet::coordinator
