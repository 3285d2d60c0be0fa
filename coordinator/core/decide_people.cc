// People: invitations, enrolment, roles and approvals.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/core/approvals.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/people.h"
#include "coordinator/core/policy_life.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/x25519.h"
#include "policies/jurisdictions.h"
#include "policies/roles.h"

namespace carnet::coordinator {
namespace {

constexpr absl::Duration kUserInvitationMax = absl::Hours(24 * 7);
// How far the approver's clock may be ahead.
constexpr absl::Duration kApprovalSkewMax = absl::Minutes(5);
constexpr std::size_t kRolesMax = 16;

absl::Status CheckRoles(const std::set<std::string>& roles) {
  if (roles.empty() || roles.size() > kRolesMax) {
    return absl::InvalidArgumentError("a person has 1 to 16 roles");
  }
  for (const std::string& role : roles) {
    if (!IsRoleName(role)) {
      return absl::InvalidArgumentError(
          "a role is a name of a-z, 0-9 and -, at most 64 characters");
    }
  }
  return absl::OkStatus();
}

absl::Status Mixed() {
  return absl::FailedPreconditionError(
      "an admin manages accounts and machines, and holds no role that decides about policies: let "
      "two persons do that");
}

// Where a person works and for whom: unknown, or a code and a name that policies can read.
absl::Status CheckPlace(const std::string& jurisdiction, const std::string& organisation) {
  if (!jurisdiction.empty()) {
    CARNET_RETURN_IF_ERROR(policies::CheckJurisdiction(jurisdiction));
  }
  return organisation.empty() ? absl::OkStatus() : ValidateSupplierName(organisation);
}

absl::StatusOr<const User*> EnrolledUser(const State& state, const std::string& user_id) {
  const auto user = state.users.find(user_id);
  if (user == state.users.end() || user->second.revoked) {
    return absl::NotFoundError("no such user is enrolled");
  }
  return &user->second;
}

// What every approval must be, whatever it is about.
absl::Status CheckApproval(const State& state, const std::string& user_id,
                           const v1::SignedRecord& record, const v1::Approval& approval,
                           absl::Time now) {
  CARNET_ASSIGN_OR_RETURN(const User* const user, EnrolledUser(state, user_id));
  if (approval.approver() != user_id || AsText(user->public_key) != record.public_key()) {
    return absl::PermissionDeniedError("an approval is signed with the approver's own key");
  }
  if (!HoldsRole(state, user_id, approval.role())) {
    return absl::PermissionDeniedError("the approver does not hold the role that he acts in");
  }
  if (approval.subject_sha256().size() != kDigestBytes) {
    return absl::InvalidArgumentError("approval: the subject is no SHA-256");
  }
  const absl::Time at = ToTime(approval.common().at());
  const absl::Time expires = ToTime(approval.expires());
  if (at > now + kApprovalSkewMax || expires <= now || expires > at + kApprovalLifeMax) {
    return absl::InvalidArgumentError(
        "approval: it must end later than now and at most 180 days after it was signed");
  }
  const auto others = state.approvals.find(approval.subject_sha256());
  if (others == state.approvals.end()) {
    return absl::OkStatus();
  }
  if (others->second.size() >= kApprovalsOfSubjectMax) {
    return absl::ResourceExhaustedError("approval: 256 approvals of this are on record");
  }
  for (const ApprovalOnRecord& other : others->second) {
    // The same signed statement twice would outlive a role that was taken away in between.
    if (other.terms.common().nonce() == approval.common().nonce()) {
      return absl::AlreadyExistsError("this approval is on record");
    }
  }
  return absl::OkStatus();
}

// What a role-less approval may be about in this version.
absl::Status CheckApprovalSubject(const State& state, const v1::Approval& approval) {
  if (approval.kind() == kApprovalOfBundle) {
    return CheckBundleApproval(state, approval);
  }
  if (approval.kind() == kApprovalOfException) {
    return CheckExceptionApproval(state, approval);
  }
  if (approval.kind() == kApprovalOfJob) {
    return CheckJobApproval(state, approval);
  }
  return absl::InvalidArgumentError("approval: unknown kind");
}

// Nobody could pass the role on any more.
bool IsLastHolder(const State& state, const std::string& user_id, const std::string& role) {
  return !IsAccountRole(role) && HoldersOf(state, role) == std::set<std::string>{user_id};
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const InviteUser& command) {
  CARNET_RETURN_IF_ERROR(RequireRole(drafts.state(), command.user_id, {"admin"}));
  CARNET_RETURN_IF_ERROR(CheckRoles(command.roles));
  if (policies::MixesAdminWithPolicy(command.roles)) {
    return Mixed();
  }
  if (command.token_sha256.size() != kDigestBytes || command.expires <= drafts.now() ||
      command.expires > drafts.now() + kUserInvitationMax) {
    return absl::InvalidArgumentError("an invitation lasts at most 7 days");
  }
  CARNET_RETURN_IF_ERROR(CheckPlace(command.jurisdiction, command.organisation));
  v1::UserInvited record;
  record.set_token_sha256(ToString(command.token_sha256));
  record.mutable_roles()->Add(command.roles.begin(), command.roles.end());
  *record.mutable_expires() = ToTimestamp(command.expires);
  record.set_invited_by(command.user_id);
  record.set_user_id(drafts.NewId("u"));
  record.set_jurisdiction(command.jurisdiction);
  record.set_organisation(command.organisation);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const EnrollUser& command) {
  const State& state = drafts.state();
  const auto invitation = state.user_invitations.find(HexEncode(command.token_sha256));
  if (invitation == state.user_invitations.end()) {
    return absl::PermissionDeniedError(
        "invitation unknown: ask an admin for a new one (carnet user invite)");
  }
  if (!invitation->second.user_id.empty()) {
    const User& used = state.users.at(invitation->second.user_id);
    // The same keys ask again: the answer was lost on its way.
    if (used.public_key == command.public_key && used.tls_spki_sha256 == command.tls_spki_sha256 &&
        used.wrapping_public_key == command.wrapping_public_key && !used.revoked) {
      return std::move(drafts).Answer(used.index);
    }
    return absl::AlreadyExistsError(
        "invitation already used: ask an admin for a new one (carnet user invite)");
  }
  if (drafts.now() >= ToTime(invitation->second.terms.expires())) {
    return absl::PermissionDeniedError(
        "invitation expired: ask an admin for a new one (carnet user invite)");
  }
  if (command.asked_id != invitation->second.terms.user_id()) {
    return absl::PermissionDeniedError(
        "the certificate request names another person than the invitation");
  }
  if (command.public_key.size() != crypto::kEd25519PublicKeyBytes ||
      command.tls_spki_sha256.size() != kDigestBytes) {
    return absl::InvalidArgumentError("a person has an Ed25519 key and a P-256 key");
  }
  if (!command.wrapping_public_key.empty() &&
      command.wrapping_public_key.size() != crypto::kX25519KeyBytes) {
    return absl::InvalidArgumentError("a person's key to wrap for is X25519");
  }
  for (const auto& [id, user] : state.users) {
    if (user.public_key == command.public_key) {
      return absl::AlreadyExistsError("this key is enrolled: make a new one");
    }
  }
  if (state.users.size() >= kUsersMax) {
    return absl::ResourceExhaustedError("4096 people were enrolled, which is the limit");
  }
  v1::UserEnrolled record;
  record.set_user_id(invitation->second.terms.user_id());
  record.set_public_key(ToString(command.public_key));
  *record.mutable_roles() = invitation->second.terms.roles();
  record.set_wrapping_public_key(ToString(command.wrapping_public_key));
  record.set_jurisdiction(invitation->second.terms.jurisdiction());
  record.set_organisation(invitation->second.terms.organisation());
  record.set_token_sha256(invitation->second.terms.token_sha256());
  record.set_tls_spki_sha256(ToString(command.tls_spki_sha256));
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecordApproval& command) {
  CARNET_RETURN_IF_ERROR(CheckApproval(drafts.state(), command.user_id, command.record,
                                       command.approval, drafts.now()));
  CARNET_RETURN_IF_ERROR(CheckApprovalSubject(drafts.state(), command.approval));
  const std::uint64_t index = drafts.AddSigned(command.approval, command.record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const GrantRole& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(CheckRoles({command.role}));
  CARNET_ASSIGN_OR_RETURN(const User* const user, EnrolledUser(state, command.to_user));
  if (user->roles.count(command.role) != 0) {
    return absl::AlreadyExistsError("the user holds this role");
  }
  std::set<std::string> roles = user->roles;
  roles.insert(command.role);
  // Whoever founded alone may hold both; he is given no more of them.
  if (policies::MixesAdminWithPolicy(roles) &&
      (command.role == policies::kAdminRole || !IsAccountRole(command.role))) {
    return Mixed();
  }
  v1::UserRoleChanged record;
  record.set_user_id(user->id);
  record.set_public_key(ToString(user->public_key));
  record.add_granted(command.role);
  record.set_changed_by(command.user_id);
  if (IsAccountRole(command.role)) {
    CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, {"admin"}));
  } else {
    if (!command.record.has_value()) {
      return absl::PermissionDeniedError(
          "this role is passed on by somebody who holds it, with his signed approval");
    }
    CARNET_RETURN_IF_ERROR(
        CheckApproval(state, command.user_id, *command.record, command.approval, drafts.now()));
    if (command.approval.kind() != kApprovalOfRole || command.approval.role() != command.role ||
        command.approval.subject_sha256() != AsText(crypto::Sha256(user->public_key))) {
      return absl::InvalidArgumentError("the approval is not of this role for this user's key");
    }
    record.add_approvals(drafts.AddSigned(command.approval, *command.record));
  }
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RevokeRole& command) {
  const State& state = drafts.state();
  CARNET_ASSIGN_OR_RETURN(const User* const user, EnrolledUser(state, command.of_user));
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id,
                                     IsAccountRole(command.role)
                                         ? std::set<std::string>{"admin"}
                                         : std::set<std::string>{"admin", command.role}));
  if (user->roles.count(command.role) == 0 && user->asked.count(command.role) == 0) {
    return absl::NotFoundError("the user does not hold this role");
  }
  if (IsLastHolder(state, user->id, command.role)) {
    return absl::FailedPreconditionError(
        "nobody else holds this role: nobody could pass it on any more");
  }
  v1::UserRoleChanged record;
  record.set_user_id(user->id);
  record.set_public_key(ToString(user->public_key));
  record.add_revoked(command.role);
  record.set_changed_by(command.user_id);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RevokeUser& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, {"admin"}));
  CARNET_ASSIGN_OR_RETURN(const User* const user, EnrolledUser(state, command.of_user));
  if (command.reason != "left" && command.reason != "key-lost" &&
      command.reason != "misbehaviour") {
    return absl::InvalidArgumentError("reason: left, key-lost or misbehaviour");
  }
  if (HoldersOf(state, "admin") == std::set<std::string>{user->id}) {
    return absl::FailedPreconditionError("the last admin cannot be revoked");
  }
  // Who did wrong, or may be somebody else by now, goes whatever it costs.
  const bool at_once = command.reason == "key-lost" || command.reason == "misbehaviour";
  const auto last =
      std::find_if(user->roles.begin(), user->roles.end(),
                   [&](const std::string& role) { return IsLastHolder(state, user->id, role); });
  if (!at_once && last != user->roles.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("nobody else holds the role ", *last,
                     ": nobody could pass it on any more. Have it granted to another first; "
                     "with reason key-lost or misbehaviour the person is revoked all the same"));
  }
  v1::UserRevoked record;
  record.set_user_id(user->id);
  record.set_public_key(ToString(user->public_key));
  record.set_reason(command.reason);
  record.set_revoked_by(command.user_id);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

}  // namespace carnet::coordinator
