// Who would be in a job's next round, or evaluate its newest model, if it opened now: eligibility
// first, then the policies, flow by flow. Pure; Reconcile asks before it prepares anything, and
// Decide again when it counts.
#ifndef CARNET_COORDINATOR_CORE_PLAN_H_
#define CARNET_COORDINATOR_CORE_PLAN_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "coordinator/core/commands.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

struct Plan {
  std::vector<v1::RoundMember> members;  // ascending SPIFFE path; tickets not filled in
  std::vector<v1::LeftOut> left_out;
  std::vector<v1::Refusal> refusals;  // one a refused worker; `common` empty
  std::set<std::string> held;  // approvals and reviews for want of which alone workers stay out
  // Workers that stay out for want of the word of the organisation's own policy engine alone, and
  // what it may be asked now. They are not among the refusals: nothing refused them yet.
  std::set<std::string> awaiting;
  std::set<std::string> questions;
  // What it may be asked again: its yes to members ends soon.
  std::set<std::string> renewals;
  std::vector<v1::Obligation> obligations;  // of the whole round, joined over its members
};

// Candidates are the enrolled workers that hold a shard of the job; the live ones that policies let
// in are members, at most cohort.target of them, picked by `entropy` (32 bytes; empty: the first in
// order, for looking ahead only).
Plan PlanRound(const State& state, const Job& job, const LiveWorkers& live, absl::Time now,
               ByteView entropy);
// The same; the ids of its decisions follow from `id_seed` instead.
Plan PlanRound(const State& state, const Job& job, const LiveWorkers& live, absl::Time now,
               ByteView entropy, ByteView id_seed);

// One worker at home that holds every shard of the job's evaluation dataset, or none.
Plan PlanEvaluation(const State& state, const Job& job, const LiveWorkers& live, absl::Time now,
                    ByteView entropy);

// The shards of `spec.data` that `worker_id` holds and nobody withdrew, in order of their names.
std::vector<std::string> ShardsOf(const State& state, const v1::JobSpec& spec,
                                  const std::string& worker_id);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_PLAN_H_
