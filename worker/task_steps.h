// Steps that tasks share. Inside worker/ only.
#ifndef CARNET_WORKER_TASK_STEPS_H_
#define CARNET_WORKER_TASK_STEPS_H_

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "exchange/artifact.h"
#include "exchange/sealing.h"
#include "exchange/transfer.h"
#include "model/safetensors.h"
#include "worker/journal.h"
#include "worker/task_runner.h"

namespace carnet::worker {

// How each kind of task is done (task_train.cc, task_evaluate.cc, task_shard.cc).
TaskEnd RunTrain(const CheckedTask& task, const TrainTask& train, const TaskParts& parts);
TaskEnd RunEvaluate(const CheckedTask& task, const EvaluateTask& evaluate, const TaskParts& parts);
TaskEnd RunSendShard(const CheckedTask& task, const SendShardTask& send, const TaskParts& parts);
TaskEnd RunReceiveShard(const CheckedTask& task, const ReceiveShardTask& receive,
                        const TaskParts& parts);

// Ends a step early. `failure` unset: the status speaks for itself (EndOf).
struct StepError {
  absl::Status status;
  TrainerFailure failure;
};
inline StepError FailedStep(absl::Status status, v1::TaskFailure failure) {
  return {std::move(status), {failure, 0}};
}
// What a failed step means for the task: a failure to tell, a cancellation, a fork, or a refusal.
TaskEnd EndOf(const StepError& error, const TaskParts& parts);

// How much longer a step may take (monotonic).
absl::Duration MonotonicDeadline(const CheckedTask& task, const TaskParts& parts);

// Calls until it succeeds, fails in a way that trying again does not mend, is cancelled, or
// `deadline` (monotonic) passes; waits between the tries with jitter.
absl::Status Persist(const TaskParts& parts, absl::Duration deadline,
                     const std::function<absl::Status()>& call);

// The same of a call that sends something home, within the task's time. Before each try this site
// is asked whether it still may leave; a no fails the task as REFUSED_BY_SITE.
std::optional<StepError> PersistSending(const CheckedTask& task, const TaskParts& parts,
                                        const std::function<absl::Status()>& call);

// Downloads the task's artifact, resuming, and returns the whole sealed file.
std::optional<StepError> DownloadSealed(const CheckedTask& task, const exchange::TransferSpec& spec,
                                        const TaskParts& parts, std::filesystem::path* sealed);
// Uploads the journal's sealed file, resuming.
std::optional<StepError> UploadSealed(const CheckedTask& task, const v1::UploadOpen& open,
                                      const Journal& journal, const TaskParts& parts);

// The model of a task: downloaded, opened into the trainer's directory and checked against the
// record.
struct OpenedModel {
  std::filesystem::path directory;
  std::optional<model::SafetensorsReader> reader;
};
std::optional<StepError> OpenModel(const CheckedTask& task, const exchange::Header& header,
                                   const v1::SealedArtifact& recorded, const TaskParts& parts,
                                   OpenedModel* opened);

// Paths of shards, in order.
std::optional<StepError> DataPaths(const v1::RoundMember& member, const TaskParts& parts,
                                   std::vector<std::string>* paths);

// 32 random bytes, the clock and a fresh request id.
v1::Common MakeCommon(const TaskParts& parts);

// Signs a statement of `predicate`.
absl::StatusOr<v1::SignedRecord> Sign(const google::protobuf::Message& predicate,
                                      const TaskParts& parts);

// Submits by `call`, under the record's own request id, until there is a receipt, and keeps it.
using SubmitCall =
    std::function<absl::StatusOr<v1::SubmitRecordResponse>(const v1::SubmitRecordRequest&)>;
std::optional<StepError> SubmitRecord(const CheckedTask& task, const v1::SignedRecord& record,
                                      const SubmitCall& call, const TaskParts& parts);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_TASK_STEPS_H_
