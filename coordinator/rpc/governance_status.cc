#include "coordinator/rpc/governance_status.h"

#include <algorithm>
#include <vector>

#include "base/timestamp.h"
#include "coordinator/core/approvals.h"
#include "coordinator/core/people.h"
#include "coordinator/core/policy_life.h"

namespace carnet::coordinator {
namespace {

void FillHead(const policies::Bundle& bundle, v1::BundleStatus* status) {
  const policies::BundleHead& head = bundle.head();
  status->set_bundle_sha256(ToString(bundle.sha256()));
  status->set_revision(head.revision);
  if (head.parent.has_value()) {
    status->set_parent_sha256(ToString(*head.parent));
  }
  *status->mutable_valid_from() = ToTimestamp(head.valid_from);
  *status->mutable_valid_to() = ToTimestamp(head.valid_to);
}

const char* WordOf(const State& state, const Proposal& proposal) {
  switch (proposal.phase) {
    case ProposalPhase::kOpen:
      return "proposed";
    case ProposalPhase::kWithdrawn:
      return "withdrawn";
    case ProposalPhase::kActivated:
      return proposal.bundle == state.bundle ? "in-force" : "superseded";
  }
  return "";
}

v1::BundleStatus StatusOf(const State& state, const Proposal& proposal, absl::Time now) {
  v1::BundleStatus status;
  FillHead(*proposal.bundle, &status);
  status.set_state(WordOf(state, proposal));
  status.set_author(proposal.terms.author());
  status.set_intent(proposal.terms.intent());
  status.set_tighten_only(proposal.examined.tighten_only());
  status.set_report_sha256(proposal.examined.report_sha256());
  status.set_proposed_index(proposal.index);
  status.set_activated_index(proposal.activated_index);
  if (proposal.phase != ProposalPhase::kOpen) {
    return status;
  }
  status.set_report_json(proposal.examined.report_json());
  for (const NeedCount& count : CountApprovals(state, proposal, now)) {
    v1::NeedStatus* need = status.add_needs();
    *need->mutable_need() = count.need;
    need->mutable_approvers()->Add(count.approvers.begin(), count.approvers.end());
  }
  return status;
}

v1::BundleStatus FirstBundle(const State& state) {
  v1::BundleStatus status;
  const auto first = state.bundles.find(state.genesis.bundle_sha256());
  if (first == state.bundles.end()) {
    return status;
  }
  FillHead(*first->second, &status);
  status.set_state(first->second == state.bundle ? "in-force" : "superseded");
  status.set_intent("bootstrap");
  return status;
}

}  // namespace

v1::ListUsersResponse UsersOf(const State& state) {
  v1::ListUsersResponse response;
  for (const auto& [id, user] : state.users) {
    v1::UserStatus* status = response.add_users();
    status->set_user_id(id);
    status->mutable_roles()->Add(user.roles.begin(), user.roles.end());
    status->mutable_asked()->Add(user.asked.begin(), user.asked.end());
    status->set_revoked(user.revoked);
    status->set_public_key(ToString(user.public_key));
    status->set_jurisdiction(user.jurisdiction);
    status->set_organisation(user.organisation);
    status->set_bootstrap(!BootstrapRoles(state, user).empty());
  }
  return response;
}

v1::GetPolicyHistoryResponse PolicyHistoryOf(const State& state, absl::Time now) {
  std::vector<const Proposal*> proposals;
  for (const auto& [digest, proposal] : state.proposals) {
    proposals.push_back(&proposal);
  }
  std::sort(proposals.begin(), proposals.end(),
            [](const Proposal* a, const Proposal* b) { return a->index < b->index; });
  v1::GetPolicyHistoryResponse response;
  *response.add_bundles() = FirstBundle(state);
  for (const Proposal* proposal : proposals) {
    *response.add_bundles() = StatusOf(state, *proposal, now);
    response.mutable_bundles()->rbegin()->clear_report_json();
  }
  return response;
}

v1::GetPolicyStatusResponse PolicyStatusOf(const State& state, absl::Time now) {
  v1::GetPolicyStatusResponse response;
  const auto in_force = state.proposals.find(ToString(state.bundle->sha256()));
  *response.mutable_in_force() = in_force == state.proposals.end()
                                     ? FirstBundle(state)
                                     : StatusOf(state, in_force->second, now);
  for (const ExceptionCount& count : CountExceptionApprovals(state, now)) {
    v1::NeedStatus* need = response.mutable_in_force()->add_needs();
    need->mutable_need()->set_policy(count.exception.name);
    need->mutable_need()->set_need(count.exception.need);
    need->mutable_need()->mutable_from()->Add(count.exception.from.begin(),
                                              count.exception.from.end());
    need->mutable_approvers()->Add(count.approvers.begin(), count.approvers.end());
  }
  for (const auto& [digest, proposal] : state.proposals) {
    if (proposal.phase == ProposalPhase::kOpen) {
      *response.add_proposals() = StatusOf(state, proposal, now);
    }
  }
  return response;
}

}  // namespace carnet::coordinator
