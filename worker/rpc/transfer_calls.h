// The two streaming calls, one connection each. Inside worker/rpc only.
#ifndef CARNET_WORKER_RPC_TRANSFER_CALLS_H_
#define CARNET_WORKER_RPC_TRANSFER_CALLS_H_

#include <string>

#include "absl/status/status.h"
#include "carnet/v1/federation.grpc.pb.h"
#include "exchange/spool.h"
#include "worker/coordinator_client.h"

namespace carnet::worker {

// A stream that lives longer is ended and resumed: a peer that vanished without a word is noticed
// by then.
inline constexpr absl::Duration kStreamMax = absl::Minutes(10);

absl::Status FromGrpcStatus(const grpc::Status& status);
// Also lets the call wait for a connection. Calls that fail at once would leave nobody to drive the
// channel: without a pending call gRPC looks at a connection under way only every 5 s, longer than
// it lets one take.
void SetDeadline(grpc::ClientContext& context, absl::Duration from_now);

// `instance`: of this process (exchange/instance.h).
absl::Status DownloadOnce(v1::Federation::Stub& stub, const std::string& instance,
                          const v1::DownloadRequest& request,
                          const CoordinatorClient::ChunkSink& sink, const CancelFlag& cancel);
absl::Status UploadOnce(v1::Federation::Stub& stub, const std::string& instance,
                        const v1::UploadOpen& open, const exchange::SendFile& file,
                        const CancelFlag& cancel);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_RPC_TRANSFER_CALLS_H_
