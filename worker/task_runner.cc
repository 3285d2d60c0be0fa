#include "worker/task_runner.h"

#include <variant>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "exchange/spool.h"
#include "worker/journal.h"
#include "worker/task_steps.h"

namespace carnet::worker {
namespace {

constexpr std::size_t kRequestIdBytes = 16;

// The task's files; a drained or stopped worker keeps them, so that its next run goes on.
void Clean(const CheckedTask& task, const TaskParts& parts) {
  auto journal = Journal::Open(parts.state.tasks(), task.task_id);
  absl::Status status = journal.status();
  if (journal.ok()) {
    status = journal->Remove();
  }
  const auto spools = exchange::ListSpools(parts.state.spool());
  if (spools.ok()) {
    for (const Digest& id : *spools) {
      status.Update(exchange::DropSpool(parts.state.spool(), id));
    }
  }
  if (!status.ok()) {
    Log(LogLevel::kWarning, "task-cleanup-failed", {{"task", task.task_id}, {"error", status}});
  }
}

TaskEnd Dispatch(const CheckedTask& task, const TaskParts& parts) {
  if (const auto* train = std::get_if<TrainTask>(&task.work)) {
    return RunTrain(task, *train, parts);
  }
  if (const auto* evaluate = std::get_if<EvaluateTask>(&task.work)) {
    return RunEvaluate(task, *evaluate, parts);
  }
  if (const auto* send = std::get_if<SendShardTask>(&task.work)) {
    return RunSendShard(task, *send, parts);
  }
  return RunReceiveShard(task, std::get<ReceiveShardTask>(task.work), parts);
}

}  // namespace

TaskEnd RunTask(const CheckedTask& task, const TaskParts& parts) {
  const absl::Status swept = Journal::Sweep(parts.state.tasks(), task.task_id);
  if (!swept.ok()) {
    return EndOf(FailedStep(swept, v1::TASK_FAILURE_DISK), parts);
  }
  TaskEnd end = Dispatch(task, parts);
  if (end.kind != TaskEnd::Kind::kCancelled && end.kind != TaskEnd::Kind::kFork) {
    Clean(task, parts);
  }
  return end;
}

absl::Status TellFailure(const std::string& task_id, const TrainerFailure& failure,
                         const TaskParts& parts, absl::Duration deadline) {
  v1::FailTaskRequest request;
  const Digest id = crypto::Sha256(AsBytes(absl::StrCat("fail-task\n", task_id)));
  request.set_request_id(ToString(ByteView(id).first(kRequestIdBytes)));
  request.set_task_id(task_id);
  request.set_failure(failure.failure);
  request.set_exit_code(failure.exit_code);
  return Persist(parts, deadline, [&] { return parts.client.FailTask(request); });
}

}  // namespace carnet::worker
