#include "worker/rpc/transfer_calls.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <string>
#include <thread>

#include "base/bytes.h"
#include "base/mutex.h"
#include "base/status.h"
#include "exchange/instance.h"
#include "exchange/transfer.h"

namespace carnet::worker {
namespace {

using UploadStream = grpc::ClientReaderWriter<v1::UploadRequest, v1::UploadResponse>;

constexpr std::size_t kMessageBytesMax = 1024;
constexpr absl::Duration kCancelEvery = absl::Milliseconds(200);

// Cancels a call soon after `cancel` was raised, while the call's own thread waits in gRPC.
class CancelWatch {
 public:
  CancelWatch(grpc::ClientContext& context, const CancelFlag& cancel)
      : thread_([this, &context, &cancel] { Run(context, cancel); }) {}
  ~CancelWatch() {
    {
      const MutexLock lock(mutex_);
      done_ = true;
      changed_.NotifyAll();
    }
    thread_.join();
  }
  CancelWatch(const CancelWatch&) = delete;
  CancelWatch& operator=(const CancelWatch&) = delete;

 private:
  void Run(grpc::ClientContext& context, const CancelFlag& cancel) {
    const MutexLock lock(mutex_);
    while (!done_) {
      if (cancel.load()) {
        context.TryCancel();
        return;
      }
      changed_.WaitFor(mutex_, kCancelEvery);
    }
  }

  Mutex mutex_;
  CondVar changed_;
  bool done_ CARNET_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// Takes acknowledgements while the sender writes.
class AckReader {
 public:
  AckReader(UploadStream& stream, exchange::SenderState& state)
      : state_(state), thread_([this, &stream] { Run(stream); }) {}
  ~AckReader() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  AckReader(const AckReader&) = delete;
  AckReader& operator=(const AckReader&) = delete;

  std::optional<exchange::Range> Next() {
    const MutexLock lock(mutex_);
    return error_.ok() ? state_.Next() : std::nullopt;
  }
  void OnSent(const exchange::Range& range) {
    const MutexLock lock(mutex_);
    if (error_.ok() && state_.Next().has_value()) {
      state_.OnSent(range);
    }
  }
  // After the last write: waits for the end of the stream.
  absl::Status Join() {
    thread_.join();
    const MutexLock lock(mutex_);
    return error_;
  }

 private:
  void Run(UploadStream& stream) {
    v1::UploadResponse response;
    while (stream.Read(&response)) {
      const MutexLock lock(mutex_);
      error_.Update(state_.OnAcknowledged(
          {.durable_bytes = response.durable_bytes(), .complete = response.complete()}));
    }
  }

  Mutex mutex_;
  absl::Status error_ CARNET_GUARDED_BY(mutex_);
  exchange::SenderState& state_ CARNET_GUARDED_BY(mutex_);
  std::thread thread_;
};

absl::Status SendChunks(UploadStream& stream, const exchange::SendFile& file, AckReader& acks) {
  v1::UploadRequest message;
  while (const std::optional<exchange::Range> range = acks.Next()) {
    v1::UploadChunk* chunk = message.mutable_chunk();
    chunk->set_offset(range->offset);
    std::string* data = chunk->mutable_data();
    data->resize(range->size_bytes);
    CARNET_RETURN_IF_ERROR(
        file.ReadAt(range->offset, {reinterpret_cast<std::uint8_t*>(data->data()), data->size()}));
    // Sent before it is written: the acknowledgement may come before Write returns.
    acks.OnSent(*range);
    if (!stream.Write(message)) {
      return absl::UnavailableError("upload: the connection broke");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<exchange::SenderState> SenderOf(const v1::UploadOpen& open) {
  exchange::TransferSpec spec;
  spec.size_bytes = open.sealed_bytes();
  return exchange::SenderState::Create(spec);
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  std::string message = status.error_message().substr(0, kMessageBytesMax);
  for (char& c : message) {
    c = c >= ' ' && c <= '~' ? c : '?';
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), message);
}

void SetDeadline(grpc::ClientContext& context, absl::Duration from_now) {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(from_now));
  context.set_wait_for_ready(true);
}

absl::Status DownloadOnce(v1::Federation::Stub& stub, const std::string& instance,
                          const v1::DownloadRequest& request,
                          const CoordinatorClient::ChunkSink& sink, const CancelFlag& cancel) {
  grpc::ClientContext context;
  context.AddMetadata(exchange::kInstanceMetadata, instance);
  SetDeadline(context, kStreamMax);
  const auto stream = stub.Download(&context, request);
  absl::Status taken;
  {
    const CancelWatch watch(context, cancel);
    v1::DownloadChunk chunk;
    while (taken.ok() && stream->Read(&chunk)) {
      taken = sink(chunk.offset(), AsBytes(chunk.data()));
    }
    if (!taken.ok()) {
      context.TryCancel();
    }
  }
  const absl::Status ended = FromGrpcStatus(stream->Finish());
  return taken.ok() ? ended : taken;
}

absl::Status UploadOnce(v1::Federation::Stub& stub, const std::string& instance,
                        const v1::UploadOpen& open, const exchange::SendFile& file,
                        const CancelFlag& cancel) {
  CARNET_ASSIGN_OR_RETURN(exchange::SenderState state, SenderOf(open));
  grpc::ClientContext context;
  context.AddMetadata(exchange::kInstanceMetadata, instance);
  SetDeadline(context, kStreamMax);
  const auto stream = stub.Upload(&context);
  const CancelWatch watch(context, cancel);
  v1::UploadRequest first;
  *first.mutable_open() = open;
  v1::UploadResponse answer;
  if (!stream->Write(first) || !stream->Read(&answer)) {
    const absl::Status ended = FromGrpcStatus(stream->Finish());
    return ended.ok() ? absl::UnavailableError("upload: no answer") : ended;
  }
  absl::Status status =
      state.OnStart({.durable_bytes = answer.durable_bytes(), .complete = answer.complete()});
  if (status.ok() && !state.complete()) {
    AckReader acks(*stream, state);
    status = SendChunks(*stream, file, acks);
    if (status.ok()) {
      stream->WritesDone();
    } else {
      context.TryCancel();
    }
    status.Update(acks.Join());
  } else {
    stream->WritesDone();
    while (status.ok() && stream->Read(&answer)) {
    }
  }
  if (!status.ok()) {
    context.TryCancel();
  }
  const absl::Status ended = FromGrpcStatus(stream->Finish());
  if (state.complete()) {
    return absl::OkStatus();
  }
  // What the coordinator says about the end counts more than that the stream broke.
  if (!ended.ok() && ended.code() != absl::StatusCode::kCancelled) {
    return ended;
  }
  return status.ok() ? absl::UnavailableError("upload: it ended early") : status;
}

}  // namespace carnet::worker
