#include "coordinator/rpc/task_download.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "coordinator/core/tasks.h"

namespace carnet::coordinator {

TaskDownload::TaskDownload(const Services& services, Transfers& transfers,
                           grpc::CallbackServerContext& context, const v1::DownloadRequest& request)
    : services_(services),
      transfers_(transfers),
      context_(context),
      request_(request),
      worker_(services.peers.Worker(context)) {
  if (!worker_.ok()) {
    End(worker_.status());
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
  offset_ = request_.offset();
  crossed_.store(offset_);
  const Bytes sealed = task->name.kind == v1::TASK_KIND_RECEIVE_SHARD
                           ? services_.engine.UploadedShard(task->name.id)
                           : ToBytes(task->artifact.sealed_sha256());
  // From here on a change of the facts reaches this stream.
  Transfers::Begun begun = transfers_.Begin(
      {worker_->worker_id, request_.task_id(), request_.ticket_id(), false}, *this, state, now);
  place_ = std::move(begun.place);
  for (Engine::Urgent& urgent : begun.urgent) {
    services_.engine.Submit(std::move(urgent.body), "", std::move(urgent.callback));
  }
  RunOnBulk([this, blob = BlobId{BlobKind::kSealed, sealed}] { Open(blob); });
}

void TaskDownload::Open(const BlobId& blob) {
  const absl::StatusOr<std::uint64_t> size = services_.blobs.SizeOf(blob);
  absl::StatusOr<exchange::SendFile> file = absl::NotFoundError("no such file");
  if (size.ok()) {
    file = exchange::SendFile::Open(services_.blobs.PathOf(blob), *size);
  }
  if (!file.ok()) {
    End(file.status());
    return;
  }
  file_.emplace(*std::move(file));
  SendNext();
}

void TaskDownload::SendNext() {
  if (offset_ >= file_->size_bytes()) {
    End(offset_ == file_->size_bytes() ? absl::OkStatus()
                                       : absl::OutOfRangeError("the offset is behind the end"));
    return;
  }
  const std::uint64_t left = file_->size_bytes() - offset_;
  std::string* const data = chunk_.mutable_data();
  data->resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, exchange::kChunkBytesMax)));
  const absl::Status read =
      file_->ReadAt(offset_, {reinterpret_cast<std::uint8_t*>(data->data()), data->size()});
  if (!read.ok()) {
    End(WithOperatorDetail(absl::DataLossError("a stored file cannot be read"), read.ToString()));
    return;
  }
  chunk_.set_offset(offset_);
  const StreamTurn::Next next = turn_.Start([this] {
    crossed_.store(offset_ + chunk_.data().size());
    StartWrite(&chunk_);
  });
  if (next == StreamTurn::Next::kEnd) {
    End(absl::OkStatus());
  }
}

void TaskDownload::OnWriteDone(bool ok) {
  if (!turn_.Back()) {
    return;
  }
  if (!ok) {
    End(absl::CancelledError("the peer left"));
    return;
  }
  offset_ += chunk_.data().size();
  RunOnBulk([this] { SendNext(); });
}

void TaskDownload::RunOnBulk(absl::AnyInvocable<void()> work) {
  const absl::Status admitted = services_.bulk.TrySubmit(std::move(work));
  if (!admitted.ok()) {
    End(absl::ResourceExhaustedError("too many transfers: resume later"));
  }
}

void TaskDownload::End(const absl::Status& status) {
  if (const std::optional<absl::Status> last = turn_.End(status); last.has_value()) {
    Finish(ToGrpcStatus(*last));
  }
}

std::uint64_t TaskDownload::Stop() {
  turn_.Stop();
  return crossed_.load();
}

void TaskDownload::Cut(const absl::Status& why, bool) {
  if (turn_.Cut(why)) {
    End(why);
  }
}

}  // namespace carnet::coordinator
