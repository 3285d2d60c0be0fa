// carnet.v1.Jobs: what people ask about training. Thin: who asks, limits, hand over, map the
// status.
#ifndef CARNET_COORDINATOR_RPC_JOBS_SERVICE_H_
#define CARNET_COORDINATOR_RPC_JOBS_SERVICE_H_

#include <atomic>
#include <memory>

#include "carnet/v1/jobs.grpc.pb.h"
#include "coordinator/rpc/jobs_stream.h"
#include "coordinator/rpc/jobs_watch.h"
#include "coordinator/rpc/services.h"
#include "coordinator/rpc/transfers.h"

namespace carnet::coordinator {

class JobsService final : public v1::Jobs::CallbackService {
 public:
  // Both outlive the service. Registers itself with the engine's commits.
  JobsService(const Services& services, Transfers& transfers);

  grpc::ServerUnaryReactor* CheckJob(grpc::CallbackServerContext* context,
                                     const v1::CheckJobRequest* request,
                                     v1::CheckJobResponse* response) override;
  grpc::ServerReadReactor<v1::UploadModelRequest>* UploadModel(
      grpc::CallbackServerContext* context, v1::UploadModelResponse* response) override;
  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* context,
                                      const v1::SubmitJobRequest* request,
                                      v1::SubmitJobResponse* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request,
                                   v1::JobStatus* response) override;
  grpc::ServerWriteReactor<v1::JobEvent>* WatchJob(grpc::CallbackServerContext* context,
                                                   const v1::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* StopJob(grpc::CallbackServerContext* context,
                                    const v1::StopJobRequest* request,
                                    v1::StopJobResponse* response) override;
  grpc::ServerUnaryReactor* GetMetrics(grpc::CallbackServerContext* context,
                                       const v1::GetMetricsRequest* request,
                                       v1::GetMetricsResponse* response) override;
  grpc::ServerUnaryReactor* ReleaseModel(grpc::CallbackServerContext* context,
                                         const v1::ReleaseModelRequest* request,
                                         v1::ReleaseModelResponse* response) override;
  grpc::ServerWriteReactor<v1::ModelChunk>* DownloadModel(
      grpc::CallbackServerContext* context, const v1::DownloadModelRequest* request) override;
  grpc::ServerWriteReactor<v1::ManifestChunk>* GetManifest(
      grpc::CallbackServerContext* context, const v1::GetManifestRequest* request) override;

 private:
  // Runs `read` on the strand for an enrolled user and finishes the call with its status.
  using ReadForUser = absl::AnyInvocable<absl::Status(const State&, const std::string& user_id)>;
  grpc::ServerUnaryReactor* Read(grpc::CallbackServerContext* context, ReadForUser read);
  // Under a live release of what is asked for.
  void SendManifest(const std::string& user_id, const v1::GetManifestRequest& request,
                    BytesStreamReactor<v1::ManifestChunk>* reactor);

  const Services& services_;
  Transfers& transfers_;
  const std::shared_ptr<JobWatchers> watchers_;
  std::atomic<int> model_uploads_ = 0;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_JOBS_SERVICE_H_
