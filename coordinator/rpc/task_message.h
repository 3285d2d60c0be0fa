// A task as it travels: the records that prove it, under one head, and the key of what to download.
#ifndef CARNET_COORDINATOR_RPC_TASK_MESSAGE_H_
#define CARNET_COORDINATOR_RPC_TASK_MESSAGE_H_

#include "absl/status/statusor.h"
#include "carnet/v1/federation.pb.h"
#include "coordinator/core/tasks.h"
#include "coordinator/rpc/services.h"
#include "ledger/head.h"

namespace carnet::coordinator {

// Blocks on files. Errors: those of the log, the blobs and the key files.
absl::StatusOr<v1::Task> MakeTask(const Services& services, const OpenTask& task,
                                  const WorkerPeer& worker, const ledger::SignedHead& head);

// The record at `index` with its proof under `head`.
absl::StatusOr<v1::ProvenRecord> ProveUnder(const ledger::Log& log, std::uint64_t index,
                                            const ledger::SignedHead& head);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_TASK_MESSAGE_H_
