// How verdicts of the bridge change the state.
#include "absl/strings/str_cat.h"
#include "coordinator/core/fold.h"

namespace carnet::coordinator {

absl::Status Fold(State& state, std::uint64_t /*index*/, const v1::BridgeVerdict& record) {
  state.bridge_verdicts[BridgeKey(record.flow(), record.job_id(), record.worker_id())] = record;
  ++state.facts_version;
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
