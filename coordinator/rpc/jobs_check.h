// What policies would say of a job, region by region, before anything is submitted. Pure.
#ifndef CARNET_COORDINATOR_RPC_JOBS_CHECK_H_
#define CARNET_COORDINATOR_RPC_JOBS_CHECK_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/jobs.pb.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// Every operation of every enrolled worker that would take part, live or not: as the first round
// would ask, and, for those that it lets in, as the later ones do, when the model has seen the data
// of all of them. Equal decisions are said once. Region "home" comes with the aggregation and the
// golden-set evaluation. `spec` has its defaults. entropy: 32 bytes, for decision ids. Errors:
// those of ValidateJob; NOT_FOUND no registered shard is named by an entry of `data`.
absl::StatusOr<v1::CheckJobResponse> CheckJob(const State& state, const v1::JobSpec& spec,
                                              absl::Time now, ByteView entropy);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_JOBS_CHECK_H_
