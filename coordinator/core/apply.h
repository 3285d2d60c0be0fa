// The fold: how a record becomes state. Pure.
#ifndef CARNET_COORDINATOR_CORE_APPLY_H_
#define CARNET_COORDINATOR_CORE_APPLY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "coordinator/core/state.h"
#include "ledger/predicate.h"

namespace carnet::coordinator {

// Folds the record at `index`, which must be state.size, into `state`.
// Error DATA_LOSS, naming the index: a record out of order, or one that refers to what no earlier
// record made. The state is then unspecified, and the process must not go on.
absl::Status Apply(State& state, std::uint64_t index, const ledger::Predicate& predicate);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_APPLY_H_
