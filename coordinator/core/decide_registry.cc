// Entries of the registry of facts: suppliers, regions, datasets.
#include "coordinator/core/drafts.h"

namespace carnet::coordinator {

absl::StatusOr<Decided> DecideOn(Drafts /*drafts*/, const RegisterSupplier& /*command*/) {
  return absl::UnimplementedError("RegisterSupplier");
}

absl::StatusOr<Decided> DecideOn(Drafts /*drafts*/, const RegisterRegion& /*command*/) {
  return absl::UnimplementedError("RegisterRegion");
}

absl::StatusOr<Decided> DecideOn(Drafts /*drafts*/, const RegisterDataset& /*command*/) {
  return absl::UnimplementedError("RegisterDataset");
}

}  // namespace carnet::coordinator
