// The life of a bundle: who must approve a proposal, who did, and whether it may come into force.
// Pure.
#ifndef CARNET_COORDINATOR_CORE_POLICY_LIFE_H_
#define CARNET_COORDINATOR_CORE_POLICY_LIFE_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// What a proposal is for: PolicyProposed.intent.
inline constexpr char kIntentChange[] = "change";
inline constexpr char kIntentRenew[] = "renew";
inline constexpr char kIntentRevert[] = "revert";

// Proposals that wait at once; further ones are refused.
inline constexpr std::size_t kProposalsOpenMax = 64;
// Bundles ever proposed: each keeps at most 512 KiB of text and its index in memory.
inline constexpr std::size_t kProposalsMax = 4096;

struct NeedCount {
  v1::ApprovalNeed need;
  std::set<std::string> approvers;
  bool met() const { return approvers.size() >= need.need(); }
};
// For each policy that the proposal reaches: who of those whom it asks for said yes.
std::vector<NeedCount> CountApprovals(const State& state, const Proposal& proposal, absl::Time at);

// Every need is met, or the proposal only tightens: then its author's signature is enough.
bool IsApproved(const State& state, const Proposal& proposal, absl::Time at);

// It was made for another bundle than the one in force.
bool IsStale(const State& state, const Proposal& proposal);

// An approval of kind bundle, apart from what every approval must be: the proposal is open, the
// approver saw its report, is not its author, and acts in a role that one of its policies asks for.
absl::Status CheckBundleApproval(const State& state, const v1::Approval& approval);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_POLICY_LIFE_H_
