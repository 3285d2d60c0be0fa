#include "coordinator/rpc/task_download.h"

#include <utility>

#include "coordinator/core/tasks.h"

namespace carnet::coordinator {

TaskDownload::TaskDownload(const Services& services, Transfers& transfers, InstanceGate& instances,
                           grpc::CallbackServerContext& context, const v1::DownloadRequest& request)
    : FileStream(services, transfers, context),
      request_(request),
      worker_(services.peers.Worker(context)) {
  const absl::Status caller =
      worker_.ok() ? instances.Stream(context, worker_->worker_id) : worker_.status();
  if (!caller.ok()) {
    End(caller);
    return;
  }
  // Decided again at the first byte: the facts may have changed since the round opened.
  services_.engine.Submit(
      RecheckTask{worker_->worker_id, request_.task_id(), request_.ticket_id(), false}, "",
      [this](absl::StatusOr<Answer> answer) {
        const absl::Status status = answer.ok() ? answer->status : answer.status();
        if (!status.ok()) {
          End(status);
          return;
        }
        services_.engine.Read(
            [this](const State& state, absl::Time now) { OnAllowed(state, now); });
      });
}

void TaskDownload::OnAllowed(const State& state, absl::Time now) {
  const absl::StatusOr<OpenTask> task =
      FindTask(state, worker_->worker_id, request_.task_id(), now);
  if (!task.ok()) {
    End(task.status());
    return;
  }
  const Bytes sealed = task->name.kind == v1::TASK_KIND_RECEIVE_SHARD
                           ? services_.engine.UploadedShard(task->name.id)
                           : ToBytes(task->artifact.sealed_sha256());
  Begin({worker_->worker_id, request_.task_id(), request_.ticket_id(), false}, state, now,
        {BlobKind::kSealed, sealed}, request_.offset(), absl::NotFoundError("no such file"));
}

}  // namespace carnet::coordinator
