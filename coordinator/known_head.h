// The newest head of a log that lost records, as far as anybody shows one.
#ifndef CARNET_COORDINATOR_KNOWN_HEAD_H_
#define CARNET_COORDINATOR_KNOWN_HEAD_H_

#include <filesystem>

#include "absl/status/statusor.h"
#include "carnet/v1/config.pb.h"
#include "coordinator/succeed.h"
#include "ledger/head.h"
#include "ledger/log_keys.h"

namespace carnet::coordinator {

// The head in options.lost_after, or a newer one of the log in its head file or among what it
// published. keys: of the records that are held; options.handovers may lead on from them. Errors:
// UNAUTHENTICATED the head is none of the log's. INVALID_ARGUMENT the handovers cannot be read.
// Those of base/files.h.
absl::StatusOr<ledger::SignedHead> NewestKnown(const SucceedOptions& options,
                                               const v1::CoordinatorConfig& config,
                                               const ledger::LogKeys& keys);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_KNOWN_HEAD_H_
