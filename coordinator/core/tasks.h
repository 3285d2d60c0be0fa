// Tasks of workers, as they follow from the state. A task's id is made from the record that opened
// it, so it is the same after a restart. Pure.
#ifndef CARNET_COORDINATOR_CORE_TASKS_H_
#define CARNET_COORDINATOR_CORE_TASKS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "carnet/v1/federation.pb.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

struct TaskName {
  v1::TaskKind kind = v1::TASK_KIND_UNSPECIFIED;
  std::string id;  // job or staging
  std::uint32_t round = 0;
  std::uint32_t attempt = 0;
};

// train/<job>/<round>/<attempt>, evaluate/<job>/<round>/<attempt>, send-shard/<staging>,
// receive-shard/<staging>.
std::string TaskId(const TaskName& name);
// Error INVALID_ARGUMENT: not a task id.
absl::StatusOr<TaskName> ParseTaskId(absl::string_view text);

struct OpenTask {
  TaskName name;
  std::uint64_t opened_index = 0;      // of the record that opened it
  std::vector<std::uint64_t> context;  // records that the worker needs to check it
  std::string key_id;                  // of the key to wrap for this worker; empty: none
  v1::SealedArtifact artifact;         // to download; no digest: none known to the state
  v1::Ticket download;
  v1::Ticket upload;
  absl::Time deadline;
};

// What this worker should be doing, oldest first: open rounds and evaluations that it has not
// answered, and stagings; nothing whose ticket was cut.
std::vector<OpenTask> TasksFor(const State& state, const std::string& worker_id, absl::Time now);

// The task of that name, if it is open for this worker. Error FAILED_PRECONDITION: it is not (any
// more).
absl::StatusOr<OpenTask> FindTask(const State& state, const std::string& worker_id,
                                  absl::string_view task_id, absl::Time now);

// The order of a staging is the ticket of both its halves.
v1::Ticket StagingTicketOf(const v1::StagingOrdered& ordered);

// trainer-crashed, shard-missing, …
std::string FailureName(v1::TaskFailure failure);

// The deltas that a closed round combines, in the order of the sum: ascending SPIFFE path, without
// storage faults.
struct IncludedDelta {
  std::string worker_id;
  std::uint64_t index = 0;
  std::uint64_t weight = 0;
  std::string sealed_sha256;
};
std::vector<IncludedDelta> IncludedDeltas(const Round& round);

// The index of a contribution of `worker_id` that is on record with the same (job, round, attempt)
// and the same sealed digest: its receipt is given again, also after the round, for as long as the
// state keeps it (kReceiptRoundsKept). Not while an open round waits for that worker: an old
// contribution in the place of a new one is a replay.
std::optional<std::uint64_t> FindReceipt(const State& state, const std::string& worker_id,
                                         const v1::Contribution& contribution);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_TASKS_H_
