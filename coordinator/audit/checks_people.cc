// People: invitations, roles, and what they approved.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/core/approvals.h"
#include "coordinator/core/people.h"
#include "crypto/hash.h"
#include "policies/roles.h"

namespace carnet::coordinator::audit {
namespace {

constexpr absl::Duration kUserInvitationMax = absl::Hours(24 * 7);

// The user, if enrolled and not revoked; else a finding and null.
const User* LiveUserOf(const Step& step, const std::string& user_id, const char* check) {
  const auto user = step.state().users.find(user_id);
  return step.Expect(user != step.state().users.end() && !user->second.revoked, check,
                     absl::StrCat("a person who is enrolled and not revoked: ", user_id),
                     user == step.state().users.end() ? "nobody of that id" : "a revoked one")
             ? &user->second
             : nullptr;
}

// The approval that stands at `index`; null: none there.
const v1::Approval* ApprovalAt(const State& state, std::uint64_t index) {
  for (const auto& [subject, approvals] : state.approvals) {
    for (const ApprovalOnRecord& approval : approvals) {
      if (approval.index == index) {
        return &approval.terms;
      }
    }
  }
  return nullptr;
}

// One of `approvals` is a holder's yes to this role for this key, and still counts. It stands right
// before the record: each passes a role on once.
bool IsPassedOn(const Step& step, const v1::UserRoleChanged& record, const User& user,
                const std::string& role) {
  const State& state = step.state();
  return std::any_of(
      record.approvals().begin(), record.approvals().end(), [&](std::uint64_t index) {
        const v1::Approval* const approval =
            index + 1 == step.index() ? ApprovalAt(state, index) : nullptr;
        return approval != nullptr && approval->kind() == kApprovalOfRole &&
               approval->role() == role &&
               approval->subject_sha256() == AsText(crypto::Sha256(user.public_key)) &&
               approval->approver() == record.changed_by() &&
               ToTime(record.common().at()) < ToTime(approval->expires()) &&
               HoldsRole(state, approval->approver(), role);
      });
}

void CheckGranted(const Step& step, const v1::UserRoleChanged& record, const User& user) {
  std::set<std::string> roles = user.roles;
  roles.insert(record.granted().begin(), record.granted().end());
  const bool mixes = policies::MixesAdminWithPolicy(roles);
  for (const std::string& role : record.granted()) {
    step.Expect(IsRoleName(role), "role", "the name of a role", role);
    step.Expect(user.roles.count(role) == 0, "role", "a role that the person does not hold", role);
    step.Expect(!mixes || (role != policies::kAdminRole && IsAccountRole(role)), "role",
                "an admin who decides nothing about policies",
                absl::StrCat(user.id, " is given ", role));
    if (IsAccountRole(role)) {
      ExpectRole(step, record.changed_by(), {"admin"});
    } else {
      step.Expect(IsPassedOn(step, record, user, role), "role-approval",
                  absl::StrCat("a signed approval of role ", role, " for the key of ", user.id,
                               " by ", record.changed_by(), ", who holds it, right before"),
                  "none");
    }
  }
}

// A yes to a job is to one on record, by somebody else than its submitter.
void CheckOfJob(const Step& step, const v1::Approval& record) {
  std::set<std::string> submitters;
  for (const auto& [id, job] : step.state().jobs) {
    if (job.submitted.spec_sha256() == record.subject_sha256()) {
      submitters.insert(job.submitted.submitter());
    }
  }
  if (step.Expect(!submitters.empty(), "approval", "a job on record",
                  Hex(record.subject_sha256()))) {
    step.Expect(submitters != std::set<std::string>{record.approver()}, "approval",
                "somebody else than the job's submitter", record.approver());
  }
}

// A yes to an exception is to one in force or proposed that asks for the role, by somebody else
// than its author.
void CheckOfException(const Step& step, const v1::Approval& record) {
  const State& state = step.state();
  std::vector<const policies::Bundle*> bundles = {state.bundle.get()};
  for (const auto& [digest, proposal] : state.proposals) {
    if (proposal.phase == ProposalPhase::kOpen) {
      bundles.push_back(proposal.bundle.get());
    }
  }
  std::string fault = "none of this text";
  for (const policies::Bundle* const bundle : bundles) {
    for (const std::string& name : bundle->ExceptionsWithApprovals()) {
      const auto exception = policies::FindException(*bundle, name);
      if (!exception.has_value() || AsText(exception->subject) != record.subject_sha256()) {
        continue;
      }
      const auto& from = exception->from;
      fault = std::find(from.begin(), from.end(), record.role()) == from.end()
                  ? absl::StrCat(name, ", which does not ask for ", record.role())
              : AuthorOf(state, *bundle, *exception) == record.approver()
                  ? absl::StrCat(name, " by its own author, ", record.approver())
                  : "";
      if (fault.empty()) {
        return;
      }
    }
  }
  step.Expect(
      false, "approval",
      "an exception in force or proposed that asks for this role of another than its author",
      fault);
}

}  // namespace

void Check(const Step& step, const v1::UserInvited& record) {
  const State& state = step.state();
  const absl::Time at = ToTime(record.common().at());
  ExpectRole(step, record.invited_by(), {"admin"});
  step.Expect(state.user_invitations.count(HexEncode(AsBytes(record.token_sha256()))) == 0,
              "enrolment", "a token of its own", "one used before");
  step.Expect(state.users.count(record.user_id()) == 0, "enrolment", "a new person",
              record.user_id());
  step.Expect(!policies::MixesAdminWithPolicy(record.roles()), "enrolment",
              "an admin who decides nothing about policies", absl::StrJoin(record.roles(), ", "));
  step.Expect(ToTime(record.expires()) > at && ToTime(record.expires()) <= at + kUserInvitationMax,
              "enrolment", "an invitation of at most 7 days", "another time");
}

void Check(const Step& step, const v1::UserRoleChanged& record) {
  const User* const user = LiveUserOf(step, record.user_id(), "role");
  if (user == nullptr) {
    return;
  }
  step.Expect(AsText(user->public_key) == record.public_key(), "role",
              absl::StrCat("the key of ", record.user_id()), Hex(record.public_key()));
  CheckGranted(step, record, *user);
  for (const std::string& role : record.revoked()) {
    ExpectRole(step, record.changed_by(),
               IsAccountRole(role) ? std::set<std::string>{"admin"}
                                   : std::set<std::string>{"admin", role});
    step.Expect(user->roles.count(role) != 0 || user->asked.count(role) != 0, "role",
                "a role that the person holds or asks for", role);
    step.Expect(IsAccountRole(role) ||
                    HoldersOf(step.state(), role) != std::set<std::string>{record.user_id()},
                "role", absl::StrCat("somebody who can pass on ", role, " remains"), "nobody");
  }
}

void Check(const Step& step, const v1::UserRevoked& record) {
  const User* const user = LiveUserOf(step, record.user_id(), "revocation");
  ExpectRole(step, record.revoked_by(), {"admin"});
  if (user != nullptr) {
    step.Expect(AsText(user->public_key) == record.public_key(), "revocation",
                absl::StrCat("the key of ", record.user_id()), Hex(record.public_key()));
    step.Expect(HoldersOf(step.state(), "admin") != std::set<std::string>{record.user_id()},
                "revocation", "an admin remains", "none");
  }
}

// Replay checks the signature: the approver's own key.
void Check(const Step& step, const v1::Approval& record) {
  const State& state = step.state();
  if (LiveUserOf(step, record.approver(), "approval") == nullptr) {
    return;
  }
  step.Expect(HoldsRole(state, record.approver(), record.role()), "approval",
              absl::StrCat("an approver who holds ", record.role()), record.approver());
  const absl::Time at = ToTime(record.common().at());
  const absl::Time expires = ToTime(record.expires());
  step.Expect(expires > at && expires <= at + kApprovalLifeMax, "approval",
              "one that ends at most 180 days after it was signed", "another time");
  step.Expect(expires > state.last, "approval", "one that has not ended", "one that has");
  if (record.kind() == kApprovalOfBundle) {
    const auto proposal = state.proposals.find(record.subject_sha256());
    if (step.Expect(
            proposal != state.proposals.end() && proposal->second.phase == ProposalPhase::kOpen,
            "approval", "a proposal that waits", Hex(record.subject_sha256()))) {
      step.Expect(proposal->second.examined.report_sha256() == record.report_sha256(), "approval",
                  absl::StrCat("report ", Hex(proposal->second.examined.report_sha256())),
                  absl::StrCat("report ", Hex(record.report_sha256())));
      step.Expect(proposal->second.terms.author() != record.approver(), "approval",
                  "somebody else than the author", record.approver());
    }
  } else if (record.kind() == kApprovalOfJob) {
    CheckOfJob(step, record);
  } else if (record.kind() == kApprovalOfException) {
    CheckOfException(step, record);
  } else {
    step.Expect(record.kind() == kApprovalOfRole, "approval", "bundle, role, exception or job",
                record.kind());
  }
  const auto others = state.approvals.find(record.subject_sha256());
  if (others != state.approvals.end()) {
    step.Expect(std::none_of(others->second.begin(), others->second.end(),
                             [&](const ApprovalOnRecord& other) {
                               return other.terms.common().nonce() == record.common().nonce();
                             }),
                "approval", "a signature once on record", "the same one again");
  }
}

}  // namespace carnet::coordinator::audit
