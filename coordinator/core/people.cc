#include "coordinator/core/people.h"

#include <algorithm>

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

policies::Holders HoldersByRole(const State& state) {
  policies::Holders holders;
  for (const auto& [id, user] : state.users) {
    if (!user.revoked) {
      for (const std::string& role : user.roles) {
        holders[role].insert(id);
      }
    }
  }
  return holders;
}

bool IsLoneFounder(const State& state, const User& user) {
  const auto& founders = state.genesis.first_holders();
  if (founders.empty()) {
    return user.index == 1;  // right behind genesis
  }
  return std::any_of(founders.begin(), founders.end(), [&](const v1::FirstHolder& founder) {
    return founder.bootstrap() && founder.user_id() == user.id;
  });
}

std::set<std::string> BootstrapRoles(const State& state, const User& user) {
  std::set<std::string> alone;
  if (user.revoked || !policies::MixesAdminWithPolicy(user.roles)) {
    return alone;
  }
  for (const std::string& role : user.roles) {
    if (!IsAccountRole(role) && HoldersOf(state, role).size() == 1) {
      alone.insert(role);
    }
  }
  return alone;
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
