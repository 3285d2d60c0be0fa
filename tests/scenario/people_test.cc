// Persons, roles and approvals: what counts, and for whom.
#include "coordinator/core/people.h"

#include <catch2/catch.hpp>

#include "base/timestamp.h"
#include "crypto/hash.h"
#include "policies/exceptions.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

crypto::Ed25519KeyPair Key(std::uint8_t tag) {
  crypto::SecretBytes seed(32);
  seed.Mutable()[0] = tag;
  seed.Mutable()[31] = 77;
  return *crypto::Ed25519KeyPair::FromSeed(seed);
}

// An approval as its signer's client makes it.
v1::Approval Draft(World& world, const std::string& approver, const std::string& kind,
                   const std::string& role, ByteView subject) {
  v1::Approval approval;
  approval.mutable_common()->set_nonce(ToString(world.Random(32)));
  *approval.mutable_common()->mutable_at() = ToTimestamp(world.now());
  approval.set_approver(approver);
  approval.set_kind(kind);
  approval.set_subject_sha256(ToString(subject));
  approval.set_role(role);
  *approval.mutable_expires() = ToTimestamp(world.now() + absl::Hours(24));
  return approval;
}

GrantRole Grant(const v1::Approval& approval, const std::string& to,
                const crypto::Ed25519KeyPair& key) {
  return GrantRole{approval.approver(), to, approval.role(),
                   ledger::SignRecord(*ledger::MakeStatement(approval), key), approval};
}

// Invited by the operator, who is an admin here, and enrolled with `key`.
std::string Enrol(World& world, std::uint8_t tag, const std::set<std::string>& roles) {
  const Bytes token(32, tag);
  const auto invited = world.Do(InviteUser{kOperator, token, roles, world.now() + absl::Hours(24)});
  INFO(invited.status().ToString());
  REQUIRE(invited.ok());
  const EnrollUser enroll{token, Bytes(32, tag), ToBytes(AsText(Key(tag).public_key())),
                          world.At<v1::UserInvited>(*invited->answer_index).user_id()};
  const auto enrolled = world.Do(enroll);
  INFO(enrolled.status().ToString());
  REQUIRE(enrolled.ok());
  return world.At<v1::UserEnrolled>(*enrolled->answer_index).user_id();
}

Bytes KeyDigest(std::uint8_t tag) {
  const Digest digest = crypto::Sha256(Key(tag).public_key());
  return Bytes(digest.begin(), digest.end());
}

TEST_CASE(
    "People: account roles count on enrolment, a policy role only once a holder passes it on") {
  World world(41);
  const std::string user = Enrol(world, 3, {"member", "legal"});
  CHECK(HoldsRole(world.state(), user, "member"));
  CHECK_FALSE(HoldsRole(world.state(), user, "legal"));
  const v1::Approval approval = Draft(world, kOperator, kApprovalOfRole, "legal", KeyDigest(3));
  REQUIRE(world.Do(Grant(approval, user, world.user_key())).ok());
  CHECK(HoldsRole(world.state(), user, "legal"));
  CHECK(world.Find("approval").size() == 1);
  CHECK(HoldsRole(world.Refold(), user, "legal"));
}

TEST_CASE("People: an invitation works once, for the same keys again, and until it expires") {
  World world(42);
  const Bytes token(32, 9);
  REQUIRE(world.Do(InviteUser{kOperator, token, {"member"}, world.now() + absl::Hours(1)}).ok());
  const EnrollUser enroll{token, Bytes(32, 1), ToBytes(AsText(Key(4).public_key())),
                          world.At<v1::UserInvited>(world.Find("user-invited").back()).user_id()};
  const auto first = world.Do(enroll);
  REQUIRE(first.ok());
  CHECK(world.Do(enroll)->answer_index == first->answer_index);
  EnrollUser other = enroll;
  other.public_key = ToBytes(AsText(Key(5).public_key()));
  CHECK(world.Do(other).status().code() == absl::StatusCode::kAlreadyExists);
  const Bytes late(32, 10);
  REQUIRE(world.Do(InviteUser{kOperator, late, {"member"}, world.now() + absl::Hours(1)}).ok());
  world.Advance(absl::Hours(2));
  other.token_sha256 = late;
  CHECK(world.Do(other).status().code() == absl::StatusCode::kPermissionDenied);
  other.token_sha256 = Bytes(32, 11);
  CHECK(world.Do(other).status().code() == absl::StatusCode::kPermissionDenied);
}

TEST_CASE("People: a role is granted by nobody who does not hold it, and for no other key") {
  World world(43);
  const std::string admin = Enrol(world, 3, {"admin"});
  const std::string user = Enrol(world, 4, {"legal"});
  const std::uint64_t before = world.state().size;
  const auto refused = [&](const GrantRole& grant) {
    const absl::Status status = world.Do(grant).status();
    INFO(status.ToString());
    CHECK_FALSE(status.ok());
    CHECK(world.state().size == before);
  };
  // An admin without the role, with his own signature or with none.
  refused(Grant(Draft(world, admin, kApprovalOfRole, "legal", KeyDigest(4)), user, Key(3)));
  refused(GrantRole{admin, user, "legal", {}, {}});
  // The person himself: the role waits, so he does not hold it.
  refused(Grant(Draft(world, user, kApprovalOfRole, "legal", KeyDigest(4)), user, Key(4)));
  // A holder's name over another key's signature: what a coordinator could make up.
  refused(Grant(Draft(world, kOperator, kApprovalOfRole, "legal", KeyDigest(4)), user, Key(9)));
  // A holder's signature over another person's key, another role, another kind.
  refused(Grant(Draft(world, kOperator, kApprovalOfRole, "legal", KeyDigest(3)), user,
                world.user_key()));
  refused(Grant(Draft(world, kOperator, kApprovalOfJob, "legal", KeyDigest(4)), user,
                world.user_key()));
  GrantRole other = Grant(Draft(world, kOperator, kApprovalOfRole, "legal", KeyDigest(4)), user,
                          world.user_key());
  other.role = "dpo";
  refused(other);
}

TEST_CASE("People: an admin grants account roles and no other may") {
  World world(44);
  const std::string user = Enrol(world, 3, {"member"});
  CHECK(world.Do(GrantRole{user, user, "operator", {}, {}}).status().code() ==
        absl::StatusCode::kPermissionDenied);
  REQUIRE(world.Do(GrantRole{kOperator, user, "operator", {}, {}}).ok());
  CHECK(HoldsRole(world.state(), user, "operator"));
  REQUIRE(world.Do(RevokeRole{kOperator, user, "operator"}).ok());
  CHECK_FALSE(HoldsRole(world.state(), user, "operator"));
}

TEST_CASE("People: an admin is given no role of policy, and who holds one becomes no admin") {
  World world(48);
  const std::uint64_t before = world.state().size;
  const auto mixed =
      world.Do(InviteUser{kOperator, Bytes(32, 9), {"admin", "dpo"}, world.now() + absl::Hours(1)});
  CHECK(mixed.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(world.state().size == before);
  const std::string admin = Enrol(world, 3, {"admin", "operator"});
  const std::string officer = Enrol(world, 4, {"legal"});
  REQUIRE(world
              .Do(Grant(Draft(world, kOperator, kApprovalOfRole, "legal", KeyDigest(4)), officer,
                        world.user_key()))
              .ok());
  const std::uint64_t size = world.state().size;
  CHECK(world
            .Do(Grant(Draft(world, kOperator, kApprovalOfRole, "legal", KeyDigest(3)), admin,
                      world.user_key()))
            .status()
            .code() == absl::StatusCode::kFailedPrecondition);
  CHECK(world.Do(GrantRole{kOperator, officer, "admin", {}, {}}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(world.state().size == size);
  // What has nothing to do with it is granted to both, to the founder too.
  CHECK(world.Do(GrantRole{kOperator, officer, "member", {}, {}}).ok());
  CHECK(world.Do(GrantRole{kOperator, admin, "auditor", {}, {}}).ok());
  CHECK(world.Do(GrantRole{kOperator, kOperator, "auditor", {}, {}}).ok());
}

TEST_CASE("People: who founded alone is bootstrap until others hold the roles of policy") {
  World world(49);
  const auto alone = [&] {
    return BootstrapRoles(world.state(), world.state().users.at(kOperator));
  };
  CHECK(IsLoneFounder(world.state(), world.state().users.at(kOperator)));
  CHECK(alone() == std::set<std::string>{"compliance", "data-steward", "dpo", "legal"});
  const std::set<std::string> roles = {"compliance", "data-steward", "dpo", "legal"};
  const std::string officer = Enrol(world, 3, roles);
  CHECK_FALSE(IsLoneFounder(world.state(), world.state().users.at(officer)));
  for (const std::string& role : roles) {
    CHECK_FALSE(alone().empty());
    REQUIRE(world
                .Do(Grant(Draft(world, kOperator, kApprovalOfRole, role, KeyDigest(3)), officer,
                          world.user_key()))
                .ok());
  }
  CHECK(alone().empty());
  CHECK(BootstrapRoles(world.state(), world.state().users.at(officer)).empty());
  // Now the founder can give them up.
  for (const std::string& role : roles) {
    REQUIRE(world.Do(RevokeRole{kOperator, kOperator, role}).ok());
  }
  CHECK_FALSE(HoldsRole(world.state(), kOperator, "dpo"));
}

TEST_CASE("People: the last data steward does not just leave") {
  World world(46);
  const std::string user = Enrol(world, 3, {"data-steward"});
  REQUIRE(world
              .Do(Grant(Draft(world, kOperator, kApprovalOfRole, "data-steward", KeyDigest(3)),
                        user, world.user_key()))
              .ok());
  REQUIRE(world.Do(RevokeRole{kOperator, kOperator, "data-steward"}).ok());
  CHECK(world.Do(RevokeUser{kOperator, user, "left"}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  // A key that somebody else may have is worse.
  CHECK(world.Do(RevokeUser{kOperator, user, "key-lost"}).ok());
}

TEST_CASE("People: the last holder of a role keeps it, and the last admin stays") {
  World world(45);
  CHECK(world.Do(RevokeRole{kOperator, kOperator, "legal"}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(world.Do(RevokeUser{kOperator, kOperator, "left"}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  const std::string user = Enrol(world, 3, {"legal"});
  REQUIRE(world
              .Do(Grant(Draft(world, kOperator, kApprovalOfRole, "legal", KeyDigest(3)), user,
                        world.user_key()))
              .ok());
  CHECK(world.Do(RevokeRole{kOperator, kOperator, "legal"}).ok());
}

// An exception that asks for a holder of legal.
constexpr char kPilot[] =
    "policy: pilots\nkind: guardrail\ntitle: T\napprovals: {propose: [dpo], need: 1, from: [dpo]}\n"
    "effective: {from: 2026-01-01}\nrules:\n"
    "  - {id: never, effect: deny, when: {to.jurisdiction: {is: BR}}}\n"
    "exceptions:\n  - {id: pilot, lifts: never, only_when: {job.purpose: {is: pilot}}, ticket: "
    "T-1,\n"
    "     valid: {from: 2026-11-01, to: 2027-01-31}, approvals: {need: 1, from: [legal]}}\n";

Bytes SubjectOfPilot(const World& world) {
  const Digest subject = policies::FindException(*world.state().bundle, "pilots/pilot")->subject;
  return Bytes(subject.begin(), subject.end());
}

TEST_CASE("People: the last holder of a role does not leave, but goes for misbehaviour") {
  for (const char* reason : {"left", "key-lost", "misbehaviour"}) {
    CAPTURE(reason);
    World world(47);
    const std::string user = Enrol(world, 3, {"legal"});
    REQUIRE(world
                .Do(Grant(Draft(world, kOperator, kApprovalOfRole, "legal", KeyDigest(3)), user,
                          world.user_key()))
                .ok());
    REQUIRE(world.Do(RevokeRole{kOperator, kOperator, "legal"}).ok());
    REQUIRE(HoldersOf(world.state(), "legal") == std::set<std::string>{user});
    const absl::Status revoked = world.Do(RevokeUser{kOperator, user, reason}).status();
    if (reason == std::string("left")) {
      CHECK(revoked.code() == absl::StatusCode::kFailedPrecondition);
      CHECK_THAT(std::string(revoked.message()), Catch::Contains("role legal"));
    } else {
      CHECK(revoked.ok());
      CHECK(HoldersOf(world.state(), "legal").empty());
    }
  }
}

TEST_CASE("Approvals: a person counts once, not after his role or his approval ended") {
  World world(46, {kPilot});
  const std::string user = Enrol(world, 3, {"legal"});
  REQUIRE(world
              .Do(Grant(Draft(world, kOperator, kApprovalOfRole, "legal", KeyDigest(3)), user,
                        world.user_key()))
              .ok());
  const Bytes subject = SubjectOfPilot(world);
  const auto approve = [&](const std::string& who, const crypto::Ed25519KeyPair& key) {
    const v1::Approval approval = Draft(world, who, kApprovalOfException, "legal", subject);
    return world.Do(
        RecordApproval{who, ledger::SignRecord(*ledger::MakeStatement(approval), key), approval});
  };
  REQUIRE(approve(kOperator, world.user_key()).ok());
  REQUIRE(approve(kOperator, world.user_key()).ok());
  ApprovalQuery query{subject, kApprovalOfException, {"legal", "dpo"}, {}, ""};
  CHECK(ApproversOf(world.state(), query, world.now()).size() == 1);
  REQUIRE(approve(user, Key(3)).ok());
  CHECK(ApproversOf(world.state(), query, world.now()).size() == 2);
  CHECK(ApproversOf(world.state(), query, world.now() + absl::Hours(24)).empty());
  query.author = kOperator;
  CHECK(ApproversOf(world.state(), query, world.now()) == std::set<std::string>{user});
  query.roles = {"dpo"};
  CHECK(ApproversOf(world.state(), query, world.now()).empty());
  query = {subject, kApprovalOfException, {"legal"}, {}, ""};
  REQUIRE(world.Do(RevokeUser{kOperator, user, "left"}).ok());
  CHECK(ApproversOf(world.state(), query, world.now()) == std::set<std::string>{kOperator});
  CHECK_FALSE(approve(user, Key(3)).ok());
}

TEST_CASE("People: an approval brings no request id that is on record") {
  World world(49);
  const std::string user = Enrol(world, 3, {"legal"});
  const std::string known(16, 'k');
  REQUIRE(world.Do(RevokeRole{kOperator, user, "legal"}, known).ok());
  v1::Approval approval = Draft(world, kOperator, kApprovalOfRole, "legal", KeyDigest(3));
  approval.mutable_common()->set_request_id(known);
  const GrantRole grant = Grant(approval, user, world.user_key());
  CHECK(world.Do(grant, std::string(16, 'n')).status().code() == absl::StatusCode::kAlreadyExists);
  approval.mutable_common()->set_request_id(std::string(16, 'm'));
  CHECK(world.Do(Grant(approval, user, world.user_key()), std::string(16, 'n')).ok());
}

TEST_CASE("Approvals: the same signed statement is taken once") {
  World world(47, {kPilot});
  const v1::Approval approval =
      Draft(world, kOperator, kApprovalOfException, "legal", SubjectOfPilot(world));
  const RecordApproval command{
      kOperator, ledger::SignRecord(*ledger::MakeStatement(approval), world.user_key()), approval};
  REQUIRE(world.Do(command).ok());
  CHECK(world.Do(command).status().code() == absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace carnet::coordinator
