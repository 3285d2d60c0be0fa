// One download of a task: the ciphertext of its artifact, from an offset on.
#ifndef CARNET_COORDINATOR_RPC_TASK_DOWNLOAD_H_
#define CARNET_COORDINATOR_RPC_TASK_DOWNLOAD_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <optional>

#include "carnet/v1/federation.pb.h"
#include "coordinator/rpc/services.h"
#include "coordinator/rpc/stream_turn.h"
#include "coordinator/rpc/transfers.h"
#include "exchange/spool.h"

namespace carnet::coordinator {

// Messages of at most exchange::kChunkBytesMax; one write is outstanding, so a slow reader holds
// one chunk. Deletes itself in OnDone.
class TaskDownload final : public grpc::ServerWriteReactor<v1::DownloadChunk>, private Transfer {
 public:
  // `context` and `request` live as long as the call.
  TaskDownload(const Services& services, Transfers& transfers, grpc::CallbackServerContext& context,
               const v1::DownloadRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override {}
  void OnDone() override { delete this; }

 private:
  ~TaskDownload() override = default;

  // One after another: whether policy still lets it out, its file, its chunks.
  void OnAllowed(const State& state, absl::Time now);
  void Open(const BlobId& blob);
  void SendNext();
  void RunOnBulk(absl::AnyInvocable<void()> work);
  void End(const absl::Status& status);

  std::string Artifact() const override { return ""; }
  std::uint64_t Stop() override;
  void Cut(const absl::Status& why, bool drop) override;
  void Abort() override { context_.TryCancel(); }

  const Services& services_;
  Transfers& transfers_;
  grpc::CallbackServerContext& context_;
  const v1::DownloadRequest& request_;
  const absl::StatusOr<WorkerPeer> worker_;
  std::optional<exchange::SendFile> file_;
  std::uint64_t offset_ = 0;
  v1::DownloadChunk chunk_;
  std::atomic<std::uint64_t> crossed_ = 0;  // handed to gRPC, the offset asked for included
  StreamTurn turn_;
  std::unique_ptr<Transfers::Place> place_;  // goes first: nobody calls this any more then
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_TASK_DOWNLOAD_H_
