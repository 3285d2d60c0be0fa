// From a proposal to a bundle in force, and everything that must stop it on the way.
#include <catch2/catch.hpp>

#include "scenario/policy_changes.h"
#include "scenario/policy_office.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;
using policies::Bundle;

json Tighter(const PolicyOffice& office) {
  json bundle = office.Json();
  PolicyOffice::Policy(bundle, "gdpr-chapter-v")["rules"].push_back(
      {{"id", "stop"}, {"effect", "deny"}, {"when", {{"to.jurisdiction", {{"is", "SG"}}}}}});
  return bundle;
}

Digest InForce(const World& world) {
  return world.state().bundle->sha256();
}

TEST_CASE("Policy life: a change comes into force with the approvals that its policy asks for") {
  World world(61);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"dpo"});
  const auto bundle = office.Next(Looser(office));
  REQUIRE(office.Propose(bundle).ok());
  CHECK(world.Find("policy-examined").size() == 1);
  REQUIRE(office.Approve(ann, "legal", *bundle).ok());
  world.Settle();
  CHECK(InForce(world) != bundle->sha256());
  REQUIRE(office.Approve(bea, "dpo", *bundle).ok());
  world.Settle();
  REQUIRE(InForce(world) == bundle->sha256());
  const auto& activated = world.At<v1::PolicyActivated>(world.Find("policy-activated").back());
  CHECK(activated.revision() == 2);
  CHECK(activated.approvals_size() == 2);
  CHECK(world.state().bundles.size() == 2);
  CHECK(world.Refold().bundle->sha256() == bundle->sha256());
}

TEST_CASE(
    "Policy life: the author never counts, nor does a person twice or in a role unasked for") {
  World world(62);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal", "dpo"});
  const Person cleo = office.Hire(5, {"compliance", "legal"});
  const auto bundle = office.Next(Looser(office));
  REQUIRE(office.Propose(bundle).ok());
  CHECK(office.Approve(kOperator, world.user_key(), "legal", *bundle).code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(office.Approve(cleo, "compliance", *bundle).code() == absl::StatusCode::kPermissionDenied);
  REQUIRE(office.Approve(ann, "legal", *bundle).ok());
  REQUIRE(office.Approve(ann, "dpo", *bundle).ok());
  world.Settle();
  CHECK(InForce(world) != bundle->sha256());
  const absl::Status early =
      world.Do(ActivatePolicy{kOperator, ToBytes(AsText(bundle->sha256()))}).status();
  CHECK(early.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(early.message()) ==
        "policy: approvals are missing: gdpr-chapter-v has 1 of 2 from dpo, legal");
}

TEST_CASE("Policy life: an approval of another report, or by another key, is refused") {
  World world(63);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"dpo"});
  const auto bundle = office.Next(Looser(office));
  REQUIRE(office.Propose(bundle).ok());
  v1::Approval approval =
      office.Draft(ann.id, kApprovalOfBundle, "legal", AsText(bundle->sha256()));
  approval.set_report_sha256(ToString(world.Random(32)));
  CHECK(world.Do(RecordApproval{ann.id, PolicyOffice::Sign(approval, ann.Key()), approval})
            .status()
            .code() == absl::StatusCode::kInvalidArgument);
  // What a coordinator could make up: her name, his key.
  CHECK(office.Approve(ann.id, bea.Key(), "legal", *bundle).code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(world.Find("approval").size() == 2);  // of the two roles
}

TEST_CASE("Policy life: approvals of somebody who lost the role no longer count") {
  World world(64);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"dpo"});
  const Person cleo = office.Hire(5, {"dpo"});
  const auto bundle = office.Next(Looser(office));
  REQUIRE(office.Propose(bundle).ok());
  REQUIRE(office.Approve(ann, "legal", *bundle).ok());
  REQUIRE(world.Do(RevokeUser{kOperator, ann.id, "key-lost"}).ok());
  REQUIRE(office.Approve(bea, "dpo", *bundle).ok());
  world.Settle();
  CHECK(InForce(world) != bundle->sha256());
  REQUIRE(office.Approve(cleo, "dpo", *bundle).ok());
  world.Settle();
  CHECK(InForce(world) == bundle->sha256());
}

TEST_CASE("Policy life: what nobody could approve, or would change nothing, is refused at once") {
  World world(65);
  PolicyOffice office(world);
  const absl::Status alone = office.Propose(office.Next(Looser(office)));
  CHECK(alone.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(alone.message()).find("nobody could approve it: gdpr-chapter-v needs 2") !=
        std::string::npos);
  office.Hire(3, {"legal"});
  office.Hire(4, {"dpo"});
  CHECK(office.Propose(office.Next(office.Json())).code() == absl::StatusCode::kInvalidArgument);
  CHECK(office.Propose(office.Next(Looser(office)), kIntentRenew).code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(office.Propose(office.Next(Looser(office)), kIntentRevert).code() ==
        absl::StatusCode::kInvalidArgument);
  json future = office.Json();
  PolicyOffice::Policy(future, "gdpr-chapter-v")["approvals"]["from"] = {"works-council"};
  CHECK(office.Propose(office.Next(future)).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(world.Find("policy-proposed").empty());
}

TEST_CASE("Policy life: only a role that the policy names for it may propose") {
  World world(66);
  PolicyOffice office(world);
  office.Hire(3, {"legal"});
  office.Hire(4, {"dpo"});
  const Person member = office.Hire(5, {"member", "legal"});
  const auto bundle = office.Next(Looser(office));
  CHECK(world.Do(office.Proposal(member.id, member.Key(), bundle)).status().code() ==
        absl::StatusCode::kPermissionDenied);
  // In another's name.
  CHECK(world.Do(office.Proposal(kOperator, member.Key(), bundle)).status().code() ==
        absl::StatusCode::kPermissionDenied);
}

TEST_CASE("Policy life: whoever may propose any policy renews all, with the approvals of all") {
  World world(77);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo"});
  const Person bea = office.Hire(4, {"legal"});
  const Person cleo = office.Hire(5, {"compliance"});
  const Person dan = office.Hire(6, {"compliance"});
  const Person mia = office.Hire(7, {"member"});
  const auto same = office.Next(office.Json());
  CHECK(world.Do(office.Proposal(mia.id, mia.Key(), same, kIntentRenew)).status().code() ==
        absl::StatusCode::kPermissionDenied);
  // A change of what only a dpo writes is hers under no name.
  const auto looser = office.Next(Looser(office));
  CHECK(world.Do(office.Proposal(cleo.id, cleo.Key(), looser)).status().code() ==
        absl::StatusCode::kPermissionDenied);
  CHECK(world.Do(office.Proposal(cleo.id, cleo.Key(), looser, kIntentRenew)).status().code() ==
        absl::StatusCode::kInvalidArgument);
  const absl::Status renewed =
      world.Do(office.Proposal(cleo.id, cleo.Key(), same, kIntentRenew)).status();
  INFO(renewed.ToString());
  REQUIRE(renewed.ok());
  REQUIRE(office.Approve(ann, "dpo", *same).ok());
  REQUIRE(office.Approve(bea, "legal", *same).ok());
  world.Settle();
  CHECK(InForce(world) != same->sha256());  // house and raw-data-stays lack one
  REQUIRE(office.Approve(dan, "compliance", *same).ok());
  world.Settle();
  CHECK(InForce(world) == same->sha256());
}

TEST_CASE("Policy life: what today's holders can renew gives way to nothing that they cannot") {
  World world(78);
  PolicyOffice office(world);
  office.Hire(3, {"dpo"});
  office.Hire(4, {"legal"});
  office.Hire(5, {"compliance"});
  json next = office.Json();
  // 3 hold one of these roles, and the author is one of them.
  PolicyOffice::Policy(next, "gdpr-chapter-v")["approvals"]["need"] = "3";
  const absl::Status refused = office.Propose(office.Next(next));
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(refused.message()).find("gdpr-chapter-v needs 3 of dpo, legal besides") !=
        std::string::npos);
  PolicyOffice::Policy(next, "gdpr-chapter-v")["approvals"]["need"] = "1";
  CHECK(office.Propose(office.Next(next)).ok());
}

TEST_CASE("Policy life: an approved bundle waits while nobody could change it any more") {
  World world(79);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"dpo"});
  const Person bea = office.Hire(4, {"legal"});
  office.Hire(5, {"compliance"});
  const Person dan = office.Hire(6, {"legal"});
  json next = Looser(office);
  PolicyOffice::Policy(next, "gdpr-chapter-v")["approvals"]["need"] = "3";
  const auto bundle = office.Next(next, absl::Hours(12));
  REQUIRE(office.Propose(bundle).ok());
  REQUIRE(office.Approve(ann, "dpo", *bundle).ok());
  REQUIRE(office.Approve(bea, "legal", *bundle).ok());
  REQUIRE(world.Do(RevokeUser{kOperator, dan.id, "left"}).ok());
  world.Advance(absl::Hours(13));
  world.Settle();
  CHECK(InForce(world) != bundle->sha256());
  CHECK(world.Do(ActivatePolicy{kOperator, ToBytes(AsText(bundle->sha256()))}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  office.Hire(7, {"legal"});
  world.Settle();
  CHECK(InForce(world) == bundle->sha256());
}

TEST_CASE("Policy life: whoever would be refused is refused before anything is examined") {
  World world(74);
  PolicyOffice office(world);
  office.Hire(3, {"legal"});
  office.Hire(4, {"dpo"});
  const Person member = office.Hire(5, {"member"});
  const auto bundle = office.Next(Looser(office));
  const auto check = [&](const ProposePolicy& command) {
    return CheckProposal(world.state(), command, world.now()).code();
  };
  CHECK(check(office.Proposal(kOperator, world.user_key(), bundle)) == absl::StatusCode::kOk);
  CHECK(check(office.Proposal(member.id, member.Key(), bundle)) ==
        absl::StatusCode::kPermissionDenied);
  CHECK(check(office.Proposal(kOperator, member.Key(), bundle)) ==
        absl::StatusCode::kPermissionDenied);
  CHECK(check(office.Proposal(kOperator, world.user_key(), office.Next(office.Json()))) ==
        absl::StatusCode::kInvalidArgument);
  REQUIRE(office.Propose(bundle).ok());
  CHECK(check(office.Proposal(kOperator, world.user_key(), bundle)) ==
        absl::StatusCode::kAlreadyExists);
}

TEST_CASE("Policy life: a number of persons counts as the loader reads it") {
  const std::string need = GENERATE("1.0", "2.00");
  CAPTURE(need);
  World world(75);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"dpo"});
  json written = Looser(office);
  PolicyOffice::Policy(written, "gdpr-chapter-v")["approvals"]["need"] = need;
  const auto first = office.Next(written);
  REQUIRE(office.Propose(first).ok());
  REQUIRE(office.Approve(ann, "legal", *first).ok());
  REQUIRE(office.Approve(bea, "dpo", *first).ok());
  world.Settle();
  REQUIRE(InForce(world) == first->sha256());
  // And by its own rule, the next one.
  json next = office.Json();
  PolicyOffice::Policy(next, "gdpr-chapter-v")["rules"].push_back(
      {{"id", "pilot-2"}, {"effect", "allow"}, {"when", {{"to.jurisdiction", {{"is", "SG"}}}}}});
  const auto second = office.Next(next);
  REQUIRE(office.Propose(second).ok());
  REQUIRE(office.Approve(ann, "legal", *second).ok());
  world.Settle();
  CHECK((InForce(world) == second->sha256()) == (need == "1.0"));
}

TEST_CASE("Policy life: nobody adds a guardrail whose approvers nobody is") {
  World world(76);
  PolicyOffice office(world);
  const absl::Status refused = office.Propose(office.Next(Locked(office, "ghost")));
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(std::string(refused.message()).find("could never meet the approvals of zz-locked") !=
        std::string::npos);
  const auto held = office.Next(Locked(office, "compliance"));
  REQUIRE(office.Propose(held).ok());
  world.Settle();
  CHECK(InForce(world) == held->sha256());
}

TEST_CASE("Policy life: a lower or repeated revision, or one of another parent, is refused") {
  World world(67);
  PolicyOffice office(world);
  office.Hire(3, {"legal"});
  office.Hire(4, {"dpo"});
  const json looser = Looser(office);
  const auto plain = office.Next(looser);
  for (const std::uint64_t revision : {std::uint64_t{1}, std::uint64_t{3}}) {
    policies::BundleHead head = plain->head();
    head.revision = revision;
    CHECK_FALSE(office.Propose(*policies::IssueBundle(*plain, head)).ok());
  }
  policies::BundleHead head = plain->head();
  head.parent = crypto::Sha256(AsBytes("another"));
  CHECK_FALSE(office.Propose(*policies::IssueBundle(*plain, head)).ok());
  CHECK(office.Propose(plain).ok());
  CHECK(office.Propose(plain).code() == absl::StatusCode::kAlreadyExists);
}

TEST_CASE("Policy life: a bundle that only tightens needs its author's signature alone") {
  World world(68);
  PolicyOffice office(world);
  const auto bundle = office.Next(Tighter(office));
  REQUIRE(office.Propose(bundle).ok());
  world.Settle();
  CHECK(InForce(world) == bundle->sha256());
  CHECK(world.At<v1::PolicyActivated>(world.Find("policy-activated").back()).tighten_only());
}

TEST_CASE(
    "Policy life: an approved bundle waits for its day, and one that was overtaken is closed") {
  World world(69);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"dpo"});
  const auto later = office.Next(Looser(office), absl::Hours(48));
  REQUIRE(office.Propose(later).ok());
  REQUIRE(office.Approve(ann, "legal", *later).ok());
  REQUIRE(office.Approve(bea, "dpo", *later).ok());
  const Agenda agenda = world.Settle();
  CHECK(InForce(world) != later->sha256());
  CHECK(agenda.wake <= later->head().valid_from);
  SECTION("its day comes") {
    world.Advance(absl::Hours(47));
    REQUIRE(office.Approve(ann, "legal", *later).ok());  // the first ones end after a day
    REQUIRE(office.Approve(bea, "dpo", *later).ok());
    world.Advance(absl::Hours(1));
    world.Settle();
    CHECK(InForce(world) == later->sha256());
  }
  SECTION("another one is first") {
    const auto stop = office.Next(Tighter(office));
    REQUIRE(office.Propose(stop).ok());
    world.Settle();
    CHECK(InForce(world) == stop->sha256());
    CHECK(world.state().proposals.at(ToString(later->sha256())).phase == ProposalPhase::kWithdrawn);
    CHECK(office.Approve(ann, "legal", *later).code() == absl::StatusCode::kNotFound);
  }
}

TEST_CASE("Policy life: after its end jobs wait and say why, until the bundle is renewed") {
  World world(70);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal", "compliance", "dpo"});
  const Person bea = office.Hire(4, {"legal", "compliance", "dpo"});
  world.AddEvidence("scc-2021-914", "lion", "SG");
  world.AddEvidence("tia", "lion", "SG");
  // The world's leases end after 30 days; its bundle after 60.
  const auto brief = office.Next(Tighter(office), absl::ZeroDuration(), absl::Hours(24));
  REQUIRE(office.Propose(brief).ok());
  world.Settle();
  REQUIRE(InForce(world) == brief->sha256());
  world.Advance(absl::Hours(25));
  const std::string job = world.Submit(2, 2);
  const Agenda agenda = world.Settle();
  REQUIRE(agenda.waiting.count(job) == 1);
  CHECK(agenda.waiting.at(job) ==
        "a policy bundle in force: the last one expired (carnet policy renew)");
  CHECK_FALSE(world.state().jobs.at(job).round.has_value());
  const auto renewed = office.Next(office.Json());
  REQUIRE(office.Propose(renewed, kIntentRenew).ok());
  for (const Person& person : {ann, bea}) {
    for (const char* role : {"legal", "compliance", "dpo"}) {
      REQUIRE(office.Approve(person, role, *renewed).ok());
    }
  }
  world.Settle();
  REQUIRE(InForce(world) == renewed->sha256());
  CHECK(world.state().jobs.at(job).round.has_value());
}

TEST_CASE("Policy life: what was in force before comes back as a new revision") {
  World world(71);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  const Person bea = office.Hire(4, {"dpo"});
  const json first = office.Json();
  const auto stop = office.Next(Tighter(office));
  REQUIRE(office.Propose(stop).ok());
  world.Settle();
  const auto back = office.Next(first);
  REQUIRE(office.Propose(back, kIntentRevert).ok());
  REQUIRE(office.Approve(ann, "legal", *back).ok());
  REQUIRE(office.Approve(bea, "dpo", *back).ok());
  world.Settle();
  CHECK(InForce(world) == back->sha256());
  CHECK(world.state().bundle->revision() == 3);
}

TEST_CASE("Policy life: a proposal is withdrawn by its author or an approver, and by nobody else") {
  World world(72);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  office.Hire(4, {"dpo"});
  const Person member = office.Hire(5, {"member"});
  const auto bundle = office.Next(Looser(office));
  REQUIRE(office.Propose(bundle).ok());
  const Bytes digest = ToBytes(AsText(bundle->sha256()));
  CHECK(world.Do(WithdrawPolicy{member.id, digest}).status().code() ==
        absl::StatusCode::kPermissionDenied);
  REQUIRE(world.Do(WithdrawPolicy{ann.id, digest}).ok());
  CHECK(world.Do(ActivatePolicy{kOperator, digest}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("Policy life: a model that was sealed under the bundle before opens no round") {
  World world(73);
  PolicyOffice office(world);
  const std::string job = world.Submit(1, 2);
  OpenRound open{job,
                 1,
                 1,
                 "k-" + HexEncode(world.Random(8)),
                 world.Random(32),
                 {},
                 world.live,
                 ToBytes(AsText(InForce(world)))};
  REQUIRE(office.Propose(office.Next(Tighter(office))).ok());
  const Digest proposed = world.state().proposals.begin()->second.bundle->sha256();
  REQUIRE(world.Do(ActivatePolicy{kOperator, ToBytes(AsText(proposed))}).ok());
  CHECK(world.Do(open).status().code() == absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace carnet::coordinator
