#include "coordinator/core/policy_life.h"

#include <algorithm>

#include "coordinator/core/people.h"

namespace carnet::coordinator {
namespace {

bool AsksFor(const v1::ApprovalNeed& need, const std::string& role) {
  return std::find(need.from().begin(), need.from().end(), role) != need.from().end();
}

}  // namespace

std::vector<NeedCount> CountApprovals(const State& state, const Proposal& proposal, absl::Time at) {
  std::vector<NeedCount> counts;
  for (const v1::ApprovalNeed& need : proposal.examined.needs()) {
    ApprovalQuery query;
    query.subject_sha256 = ToBytes(proposal.terms.bundle_sha256());
    query.kind = kApprovalOfBundle;
    query.roles = {need.from().begin(), need.from().end()};
    query.report_sha256 = ToBytes(proposal.examined.report_sha256());
    query.author = proposal.terms.author();
    counts.push_back(NeedCount{need, ApproversOf(state, query, at)});
  }
  return counts;
}

bool IsApproved(const State& state, const Proposal& proposal, absl::Time at) {
  if (proposal.examined.tighten_only()) {
    return true;
  }
  const std::vector<NeedCount> counts = CountApprovals(state, proposal, at);
  return !counts.empty() && std::all_of(counts.begin(), counts.end(),
                                        [](const NeedCount& count) { return count.met(); });
}

bool IsStale(const State& state, const Proposal& proposal) {
  return proposal.terms.parent_sha256() != AsText(state.bundle->sha256());
}

absl::Status CheckBundleApproval(const State& state, const v1::Approval& approval) {
  const auto found = state.proposals.find(approval.subject_sha256());
  if (found == state.proposals.end() || found->second.phase != ProposalPhase::kOpen) {
    return absl::NotFoundError("approval: no such proposal waits (carnet policy status)");
  }
  const Proposal& proposal = found->second;
  if (proposal.examined.report_sha256() != approval.report_sha256()) {
    return absl::InvalidArgumentError("approval: it is of another report than the one on record");
  }
  if (proposal.terms.author() == approval.approver()) {
    return absl::PermissionDeniedError("the author's own approval never counts");
  }
  const auto& needs = proposal.examined.needs();
  return std::any_of(needs.begin(), needs.end(),
                     [&](const v1::ApprovalNeed& need) { return AsksFor(need, approval.role()); })
             ? absl::OkStatus()
             : absl::PermissionDeniedError("no policy that changes asks for this role's approval");
}

}  // namespace carnet::coordinator
