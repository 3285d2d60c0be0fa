// What people see of a job, made from the records in one place. Pure.
#ifndef CARNET_COORDINATOR_RPC_JOBS_STATUS_H_
#define CARNET_COORDINATOR_RPC_JOBS_STATUS_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "carnet/v1/jobs.pb.h"
#include "coordinator/core/release.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// Job id -> why it waits, as Engine::waiting() has it.
using WaitingReasons = std::map<std::string, std::string>;

v1::JobStatus MakeJobStatus(const Job& job, const WaitingReasons& waiting);

// One entry for each finished round, ascending.
v1::GetMetricsResponse MakeJobMetrics(const Job& job);

// Who has no role but `member` sees the jobs that they submitted; every other role sees all.
bool SeesJob(const State& state, const std::string& user_id, const Job& job);

// Errors: NOT_FOUND no such job. PERMISSION_DENIED it is another member's.
absl::StatusOr<const Job*> VisibleJob(const State& state, const std::string& user_id,
                                      const std::string& job_id);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_JOBS_STATUS_H_
