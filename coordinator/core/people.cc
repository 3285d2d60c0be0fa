#include "coordinator/core/people.h"

#include "base/timestamp.h"
#include "policies/roles.h"

namespace carnet::coordinator {

bool IsAccountRole(absl::string_view role) {
  return policies::IsAccountRole(role);
}

bool IsRoleName(absl::string_view role) {
  return policies::IsRoleName(role);
}

bool HoldsRole(const State& state, const std::string& user_id, const std::string& role) {
  const auto user = state.users.find(user_id);
  return user != state.users.end() && !user->second.revoked && user->second.roles.count(role) != 0;
}

std::set<std::string> HoldersOf(const State& state, const std::string& role) {
  std::set<std::string> holders;
  for (const auto& [id, user] : state.users) {
    if (HoldsRole(state, id, role)) {
      holders.insert(id);
    }
  }
  return holders;
}

std::set<std::string> ApproversOf(const State& state, const ApprovalQuery& query, absl::Time at) {
  std::set<std::string> approvers;
  const auto found = state.approvals.find(ToString(query.subject_sha256));
  if (found == state.approvals.end()) {
    return approvers;
  }
  for (const ApprovalOnRecord& approval : found->second) {
    const v1::Approval& terms = approval.terms;
    const bool asked =
        terms.kind() == query.kind && terms.approver() != query.author &&
        (query.roles.empty() || query.roles.count(terms.role()) != 0) &&
        (query.report_sha256.empty() || terms.report_sha256() == AsText(query.report_sha256));
    if (asked && at < ToTime(terms.expires()) && HoldsRole(state, terms.approver(), terms.role())) {
      approvers.insert(terms.approver());
    }
  }
  return approvers;
}

}  // namespace carnet::coordinator
