// A stream of bytes that are in memory.
#ifndef CARNET_COORDINATOR_RPC_JOBS_STREAM_H_
#define CARNET_COORDINATOR_RPC_JOBS_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/bytes.h"
#include "exchange/transfer.h"

namespace carnet::coordinator {

// Sends bytes in messages of at most exchange::kChunkBytesMax. Deletes itself in OnDone.
template <typename Chunk>
class BytesStreamReactor final : public grpc::ServerWriteReactor<Chunk> {
 public:
  // Called once, from any thread; or Fail.
  void Begin(Bytes bytes) {
    bytes_ = std::move(bytes);
    SendNext();
  }
  void Fail(grpc::Status status) { this->Finish(std::move(status)); }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      this->Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the peer left"));
      return;
    }
    SendNext();
  }
  void OnCancel() override {}
  void OnDone() override { delete this; }

 private:
  void SendNext() {
    if (offset_ == bytes_.size()) {
      this->Finish(grpc::Status::OK);
      return;
    }
    const std::size_t size =
        std::min<std::size_t>(bytes_.size() - offset_, exchange::kChunkBytesMax);
    chunk_.mutable_data()->assign(reinterpret_cast<const char*>(bytes_.data()) + offset_, size);
    offset_ += size;
    this->StartWrite(&chunk_);
  }

  Bytes bytes_;
  std::size_t offset_ = 0;
  Chunk chunk_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_JOBS_STREAM_H_
