#include "coordinator/rpc/admin_status.h"

#include <algorithm>

namespace carnet::coordinator {

v1::WorkerStatus MakeWorkerStatus(const State& state, const Worker& worker,
                                  const WorkerPresence& presence) {
  v1::WorkerStatus status;
  const std::string& worker_id = worker.terms.worker_id();
  status.set_worker_id(worker_id);
  status.set_slot(worker.terms.slot());
  status.set_region(worker.terms.region());
  status.set_supplier(worker.terms.supplier());
  status.set_location(worker.terms.location());
  if (const auto region = state.regions.find(worker.terms.region());
      region != state.regions.end()) {
    *status.mutable_jurisdictions() = region->second.terms.jurisdictions();
    status.set_location(region->second.terms.location_evidence());
  }
  status.set_revoked(worker.revoked);
  status.set_live(presence.live && !worker.revoked);
  status.set_current_task(presence.current_task);
  status.set_progress(presence.progress);
  for (const auto& [key, shard] : state.shards) {
    if (shard.holders.count(worker_id) != 0) {
      status.add_shards(key);
    }
  }
  return status;
}

v1::GetStagingResponse MakeStagingStatus(const Staging& staging, bool uploaded) {
  v1::GetStagingResponse response;
  switch (staging.phase) {
    case StagingPhase::kOrdered:
      response.set_state(uploaded ? "uploaded" : "ordered");
      break;
    case StagingPhase::kStaged:
      response.set_state("staged");
      break;
    case StagingPhase::kAbandoned:
      response.set_state("abandoned");
      break;
  }
  response.set_sealed_bytes(staging.sealed_bytes);
  response.set_reason(staging.reason);
  return response;
}

absl::Status RequireOverview(const State& state, const std::string& user_id) {
  const auto user = state.users.find(user_id);
  const bool sees = user != state.users.end() &&
                    std::any_of(user->second.roles.begin(), user->second.roles.end(),
                                [](const std::string& role) { return role != "member"; });
  return sees ? absl::OkStatus()
              : absl::PermissionDeniedError("this needs a role other than member");
}

void SortDeniedFirst(google::protobuf::RepeatedPtrField<v1::Decision>* decisions) {
  std::stable_sort(decisions->pointer_begin(), decisions->pointer_end(),
                   [](const v1::Decision* a, const v1::Decision* b) {
                     return (a->verdict() != v1::VERDICT_ALLOW) >
                            (b->verdict() != v1::VERDICT_ALLOW);
                   });
}

}  // namespace carnet::coordinator
