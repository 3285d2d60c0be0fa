// Shards that go, and transfers that stop.
#include "coordinator/core/drafts.h"

namespace carnet::coordinator {

absl::StatusOr<Decided> DecideOn(Drafts /*drafts*/, const WithdrawShard& /*command*/) {
  return absl::UnimplementedError("WithdrawShard");
}

absl::StatusOr<Decided> DecideOn(Drafts /*drafts*/, const CutTransfer& /*command*/) {
  return absl::UnimplementedError("CutTransfer");
}

}  // namespace carnet::coordinator
