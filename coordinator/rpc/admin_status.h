// What people see of workers and stagings. Pure.
#ifndef CARNET_COORDINATOR_RPC_ADMIN_STATUS_H_
#define CARNET_COORDINATOR_RPC_ADMIN_STATUS_H_

#include <vector>

#include "carnet/v1/jobs.pb.h"
#include "coordinator/core/state.h"
#include "coordinator/engine/engine.h"

namespace carnet::coordinator {

v1::WorkerStatus MakeWorkerStatus(const State& state, const Worker& worker,
                                  const WorkerPresence& presence, absl::Time now);

// uploaded: the sealed shard is whole at home.
v1::GetStagingResponse MakeStagingStatus(const Staging& staging, bool uploaded);

// The user may see what concerns workers, data and policy: any role but a bare `member`.
absl::Status RequireOverview(const State& state, const std::string& user_id);

// Every counter that a rule in force reads, and every one that was opened, as they stand at `now`.
void FillCounters(const State& state, absl::Time now, v1::ListCountersResponse* response);
// Every duty: those that are not met first, by deadline.
void FillDuties(const State& state, v1::ListDutiesResponse* response);

// Denied first, otherwise in their order.
void SortDeniedFirst(google::protobuf::RepeatedPtrField<v1::Decision>* decisions);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_ADMIN_STATUS_H_
