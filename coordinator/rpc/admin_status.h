// What people see of workers and stagings. Pure.
#ifndef CARNET_COORDINATOR_RPC_ADMIN_STATUS_H_
#define CARNET_COORDINATOR_RPC_ADMIN_STATUS_H_

#include <vector>

#include "carnet/v1/jobs.pb.h"
#include "coordinator/core/state.h"
#include "coordinator/engine/engine.h"

namespace carnet::coordinator {

v1::WorkerStatus MakeWorkerStatus(const State& state, const Worker& worker,
                                  const WorkerPresence& presence);

// uploaded: the sealed shard is whole at home.
v1::GetStagingResponse MakeStagingStatus(const Staging& staging, bool uploaded);

// The user may see what concerns workers, data and policy: any role but a bare `member`.
absl::Status RequireOverview(const State& state, const std::string& user_id);

// Denied first, otherwise in their order.
void SortDeniedFirst(google::protobuf::RepeatedPtrField<v1::Decision>* decisions);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_ADMIN_STATUS_H_
