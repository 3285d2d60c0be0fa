// A file of the blob store on its way out, from an offset on, until its end or until what allowed
// it no longer does.
#ifndef CARNET_COORDINATOR_RPC_FILE_STREAM_H_
#define CARNET_COORDINATOR_RPC_FILE_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "coordinator/rpc/services.h"
#include "coordinator/rpc/stream_turn.h"
#include "coordinator/rpc/transfers.h"
#include "exchange/spool.h"

namespace carnet::coordinator {

// Messages of at most exchange::kChunkBytesMax; one write is outstanding, so a slow reader holds
// one chunk. `Chunk` is DownloadChunk {offset, data} or another message with `data`. Who derives
// from it asks whether the file may go, then calls Begin, or an End, once. Deletes itself in
// OnDone.
template <typename Chunk>
class FileStream : public grpc::ServerWriteReactor<Chunk>, private Transfer {
 public:
  void OnWriteDone(bool ok) override {
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
  void OnCancel() override {}
  void OnDone() override { delete this; }

 protected:
  // `context` lives as long as the call.
  FileStream(const Services& services, Transfers& transfers, grpc::CallbackServerContext& context)
      : services_(services), transfers_(transfers), context_(context) {}
  ~FileStream() override = default;

  // On the strand: `name` may move, as `state` says. From here on a change of the facts reaches
  // this stream. `missing`: what it ends with if the file is not there.
  void Begin(TransferName name, const State& state, absl::Time now, BlobId blob,
             std::uint64_t offset, absl::Status missing) {
    offset_ = offset;
    crossed_.store(offset);
    Transfers::Begun begun = transfers_.Begin(std::move(name), *this, state, now);
    place_ = std::move(begun.place);
    for (Engine::Urgent& urgent : begun.urgent) {
      services_.engine.Submit(std::move(urgent.body), "", std::move(urgent.callback));
    }
    RunOnBulk(
        [this, blob = std::move(blob), missing = std::move(missing)] { Open(blob, missing); });
  }
  void End(const absl::Status& status) {
    if (const std::optional<absl::Status> last = turn_.End(status); last.has_value()) {
      this->Finish(ToGrpcStatus(*last));
    }
  }
  // Before Begin: with a status that has details.
  void EndWith(grpc::Status status) {
    if (turn_.End(absl::CancelledError("")).has_value()) {
      this->Finish(std::move(status));
    }
  }

  const Services& services_;

 private:
  void Open(const BlobId& blob, const absl::Status& missing) {
    const absl::StatusOr<std::uint64_t> size = services_.blobs.SizeOf(blob);
    absl::StatusOr<exchange::SendFile> file = missing;
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

  void SendNext() {
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
    if constexpr (requires { chunk_.set_offset(offset_); }) {
      chunk_.set_offset(offset_);
    }
    const StreamTurn::Next next = turn_.Start([this] {
      crossed_.store(offset_ + chunk_.data().size());
      this->StartWrite(&chunk_);
    });
    if (next == StreamTurn::Next::kEnd) {
      End(absl::OkStatus());
    }
  }

  void RunOnBulk(absl::AnyInvocable<void()> work) {
    const absl::Status admitted = services_.bulk.TrySubmit(std::move(work));
    if (!admitted.ok()) {
      End(absl::ResourceExhaustedError("too many transfers: resume later"));
    }
  }

  std::string Artifact() const override { return ""; }  // one under each ticket
  std::uint64_t Stop() override {
    turn_.Stop();
    return crossed_.load();
  }
  void Cut(const absl::Status& why, bool) override {
    if (turn_.Cut(why)) {
      End(why);
    }
  }
  void Abort() override { context_.TryCancel(); }

  Transfers& transfers_;
  grpc::CallbackServerContext& context_;
  std::optional<exchange::SendFile> file_;
  std::uint64_t offset_ = 0;
  Chunk chunk_;
  std::atomic<std::uint64_t> crossed_ = 0;  // handed to gRPC, the offset asked for included
  StreamTurn turn_;
  std::unique_ptr<Transfers::Place> place_;  // goes first: nobody calls this any more then
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_FILE_STREAM_H_
