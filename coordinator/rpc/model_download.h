// A released model on its way to a person.
#ifndef CARNET_COORDINATOR_RPC_MODEL_DOWNLOAD_H_
#define CARNET_COORDINATOR_RPC_MODEL_DOWNLOAD_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "carnet/v1/jobs.pb.h"
#include "coordinator/rpc/file_stream.h"

namespace carnet::coordinator {

// The job, as long as the person has a live release of that round's model; 0: the newest round.
// Errors: NOT_FOUND, PERMISSION_DENIED.
absl::StatusOr<const Job*> ReleasedJob(const State& state, const std::string& user_id,
                                       const std::string& job_id, std::uint32_t round,
                                       absl::Time now);

class ModelDownload final : public FileStream<v1::ModelChunk> {
 public:
  // `context` and `request` live as long as the call.
  ModelDownload(const Services& services, Transfers& transfers,
                grpc::CallbackServerContext& context, const v1::DownloadModelRequest& request);

 private:
  ~ModelDownload() override = default;

  // Policy still lets it out.
  void OnAllowed(const State& state, absl::Time now);

  const v1::DownloadModelRequest& request_;
  const absl::StatusOr<UserPeer> user_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_MODEL_DOWNLOAD_H_
