// A coordinator that invents approvals, roles, bundles or revisions, and the worker that refuses to
// follow it.
#include "scenario/site_desk.h"

namespace carnet::coordinator {
namespace {

using worker::PolicyChain;

TEST_CASE("Site policies: people, approvals and bundles are followed to the one in force") {
  Desk desk(301);
  REQUIRE(desk.office.Approve(desk.ann, "legal", *desk.bundle).ok());
  REQUIRE(desk.office.Approve(desk.bea, "dpo", *desk.bundle).ok());
  desk.world.Settle();
  REQUIRE(desk.world.state().bundle->sha256() == desk.bundle->sha256());
  const SiteLog log(desk.world);
  PolicyChain chain = log.Begin();
  CHECK(chain.in_force().revision == 1);
  const std::vector<std::uint64_t> trail = log.Trail();
  const absl::Status followed = log.Follow(&chain, trail);
  INFO(followed.ToString());
  REQUIRE(followed.ok());
  CHECK(chain.in_force().sha256 == desk.bundle->sha256());
  CHECK(chain.bundle().CanonicalJson() == desk.bundle->CanonicalJson());
  CHECK(chain.followed() == trail.back() + 1);
  CHECK(chain.people().at(desk.ann.id).roles == std::set<std::string>{"legal"});

  SECTION("and remembered") {
    const auto genesis = *ledger::verifier::VerifyRecord(log.Record(0));
    const auto restored = PolicyChain::Restore(genesis, chain.Save());
    REQUIRE(restored.ok());
    CHECK(restored->Save() == chain.Save());
    CHECK(restored->in_force().sha256 == desk.bundle->sha256());
    CHECK(absl::IsDataLoss(PolicyChain::Restore(genesis, "{}").status()));
    std::string cut = chain.Save();
    cut.resize(cut.size() / 2);
    CHECK(absl::IsDataLoss(PolicyChain::Restore(genesis, cut).status()));
    const World other(302);
    const SiteLog others(other);
    CHECK(absl::IsDataLoss(
        PolicyChain::Restore(*ledger::verifier::VerifyRecord(others.Record(0)), chain.Save())
            .status()));
  }
  SECTION("half of it before a restart, half after") {
    PolicyChain half = log.Begin();
    const auto middle = trail.begin() + static_cast<std::ptrdiff_t>(trail.size()) - 2;
    REQUIRE(log.Follow(&half, {trail.begin(), middle}).ok());
    auto restored =
        PolicyChain::Restore(*ledger::verifier::VerifyRecord(log.Record(0)), half.Save());
    REQUIRE(restored.ok());
    REQUIRE(log.Follow(&*restored, {middle, trail.end()}).ok());
    CHECK(restored->Save() == chain.Save());
  }
  SECTION("and each record is proven under the head") {
    PolicyChain fresh = log.Begin();
    ledger::verifier::TreeHead head = log.head();
    head.root[0] ^= 1;
    CHECK(absl::IsUnauthenticated(fresh.Follow(log.Prove(trail.front()), head, log.keys(), "")));
    CHECK(fresh.followed() == 1);
  }
  SECTION("but not out of order, nor with a gap") {
    for (std::size_t missing = 0; missing + 1 < trail.size(); ++missing) {
      std::vector<std::uint64_t> some = trail;
      some.erase(some.begin() + static_cast<std::ptrdiff_t>(missing));
      PolicyChain fresh = log.Begin();
      const absl::Status status = log.Follow(&fresh, some);
      CAPTURE(missing, trail[missing], status.ToString());
      // Nothing here hangs on Cleo's role; everything else is missed.
      CHECK(status.ok() == (trail[missing] == desk.world.Find("user-role-changed").back()));
    }
    std::vector<std::uint64_t> swapped = trail;
    std::swap(swapped[0], swapped[1]);
    PolicyChain fresh = log.Begin();
    CHECK(absl::IsFailedPrecondition(log.Follow(&fresh, swapped)));
  }
}

TEST_CASE("Site policies: a renewal by whoever may propose any policy is followed") {
  Desk desk(330);
  const Person dan = desk.office.Hire(6, {"compliance"});
  const auto same = desk.office.Next(desk.office.Json());
  REQUIRE(desk.world.Do(desk.office.Proposal(dan.id, dan.Key(), same, kIntentRenew)).status().ok());
  REQUIRE(desk.office.Approve(desk.ann, "legal", *same).ok());
  REQUIRE(desk.office.Approve(desk.bea, "dpo", *same).ok());
  REQUIRE(desk.office.Approve(desk.cleo, "compliance", *same).ok());
  desk.world.Settle();
  REQUIRE(desk.world.state().bundle->sha256() == same->sha256());
  const absl::Status followed = desk.Followed();
  INFO(followed.ToString());
  CHECK(followed.ok());
}

TEST_CASE("Site policies: a change that is called a renewal is refused") {
  Desk desk(331);
  const Person dan = desk.office.Hire(6, {"compliance"});
  nlohmann::json written = desk.office.Json();
  PolicyOffice::Policy(written, "gdpr-chapter-v")["rules"].push_back(
      {{"id", "pilot-2"}, {"effect", "allow"}, {"when", {{"to.jurisdiction", {{"is", "SG"}}}}}});
  const auto changed = desk.office.Next(written);
  const ProposePolicy command = desk.office.Proposal(dan.id, dan.Key(), changed, kIntentRenew);
  v1::PolicyActivated record = desk.Activation();
  record.set_bundle_sha256(ToString(changed->sha256()));
  *record.mutable_valid_from() = ToTimestamp(changed->head().valid_from);
  *record.mutable_valid_to() = ToTimestamp(changed->head().valid_to);
  record.set_proposed_index(desk.Forge(command.proposed, dan.Key()));
  v1::PolicyExamined examined = command.examined;
  desk.world.FillCommon(examined.mutable_common());
  examined.set_bundle_sha256(ToString(changed->sha256()));
  desk.Coordinator(examined);
  record.set_report_sha256(PolicyOffice::ReportDigest(*changed));
  desk.world.FillCommon(record.mutable_common());
  desk.Coordinator(record);
  ExpectRefused(desk, kRefused, "its author may not change gdpr-chapter-v");
}

TEST_CASE("Site policies: an admin who decides about policies is refused, but for the founder") {
  Desk desk(332);
  const Person eve = desk.office.Hire(6, {"admin"});
  REQUIRE(desk.Followed().ok());  // kOperator, who founded alone, is both
  v1::UserRoleChanged record;
  desk.world.FillCommon(record.mutable_common());
  record.set_changed_by(kOperator);
  SECTION("an admin is given a role of policy") {
    record.set_user_id(eve.id);
    record.set_public_key(ToString(eve.Key().public_key()));
    record.add_granted("dpo");
    record.add_approvals(
        desk.Forge(desk.office.Draft(kOperator, kApprovalOfRole, "dpo",
                                     AsText(crypto::Sha256(eve.Key().public_key()))),
                   desk.world.user_key()));
    desk.Coordinator(record);
    ExpectRefused(desk, kRefused, "lets an admin decide about policies");
  }
  SECTION("who decides about policies becomes an admin") {
    record.set_user_id(desk.ann.id);
    record.set_public_key(ToString(desk.ann.Key().public_key()));
    record.add_granted("admin");
    desk.Coordinator(record);
    ExpectRefused(desk, kRefused, "lets an admin decide about policies");
  }
}

TEST_CASE("Site policies: a genesis that lets one of several founders be everything is refused") {
  const World world(333);
  v1::Genesis genesis = world.At<v1::Genesis>(0);
  const auto begin = [&] {
    const v1::SignedRecord record =
        ledger::SignRecord(*ledger::MakeStatement(genesis), world.statement_key());
    return PolicyChain::Create(*ledger::verifier::VerifyRecord(record)).status();
  };
  v1::FirstHolder* const first = genesis.add_first_holders();
  first->set_user_id(kOperator);
  first->set_public_key(ToString(world.user_key().public_key()));
  first->add_roles("admin");
  first->add_roles("dpo");
  first->set_bootstrap(true);
  CHECK(begin().ok());
  genesis.add_first_holders()->set_user_id("u-bbbbbbbbbbbbbbbb");
  CHECK(absl::IsUnauthenticated(begin()));
  genesis.mutable_succeeds()->set_origin("test.acme.example/log");
  CHECK(begin().ok());  // others came later, in the log before
  genesis.mutable_first_holders(1)->set_bootstrap(true);
  CHECK(absl::IsUnauthenticated(begin()));
}

TEST_CASE("Site policies: an approval in a person's name is refused") {
  Desk desk(303);
  SECTION("signed by the coordinator") {
    desk.Coordinator(desk.Draft(desk.ann.id, "legal"));
    ExpectRefused(desk, kForged, "approver's own key");
  }
  SECTION("of nobody who is enrolled") {
    desk.Forge(desk.Draft("u-bbbbbbbbbbbbbbbb", "legal"), desk.ann.Key());
    ExpectRefused(desk, kRefused, "nobody who is enrolled");
  }
  SECTION("of somebody who was revoked") {
    v1::UserRevoked revoked;
    desk.world.FillCommon(revoked.mutable_common());
    revoked.set_user_id(desk.ann.id);
    revoked.set_public_key(ToString(desk.ann.Key().public_key()));
    revoked.set_reason("left");
    revoked.set_revoked_by(kOperator);
    desk.Coordinator(revoked);
    desk.Forge(desk.Draft(desk.ann.id, "legal"), desk.ann.Key());
    ExpectRefused(desk, kRefused, "nobody who is enrolled");
  }
  SECTION("a proposal too") {
    desk.Coordinator(
        desk.office.Proposal(kOperator, desk.world.user_key(), desk.office.Next(desk.office.Json()))
            .proposed);
    ExpectRefused(desk, kForged, "author's own key");
  }
}

TEST_CASE("Site policies: a bundle without the approvals that it needs is refused") {
  Desk desk(304);
  v1::Approval second = desk.Draft(desk.bea.id, "dpo");
  crypto::Ed25519KeyPair key = desk.bea.Key();
  std::string words = "needs 2 of dpo, legal, and 1 that count";
  bool named = true;
  SECTION("the author's own") {
    SUCCEED();
    second.set_approver(kOperator);
    key = *crypto::Ed25519KeyPair::FromSeed(desk.world.user_key().seed());
  }
  SECTION("by somebody without the role") {
    SUCCEED();
    second.set_approver(desk.cleo.id);
    key = desk.cleo.Key();
  }
  SECTION("in a role that nobody asked for") {
    SUCCEED();
    second = desk.Draft(desk.cleo.id, "compliance");
    key = desk.cleo.Key();
  }
  SECTION("of another report") {
    SUCCEED();
    second.set_report_sha256(std::string(32, 'r'));
  }
  SECTION("of another bundle") {
    SUCCEED();
    second.set_subject_sha256(std::string(32, 's'));
  }
  SECTION("of another kind") {
    SUCCEED();
    second.set_kind(kApprovalOfJob);
  }
  SECTION("that has expired") {
    SUCCEED();
    *second.mutable_expires() = ToTimestamp(desk.world.now());
  }
  SECTION("the same person twice") {
    SUCCEED();
    second = desk.Draft(desk.ann.id, "legal");
    key = desk.ann.Key();
  }
  SECTION("one that the record does not name") {
    SUCCEED();
    named = false;
  }
  const std::uint64_t one = desk.Forge(desk.Draft(desk.ann.id, "legal"), desk.ann.Key());
  const std::uint64_t two = desk.Forge(second, key);
  v1::PolicyActivated record = desk.Activation();
  record.add_approvals(one);
  if (named) {
    record.add_approvals(two);
  }
  desk.Coordinator(record);
  ExpectRefused(desk, kRefused, words);
}

TEST_CASE("Site policies: an activation that says another thing than its proposal is refused") {
  Desk desk(305);
  const std::uint64_t one = desk.Forge(desk.Draft(desk.ann.id, "legal"), desk.ann.Key());
  const std::uint64_t two = desk.Forge(desk.Draft(desk.bea.id, "dpo"), desk.bea.Key());
  v1::PolicyActivated record = desk.Activation();
  record.add_approvals(one);
  record.add_approvals(two);
  const auto refused = [&](absl::StatusCode code, const std::string& words) {
    desk.Coordinator(record);
    ExpectRefused(desk, code, words);
  };
  SECTION("none of these") {
    desk.Coordinator(record);
    CHECK(desk.Followed().ok());
  }
  SECTION("no approvals at all") {
    record.clear_approvals();
    refused(kRefused, "and 0 that count");
  }
  SECTION("said to tighten only") {
    record.set_tighten_only(true);
    refused(kRefused, "may allow more");
  }
  SECTION("an approval that is to come") {
    record.set_approvals(1, two + 2);
    refused(kRefused, "shown none");
  }
  SECTION("a record that is no approval") {
    record.set_approvals(1, 1);
    refused(kRefused, "shown none");
  }
  SECTION("a bundle that nobody proposed") {
    record.set_bundle_sha256(std::string(32, 'b'));
    refused(kRefused, "nobody was shown to have proposed");
  }
  SECTION("another proposal's record") {
    record.set_proposed_index(1);
    refused(kRefused, "nobody was shown to have proposed");
  }
  SECTION("another report") {
    record.set_report_sha256(std::string(32, 'r'));
    refused(kRefused, "report");
  }
  SECTION("another validity") {
    *record.mutable_valid_to() = ToTimestamp(desk.world.now() + absl::Hours(24 * 365));
    refused(kRefused, "validity");
  }
  SECTION("an unknown evaluator") {
    record.set_evaluator(policies::kEvaluatorVersion + 1);
    refused(kRefused, "evaluator");
  }
  SECTION("a revision that skips one") {
    record.set_revision(3);
    refused(kRefused, "was not shown");
  }
  SECTION("the same revision again") {
    record.set_revision(1);
    refused(kContradiction, "revision 1");
  }
  SECTION("another parent") {
    record.set_parent_sha256(std::string(32, 'p'));
    refused(kContradiction, "another bundle of revision 1");
  }
  SECTION("signed by a person") {
    desk.Forge(record, desk.ann.Key());
    ExpectRefused(desk, kForged, "not signed by the coordinator");
  }
}

TEST_CASE("Site policies: a lower revision than the one in force is a contradiction") {
  Desk desk(306);
  REQUIRE(desk.office.Approve(desk.ann, "legal", *desk.bundle).ok());
  REQUIRE(desk.office.Approve(desk.bea, "dpo", *desk.bundle).ok());
  v1::PolicyActivated record = desk.Activation();
  desk.world.Settle();
  SECTION("the same bundle again") {
    desk.Coordinator(record);
    ExpectRefused(desk, kContradiction, "had put revision 2 into force");
  }
  SECTION("back to genesis") {
    record.set_revision(1);
    record.set_bundle_sha256(desk.world.state().genesis.bundle_sha256());
    desk.Coordinator(record);
    ExpectRefused(desk, kContradiction, "had put revision 2 into force");
  }
  SECTION("a decision on it") {
    const SiteLog log(desk.world);
    PolicyChain chain = log.Begin();
    REQUIRE(log.Follow(&chain, log.Trail()).ok());
    v1::DecisionBasis basis;
    basis.set_revision(2);
    basis.set_bundle_sha256(ToString(desk.bundle->sha256()));
    *basis.mutable_at() = ToTimestamp(desk.world.now());
    const std::uint64_t next = desk.world.signed_log().size();
    CHECK(chain.CheckBasis(basis, next).ok());
    v1::DecisionBasis old = basis;
    old.set_revision(1);
    old.set_bundle_sha256(desk.world.state().genesis.bundle_sha256());
    CHECK(worker::IsContradiction(chain.CheckBasis(old, next)));
    // Before the activation it was the one in force.
    CHECK(chain.CheckBasis(old, chain.in_force().index - 1).ok());
    v1::DecisionBasis other = basis;
    other.set_bundle_sha256(std::string(32, 'x'));
    CHECK(worker::IsContradiction(chain.CheckBasis(other, next)));
    v1::DecisionBasis invented = basis;
    invented.set_revision(3);
    CHECK(absl::IsFailedPrecondition(chain.CheckBasis(invented, next)));
    v1::DecisionBasis late = basis;
    *late.mutable_at() = ToTimestamp(desk.bundle->head().valid_to);
    CHECK(worker::IsContradiction(chain.CheckBasis(late, next)));
  }
}

TEST_CASE("Site policies: a role from nowhere is refused") {
  Desk desk(307);
  v1::UserRoleChanged record;
  desk.world.FillCommon(record.mutable_common());
  record.set_user_id(desk.cleo.id);
  record.set_public_key(ToString(desk.cleo.Key().public_key()));
  record.add_granted("dpo");
  record.set_changed_by(kOperator);
  const std::string subject = ToString(crypto::Sha256(desk.cleo.Key().public_key()));
  SECTION("without an approval") {
    desk.Coordinator(record);
    ExpectRefused(desk, kRefused, "the role dpo signed for it");
  }
  SECTION("by somebody who does not hold it") {
    record.set_changed_by(desk.ann.id);
    record.add_approvals(desk.Forge(desk.office.Draft(desk.ann.id, kApprovalOfRole, "dpo", subject),
                                    desk.ann.Key()));
    desk.Coordinator(record);
    ExpectRefused(desk, kRefused, "the role dpo signed for it");
  }
  SECTION("with the approval of another person's key") {
    record.add_approvals(
        desk.Forge(desk.office.Draft(kOperator, kApprovalOfRole, "dpo", std::string(32, 'k')),
                   desk.world.user_key()));
    desk.Coordinator(record);
    ExpectRefused(desk, kRefused, "the role dpo signed for it");
  }
  SECTION("with an approval that was used before") {
    record.add_approvals(desk.Forge(desk.office.Draft(kOperator, kApprovalOfRole, "dpo", subject),
                                    desk.world.user_key()));
    desk.Coordinator(record);
    REQUIRE(desk.Followed().ok());
    v1::UserRoleChanged taken = record;
    taken.clear_granted();
    taken.clear_approvals();
    taken.add_revoked("dpo");
    desk.Coordinator(taken);
    desk.Coordinator(record);
    ExpectRefused(desk, kRefused, "the role dpo signed for it");
  }
  SECTION("of a person with another key") {
    record.set_public_key(std::string(32, 'k'));
    desk.Coordinator(record);
    ExpectRefused(desk, kRefused, "was not shown");
  }
  SECTION("by enrolment: it does not count") {
    v1::UserEnrolled invented;
    desk.world.FillCommon(invented.mutable_common());
    invented.set_user_id("u-bbbbbbbbbbbbbbbb");
    invented.set_public_key(ToString(Person{"", 9}.Key().public_key()));
    invented.set_token_sha256(std::string(32, 't'));
    invented.set_tls_spki_sha256(std::string(32, 't'));
    invented.add_roles("dpo");
    invented.add_roles("admin");
    desk.Coordinator(invented);
    const SiteLog log(desk.world);
    PolicyChain chain = log.Begin();
    REQUIRE(log.Follow(&chain, log.Trail()).ok());
    CHECK(chain.people().at("u-bbbbbbbbbbbbbbbb").roles == std::set<std::string>{"admin"});
  }
}

}  // namespace
}  // namespace carnet::coordinator
