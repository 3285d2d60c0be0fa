// The registry of facts of a log that was lost, for the log in its place. Internal to succeed.
#ifndef CARNET_COORDINATOR_SUCCEED_REGISTRY_H_
#define CARNET_COORDINATOR_SUCCEED_REGISTRY_H_

#include "absl/status/status.h"
#include "coordinator/core/state.h"
#include "coordinator/init_records.h"
#include "coordinator/speakers.h"

namespace carnet::coordinator {

// Suppliers, regions and evidence with what persons said of them; datasets are stated again by one
// of `speakers`. What nobody's word stands behind comes without one.
absl::Status CarryRegistry(const State& old, const Speakers& speakers, RecordSigner* signer);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_SUCCEED_REGISTRY_H_
