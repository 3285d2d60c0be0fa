// People and bundles as GetPolicyStatus, GetPolicyHistory and ListUsers show them. Pure.
#ifndef CARNET_COORDINATOR_RPC_GOVERNANCE_STATUS_H_
#define CARNET_COORDINATOR_RPC_GOVERNANCE_STATUS_H_

#include "absl/time/time.h"
#include "carnet/v1/governance.pb.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

v1::ListUsersResponse UsersOf(const State& state);
// The bundle in force, with the approvals of its exceptions (<policy>/<exception>), and open
// proposals with the approvals that they have.
v1::GetPolicyStatusResponse PolicyStatusOf(const State& state, absl::Time now);
// Every bundle, oldest first.
v1::GetPolicyHistoryResponse PolicyHistoryOf(const State& state, absl::Time now);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_GOVERNANCE_STATUS_H_
