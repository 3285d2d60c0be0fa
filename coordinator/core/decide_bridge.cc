// Verdicts of the organisation's own policy engine.
#include "coordinator/core/drafts.h"

namespace carnet::coordinator {

absl::StatusOr<Decided> DecideOn(Drafts /*drafts*/, const RecordBridgeVerdict& /*command*/) {
  return absl::UnimplementedError("RecordBridgeVerdict");
}

}  // namespace carnet::coordinator
