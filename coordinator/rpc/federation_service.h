// carnet.v1.Federation: what workers call. Thin: authenticate, check limits, hand over, map the
// status.
#ifndef CARNET_COORDINATOR_RPC_FEDERATION_SERVICE_H_
#define CARNET_COORDINATOR_RPC_FEDERATION_SERVICE_H_

#include "carnet/v1/federation.grpc.pb.h"
#include "coordinator/rpc/instance_gate.h"
#include "coordinator/rpc/policy_trail.h"
#include "coordinator/rpc/services.h"
#include "coordinator/rpc/transfers.h"
#include "coordinator/rpc/uploads.h"

namespace carnet::coordinator {

class FederationService final : public v1::Federation::CallbackService {
 public:
  // All outlive the service.
  FederationService(const Services& services, Uploads& uploads, Transfers& transfers,
                    InstanceGate& instances)
      : services_(services), uploads_(uploads), transfers_(transfers), instances_(instances) {}

  grpc::ServerUnaryReactor* NextTask(grpc::CallbackServerContext* context,
                                     const v1::NextTaskRequest* request,
                                     v1::NextTaskResponse* response) override;
  grpc::ServerWriteReactor<v1::DownloadChunk>* Download(
      grpc::CallbackServerContext* context, const v1::DownloadRequest* request) override;
  grpc::ServerBidiReactor<v1::UploadRequest, v1::UploadResponse>* Upload(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* SubmitContribution(grpc::CallbackServerContext* context,
                                               const v1::SubmitRecordRequest* request,
                                               v1::SubmitRecordResponse* response) override;
  grpc::ServerUnaryReactor* SubmitEvaluation(grpc::CallbackServerContext* context,
                                             const v1::SubmitRecordRequest* request,
                                             v1::SubmitRecordResponse* response) override;
  grpc::ServerUnaryReactor* ConfirmStaged(grpc::CallbackServerContext* context,
                                          const v1::ConfirmStagedRequest* request,
                                          v1::ConfirmStagedResponse* response) override;
  grpc::ServerUnaryReactor* FailTask(grpc::CallbackServerContext* context,
                                     const v1::FailTaskRequest* request,
                                     v1::FailTaskResponse* response) override;
  grpc::ServerUnaryReactor* GetConsistency(grpc::CallbackServerContext* context,
                                           const v1::GetConsistencyRequest* request,
                                           v1::GetConsistencyResponse* response) override;

 private:
  void Poll(const WorkerPeer& worker, LiveUse use, const v1::NextTaskRequest& request,
            v1::NextTaskResponse* response, grpc::ServerUnaryReactor* reactor);
  void Verify(const WorkerPeer& worker, const v1::SubmitRecordRequest& request,
              v1::SubmitRecordResponse* response, grpc::ServerUnaryReactor* reactor);

  const Services& services_;
  Uploads& uploads_;
  Transfers& transfers_;
  InstanceGate& instances_;
  PolicyTrail trail_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_FEDERATION_SERVICE_H_
