// A coordinator that invents approvals, roles or bundles, and the audit that finds it.
#include <catch2/catch.hpp>
#include <functional>

#include "crypto/hash.h"
#include "policies/change.h"
#include "policies/evaluate.h"
#include "scenario/audit_world.h"
#include "scenario/policy_changes.h"
#include "scenario/policy_office.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using ledger::verifier::Verdict;
using nlohmann::json;
using policies::Bundle;

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

v1::PolicyActivated Activation(World& world, const Bundle& bundle) {
  const Proposal& proposal = world.state().proposals.at(ToString(bundle.sha256()));
  v1::PolicyActivated record;
  world.FillCommon(record.mutable_common());
  record.set_bundle_sha256(ToString(bundle.sha256()));
  record.set_revision(bundle.revision());
  record.set_parent_sha256(proposal.terms.parent_sha256());
  record.set_evaluator(policies::kEvaluatorVersion);
  *record.mutable_valid_from() = ToTimestamp(bundle.head().valid_from);
  *record.mutable_valid_to() = ToTimestamp(bundle.head().valid_to);
  record.set_report_sha256(proposal.examined.report_sha256());
  record.set_proposed_index(proposal.index);
  return record;
}

TEST_CASE("Audit: people, approvals, and a bundle that came into force are good evidence") {
  World world = WorldWithEvidence(201);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"dpo"});
  const auto bundle = office.Next(Looser(office));
  REQUIRE(office.Propose(bundle).ok());
  REQUIRE(office.Approve(ann, "legal", *bundle).ok());
  REQUIRE(office.Approve(bea, "dpo", *bundle).ok());
  world.Settle();
  REQUIRE(world.state().bundle->sha256() == bundle->sha256());
  TrainWhole(world, 1);
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
  CHECK(report.bundles.size() == 2);
}

TEST_CASE("Audit: an activation without its approvals is found") {
  World world(202);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  office.Hire(4, {"dpo"});
  const auto bundle = office.Next(Looser(office));
  REQUIRE(office.Propose(bundle).ok());
  v1::PolicyActivated record;
  SECTION("none at all") {
    SUCCEED();
    record = Activation(world, *bundle);
  }
  SECTION("one of two") {
    REQUIRE(office.Approve(ann, "legal", *bundle).ok());
    record = Activation(world, *bundle);
    record.add_approvals(world.Find("approval").back());
  }
  SECTION("said to tighten only") {
    SUCCEED();
    record = Activation(world, *bundle);
    record.set_tighten_only(true);
  }
  ExpectForged(world, record, world.statement_key(), "activation");
}

TEST_CASE("Audit: an examination that says too little of a change is found") {
  World world(203);
  PolicyOffice office(world);
  office.Hire(3, {"legal"});
  office.Hire(4, {"dpo"});
  std::function<void(v1::PolicyExamined&)> change;
  SECTION("tightens only") {
    SUCCEED();
    change = [](v1::PolicyExamined& examined) { examined.set_tighten_only(true); };
  }
  SECTION("asks for nobody") {
    SUCCEED();
    change = [](v1::PolicyExamined& examined) { examined.clear_needs(); };
  }
  SECTION("one person is enough") {
    SUCCEED();
    change = [](v1::PolicyExamined& examined) { examined.mutable_needs(0)->set_need(1); };
  }
  SECTION("a report of another bundle") {
    SUCCEED();
    change = [](v1::PolicyExamined& examined) {
      examined.set_report_json(R"({"bundle":"aa","parent":"bb"})");
      examined.set_report_sha256(ToString(crypto::Sha256(AsBytes(examined.report_json()))));
    };
  }
  world.SetDoctor([change](ledger::Predicate& predicate) {
    if (auto* examined = predicate.As<v1::PolicyExamined>(); examined != nullptr) {
      change(*examined);
    }
  });
  REQUIRE(office.Propose(office.Next(Looser(office))).ok());
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, "examination");
  REQUIRE(finding != nullptr);
  CHECK(finding->index == world.Find("policy-examined").back());
}

// What the coordinator would record of a proposal that it does not refuse.
v1::PolicyExamined ExaminedAs(World& world, const ProposePolicy& command,
                              const policies::Bundle& bundle) {
  v1::PolicyExamined examined = command.examined;
  world.FillCommon(examined.mutable_common());
  examined.set_bundle_sha256(ToString(bundle.sha256()));
  for (const policies::ApprovalRule& rule :
       policies::NeededApprovals(*world.state().bundle, bundle)) {
    v1::ApprovalNeed& need = *examined.add_needs();
    need.set_policy(rule.policy);
    need.set_need(rule.need);
    need.mutable_from()->Add(rule.from.begin(), rule.from.end());
  }
  return examined;
}

TEST_CASE("Audit: a guardrail whose approvers nobody is, said to only tighten, is found") {
  World world(209);
  PolicyOffice office(world);
  const auto bundle = office.Next(Locked(office, "ghost"));
  const ProposePolicy command = office.Proposal(kOperator, world.user_key(), bundle);
  world.Forge(command.proposed, world.user_key());
  v1::PolicyExamined examined = ExaminedAs(world, command, *bundle);
  examined.set_tighten_only(true);
  ExpectForged(world, examined, world.statement_key(), "examination");
}

TEST_CASE(
    "Audit: a proposal that nobody withdrew, and that could still come into force, is found") {
  World world(210);
  PolicyOffice office(world);
  office.Hire(3, {"legal"});
  office.Hire(4, {"dpo"});
  const auto bundle = office.Next(Looser(office));
  REQUIRE(office.Propose(bundle).ok());
  v1::PolicyWithdrawn record;
  world.FillCommon(record.mutable_common());
  record.set_bundle_sha256(ToString(bundle->sha256()));
  ExpectForged(world, record, world.statement_key(), "withdrawal");
}

TEST_CASE("Audit: an act of somebody who was revoked, and an approval used again, are found") {
  World world(211);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"admin"});
  const Person bea = office.Hire(4, {"member"});
  const Person lou = office.Hire(5, {"legal"});
  SECTION("an admin who was revoked") {
    REQUIRE(world.Do(RevokeUser{kOperator, ann.id, "left"}).ok());
    v1::UserRoleChanged record;
    world.FillCommon(record.mutable_common());
    record.set_user_id(bea.id);
    record.set_public_key(ToString(bea.Key().public_key()));
    record.add_granted("operator");
    record.set_changed_by(ann.id);
    ExpectForged(world, record, world.statement_key(), "role");
  }
  SECTION("a role granted, taken and granted again") {
    v1::UserRoleChanged again =
        world.At<v1::UserRoleChanged>(world.Find("user-role-changed").back());
    REQUIRE(again.user_id() == lou.id);
    REQUIRE(world.Do(RevokeRole{kOperator, lou.id, "legal"}).ok());
    world.FillCommon(again.mutable_common());
    ExpectForged(world, again, world.statement_key(), "role-approval");
  }
}

TEST_CASE("Audit: an admin who decides about policies is found, but for the founder alone") {
  World world(216);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"admin"});
  const Person lou = office.Hire(4, {"legal"});
  CHECK(AuditWorld(world).verdict == Verdict::kGood);  // kOperator is both
  v1::UserRoleChanged record;
  world.FillCommon(record.mutable_common());
  record.set_changed_by(kOperator);
  SECTION("by invitation") {
    v1::UserInvited invited = world.At<v1::UserInvited>(world.Find("user-invited").back());
    world.FillCommon(invited.mutable_common());
    invited.set_token_sha256(std::string(32, 'n'));
    invited.set_user_id("u-bbbbbbbbbbbbbbbb");
    invited.add_roles("admin");
    ExpectForged(world, invited, world.statement_key(), "enrolment");
  }
  SECTION("an admin is given a role of policy") {
    const std::uint64_t index = world.signed_log().size();
    world.Forge(office.Draft(kOperator, kApprovalOfRole, "legal",
                             AsText(crypto::Sha256(ann.Key().public_key()))),
                world.user_key());
    record.set_user_id(ann.id);
    record.set_public_key(ToString(ann.Key().public_key()));
    record.add_granted("legal");
    record.add_approvals(index);
    ExpectForged(world, record, world.statement_key(), "role");
  }
  SECTION("who decides about policies becomes an admin") {
    record.set_user_id(lou.id);
    record.set_public_key(ToString(lou.Key().public_key()));
    record.add_granted("admin");
    ExpectForged(world, record, world.statement_key(), "role");
  }
}

TEST_CASE("Audit: a renewal by somebody who may propose nothing is found") {
  World world(217);
  PolicyOffice office(world);
  const Person mia = office.Hire(3, {"member"});
  const auto bundle = office.Next(office.Json());
  const ProposePolicy command = office.Proposal(mia.id, mia.Key(), bundle, kIntentRenew);
  world.Forge(command.proposed, mia.Key());
  ExpectForged(world, ExaminedAs(world, command, *bundle), world.statement_key(), "proposal");
}

TEST_CASE("Audit: a renewal that changes something is found") {
  World world(218);
  PolicyOffice office(world);
  const ProposePolicy command =
      office.Proposal(kOperator, world.user_key(), office.Next(Looser(office)), kIntentRenew);
  ExpectForged(world, command.proposed, world.user_key(), "proposal");
}

TEST_CASE("Audit: an invented bundle, and one of a lower revision, are found") {
  World world(204);
  PolicyOffice office(world);
  office.Hire(3, {"legal"});
  office.Hire(4, {"dpo"});
  const auto bundle = office.Next(Looser(office));
  REQUIRE(office.Propose(bundle).ok());
  v1::PolicyActivated record = Activation(world, *bundle);
  SECTION("nobody proposed it") {
    record.set_bundle_sha256(std::string(32, 'b'));
    ExpectForged(world, record, world.statement_key(), "proposal");
  }
  SECTION("a lower revision") {
    record.set_revision(1);
    ExpectForged(world, record, world.statement_key(), "activation");
  }
  SECTION("another parent") {
    record.set_parent_sha256(std::string(32, 'p'));
    ExpectForged(world, record, world.statement_key(), "activation");
  }
  SECTION("proposed in the author's name") {
    v1::PolicyProposed proposed =
        office.Proposal(kOperator, world.user_key(), office.Next(office.Json())).proposed;
    ExpectForged(world, proposed, world.statement_key(), "signer");
  }
}

TEST_CASE("Audit: an approval in a person's name, by the author or by a stranger is found") {
  World world(205);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person cleo = office.Hire(5, {"compliance"});
  office.Hire(4, {"dpo"});
  const auto bundle = office.Next(Looser(office));
  REQUIRE(office.Propose(bundle).ok());
  v1::Approval approval =
      office.Draft(ann.id, kApprovalOfBundle, "legal", AsText(bundle->sha256()));
  approval.set_report_sha256(PolicyOffice::ReportDigest(*bundle));
  SECTION("signed by the coordinator") {
    ExpectForged(world, approval, world.statement_key(), "signer");
  }
  SECTION("by the author") {
    approval.set_approver(kOperator);
    ExpectForged(world, approval, world.user_key(), "approval");
  }
  SECTION("in a role that he does not hold") {
    approval.set_approver(cleo.id);
    ExpectForged(world, approval, cleo.Key(), "approval");
  }
  SECTION("of another report") {
    approval.set_report_sha256(std::string(32, 'r'));
    ExpectForged(world, approval, ann.Key(), "approval");
  }
}

TEST_CASE("Audit: a role from nowhere, and a person from nowhere, are found") {
  World world(206);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"member"});
  SECTION("a policy role without an approval") {
    v1::UserRoleChanged record;
    world.FillCommon(record.mutable_common());
    record.set_user_id(ann.id);
    record.set_public_key(ToString(world.state().users.at(ann.id).public_key));
    record.add_granted("dpo");
    record.set_changed_by(kOperator);
    ExpectForged(world, record, world.statement_key(), "role-approval");
  }
  SECTION("an account role by somebody who is no admin") {
    v1::UserRoleChanged record;
    world.FillCommon(record.mutable_common());
    record.set_user_id(ann.id);
    record.set_public_key(ToString(world.state().users.at(ann.id).public_key));
    record.add_granted("admin");
    record.set_changed_by(ann.id);
    ExpectForged(world, record, world.statement_key(), "role");
  }
  SECTION("an enrolment without an invitation") {
    v1::UserEnrolled record;
    world.FillCommon(record.mutable_common());
    record.set_user_id("u-bbbbbbbbbbbbbbbb");
    record.set_public_key(std::string(32, 'k'));
    record.add_roles("dpo");
    ExpectForged(world, record, world.statement_key(), "enrolment");
  }
}

// A job under revision 1, three more revisions, and a job under the last.
void TwoJobsAndThreeRevisions(World& world) {
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"compliance"});
  TrainWhole(world, 2);
  for (const char* title : {"Second", "Third", "Fourth"}) {
    json bundle = office.Json();
    PolicyOffice::Policy(bundle, "house")["title"] = title;
    const auto next = office.Next(bundle);
    REQUIRE(office.Propose(next).ok());
    REQUIRE(office.Approve(ann, "legal", *next).ok());
    REQUIRE(office.Approve(bea, "compliance", *next).ok());
    world.Settle();
    REQUIRE(world.state().bundle->sha256() == next->sha256());
  }
  TrainWhole(world, 1);
}

TEST_CASE("Audit: decisions replay under the revision of their time, and are counted by it") {
  World world = WorldWithEvidence(207);
  TwoJobsAndThreeRevisions(world);
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
  REQUIRE(report.bundles.size() == 4);
  std::uint64_t decisions = 0;
  for (const audit::BundleInForce& bundle : report.bundles) {
    decisions += bundle.decisions;
  }
  CHECK(decisions == report.numbers.decisions);
  CHECK(report.bundles.front().decisions > 0);
  CHECK(report.bundles.back().decisions > 0);
  CHECK(report.bundles[1].decisions == 0);
}

TEST_CASE("Audit: one verdict on record that came out otherwise is found after three revisions") {
  World world = WorldWithEvidence(208);
  auto first = std::make_shared<bool>(true);
  world.SetDoctor([first](ledger::Predicate& predicate) {
    auto* refusal = predicate.As<v1::Refusal>();
    if (refusal != nullptr && *first) {
      *first = false;
      refusal->mutable_decisions(0)->set_verdict(v1::VERDICT_HOLD);
    }
  });
  TwoJobsAndThreeRevisions(world);
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, "decision-verdict");
  REQUIRE(finding != nullptr);
  CHECK(finding->index == world.Find("refusal").front());
}

}  // namespace
}  // namespace carnet::coordinator
