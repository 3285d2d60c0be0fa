// Round keys that are kept for somebody.
#include "coordinator/core/drafts.h"

namespace carnet::coordinator {

absl::StatusOr<Decided> DecideOn(Drafts /*drafts*/, const RetainKey& /*command*/) {
  return absl::UnimplementedError("RetainKey");
}

}  // namespace carnet::coordinator
