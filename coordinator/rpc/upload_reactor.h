// One upload stream: open, then chunks in order, acknowledged when durable.
#ifndef CARNET_COORDINATOR_RPC_UPLOAD_REACTOR_H_
#define CARNET_COORDINATOR_RPC_UPLOAD_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>

#include "carnet/v1/federation.pb.h"
#include "coordinator/core/tasks.h"
#include "coordinator/rpc/instance_gate.h"
#include "coordinator/rpc/services.h"
#include "coordinator/rpc/stream_turn.h"
#include "coordinator/rpc/transfers.h"
#include "coordinator/rpc/uploads.h"
#include "coordinator/rpc/verify_contribution.h"

namespace carnet::coordinator {

// At most one read is outstanding, started again only when the chunk before it is in its spool:
// HTTP/2's window then holds the sender back. Deletes itself in OnDone.
class UploadReactor final : public grpc::ServerBidiReactor<v1::UploadRequest, v1::UploadResponse>,
                            private Transfer {
 public:
  // `context` lives as long as the call.
  UploadReactor(const Services& services, Uploads& uploads, Transfers& transfers,
                InstanceGate& instances, grpc::CallbackServerContext& context);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override {}
  void OnDone() override { delete this; }

 private:
  ~UploadReactor() override = default;

  // One after another: what the open message says, whether policy still lets it in, its header, its
  // spool.
  void OnOpen();
  void OnAllowed(const State& state, absl::Time now);
  void CheckHeader(const OpenTask& task, absl::StatusOr<RoundExpectation> expected,
                   const v1::StagingOrdered& staging, std::string to_spiffe_id);
  void StartSpool();
  void OnChunk();
  void Reply(const exchange::Acknowledgement& acknowledgement);
  void ReadNext();
  // The upload is of no use: on record (delta) or not (shard), then the stream ends.
  void Reject(const std::string& reason);
  void End(const absl::Status& status);
  void RunOnBulk(absl::AnyInvocable<void()> work);
  void Count(std::uint64_t bytes);

  std::string Artifact() const override { return HexEncode(header_.sha256); }
  std::uint64_t Stop() override;
  void Cut(const absl::Status& why, bool drop) override;
  void Abort() override { context_.TryCancel(); }

  const Services& services_;
  Uploads& uploads_;
  Transfers& transfers_;
  grpc::CallbackServerContext& context_;
  const absl::StatusOr<WorkerPeer> worker_;
  v1::UploadRequest request_;
  v1::UploadResponse response_;
  v1::UploadOpen open_;
  exchange::Header header_;
  std::string staging_id_;  // of a shard
  std::unique_ptr<Upload> upload_;
  bool opened_ = false;
  bool complete_ = false;
  std::atomic<std::uint64_t> crossed_ = 0;  // what came, and what the spool held before
  std::atomic<bool> drop_ = false;
  StreamTurn turn_;
  std::unique_ptr<Transfers::Place> place_;  // goes first: nobody calls this any more then
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_UPLOAD_REACTOR_H_
