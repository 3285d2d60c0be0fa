// One download: the ciphertext of a task's artifact, from an offset on.
#ifndef CARNET_COORDINATOR_RPC_DOWNLOAD_REACTOR_H_
#define CARNET_COORDINATOR_RPC_DOWNLOAD_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <optional>

#include "base/executor.h"
#include "exchange/spool.h"

namespace carnet::coordinator {

// Streams a file in messages of at most exchange::kChunkBytesMax. At most one write is outstanding,
// so a slow reader holds one chunk. `Chunk` is DownloadChunk {offset, data} or another message with
// `data`. Deletes itself in OnDone.
template <typename Chunk>
class FileStreamReactor final : public grpc::ServerWriteReactor<Chunk> {
 public:
  explicit FileStreamReactor(BoundedExecutor& executor) : executor_(executor) {}

  // The file is open and may be sent. Called once, from any thread; or Fail.
  void Begin(exchange::SendFile file, std::uint64_t offset) {
    file_.emplace(std::move(file));
    offset_ = offset;
    Continue();
  }
  void Fail(grpc::Status status) { this->Finish(std::move(status)); }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      this->Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the peer left"));
      return;
    }
    offset_ += chunk_.data().size();
    Continue();
  }
  void OnCancel() override {}
  void OnDone() override { delete this; }

 private:
  void Continue() {
    const absl::Status admitted = executor_.TrySubmit([this] { SendNext(); });
    if (!admitted.ok()) {
      this->Finish(
          grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many transfers: resume later"));
    }
  }
  void SendNext() {
    if (offset_ >= file_->size_bytes()) {
      this->Finish(offset_ == file_->size_bytes() ? grpc::Status::OK
                                                  : grpc::Status(grpc::StatusCode::OUT_OF_RANGE,
                                                                 "the offset is behind the end"));
      return;
    }
    const std::uint64_t left = file_->size_bytes() - offset_;
    std::string* data = chunk_.mutable_data();
    data->resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, exchange::kChunkBytesMax)));
    const absl::Status read =
        file_->ReadAt(offset_, {reinterpret_cast<std::uint8_t*>(data->data()), data->size()});
    if (!read.ok()) {
      this->Finish(grpc::Status(grpc::StatusCode::DATA_LOSS, "a stored file cannot be read"));
      return;
    }
    if constexpr (requires { chunk_.set_offset(offset_); }) {
      chunk_.set_offset(offset_);
    }
    this->StartWrite(&chunk_);
  }

  BoundedExecutor& executor_;
  std::optional<exchange::SendFile> file_;
  std::uint64_t offset_ = 0;
  Chunk chunk_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_DOWNLOAD_REACTOR_H_
