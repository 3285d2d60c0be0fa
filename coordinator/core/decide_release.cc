// What leaves home for people: models and statements.
#include "coordinator/core/drafts.h"

namespace carnet::coordinator {

absl::StatusOr<Decided> DecideOn(Drafts /*drafts*/, const ReleaseModel& /*command*/) {
  return absl::UnimplementedError("ReleaseModel");
}

absl::StatusOr<Decided> DecideOn(Drafts /*drafts*/, const ReadLog& /*command*/) {
  return absl::UnimplementedError("ReadLog");
}

}  // namespace carnet::coordinator
