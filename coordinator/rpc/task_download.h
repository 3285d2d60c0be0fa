// One download of a task: the ciphertext of its artifact, from an offset on.
#ifndef CARNET_COORDINATOR_RPC_TASK_DOWNLOAD_H_
#define CARNET_COORDINATOR_RPC_TASK_DOWNLOAD_H_

#include <grpcpp/grpcpp.h>

#include "carnet/v1/federation.pb.h"
#include "coordinator/rpc/file_stream.h"
#include "coordinator/rpc/instance_gate.h"

namespace carnet::coordinator {

class TaskDownload final : public FileStream<v1::DownloadChunk> {
 public:
  // `context` and `request` live as long as the call.
  TaskDownload(const Services& services, Transfers& transfers, InstanceGate& instances,
               grpc::CallbackServerContext& context, const v1::DownloadRequest& request);

 private:
  ~TaskDownload() override = default;

  // Policy still lets it out.
  void OnAllowed(const State& state, absl::Time now);

  const v1::DownloadRequest& request_;
  const absl::StatusOr<WorkerPeer> worker_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_TASK_DOWNLOAD_H_
