// The life of a bundle: who must approve a proposal, who did, and whether it may come into force.
// Pure.
#ifndef CARNET_COORDINATOR_CORE_POLICY_LIFE_H_
#define CARNET_COORDINATOR_CORE_POLICY_LIFE_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/commands.h"
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

// Everything that Decide asks of a proposal but its examination: what is dear is made for nobody
// who would be refused. Errors are Decide's: PERMISSION_DENIED: by somebody else, or in no role
// that may write it; ALREADY_EXISTS, RESOURCE_EXHAUSTED: there is no room for it; INVALID_ARGUMENT,
// FAILED_PRECONDITION: it does not follow the bundle in force, or nobody could approve it.
absl::Status CheckProposal(const State& state, const ProposePolicy& command, absl::Time now);
// What is asked of a bundle that nobody signed yet, for one who asks what it would change: first
// whether it follows the bundle in force, and whether any of his roles decides about policies at
// all. Cheap. Errors: PERMISSION_DENIED, INVALID_ARGUMENT, FAILED_PRECONDITION as above.
struct DraftBasis {
  std::shared_ptr<const policies::Bundle> in_force;
  std::set<std::string> roles;  // of him who asks
};
absl::StatusOr<DraftBasis> BasisOfDraft(const State& state, const std::string& user_id,
                                        const policies::Bundle& bundle);
// Then whether it changes something that he may write. Needs no state: bundles are compared, which
// takes milliseconds. Errors: PERMISSION_DENIED, INVALID_ARGUMENT.
absl::Status CheckDraft(const DraftBasis& basis, const policies::Bundle& bundle);

// Today's holders could meet what the new policies of `bundle` ask for, and the changed ones:
// otherwise they could never be changed again. added_only: the bundle only tightens, which changes
// no approvals. Where they can change and renew the bundle in force, by an author who never counts,
// they must be able to do the same with this one. Error FAILED_PRECONDITION.
absl::Status CheckFuture(const State& state, const policies::Bundle& bundle, bool added_only);

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
