// carnet.v1.Admin: workers, evidence, data and the log, as people manage them. Thin: who asks,
// limits, hand over, map the status. Roles are checked by Decide.
#ifndef CARNET_COORDINATOR_RPC_ADMIN_SERVICE_H_
#define CARNET_COORDINATOR_RPC_ADMIN_SERVICE_H_

#include <string>
#include <vector>

#include "base/bytes.h"
#include "carnet/v1/jobs.grpc.pb.h"
#include "coordinator/rpc/services.h"

namespace carnet::coordinator {

inline constexpr absl::Duration kInvitationLife = absl::Hours(24);
// Refusals in one answer: the newest.
inline constexpr std::size_t kRefusalsListedMax = 1000;

// What every join token says of this federation.
struct JoinFacts {
  std::vector<std::string> addresses;        // gRPC
  std::vector<std::string> https_addresses;  // enrolment
  std::string log_vkey;
  Digest genesis_leaf{};
  std::string trust_domain;
};

class AdminService final : public v1::Admin::CallbackService {
 public:
  // `services` outlives the service.
  AdminService(const Services& services, JoinFacts facts)
      : services_(services), facts_(std::move(facts)) {}

  grpc::ServerUnaryReactor* InviteWorker(grpc::CallbackServerContext* context,
                                         const v1::InviteWorkerRequest* request,
                                         v1::InviteWorkerResponse* response) override;
  grpc::ServerUnaryReactor* RevokeWorker(grpc::CallbackServerContext* context,
                                         const v1::RevokeWorkerRequest* request,
                                         v1::RevokeWorkerResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkers(grpc::CallbackServerContext* context,
                                        const v1::ListWorkersRequest* request,
                                        v1::ListWorkersResponse* response) override;
  grpc::ServerUnaryReactor* AddEvidence(grpc::CallbackServerContext* context,
                                        const v1::AddEvidenceRequest* request,
                                        v1::AddEvidenceResponse* response) override;
  grpc::ServerUnaryReactor* AcceptEvidence(grpc::CallbackServerContext* context,
                                           const v1::AcceptEvidenceRequest* request,
                                           v1::AcceptEvidenceResponse* response) override;
  grpc::ServerUnaryReactor* WithdrawEvidence(grpc::CallbackServerContext* context,
                                             const v1::WithdrawEvidenceRequest* request,
                                             v1::WithdrawEvidenceResponse* response) override;
  grpc::ServerUnaryReactor* StageData(grpc::CallbackServerContext* context,
                                      const v1::StageDataRequest* request,
                                      v1::StageDataResponse* response) override;
  grpc::ServerUnaryReactor* GetStaging(grpc::CallbackServerContext* context,
                                       const v1::GetStagingRequest* request,
                                       v1::GetStagingResponse* response) override;
  // admin_data.cc
  grpc::ServerUnaryReactor* WithdrawShard(grpc::CallbackServerContext* context,
                                          const v1::WithdrawShardRequest* request,
                                          v1::WithdrawShardResponse* response) override;
  grpc::ServerUnaryReactor* AcceptClock(grpc::CallbackServerContext* context,
                                        const v1::AcceptClockRequest* request,
                                        v1::AcceptClockResponse* response) override;
  grpc::ServerUnaryReactor* ListRefusals(grpc::CallbackServerContext* context,
                                         const v1::ListRefusalsRequest* request,
                                         v1::ListRefusalsResponse* response) override;
  grpc::ServerUnaryReactor* GetRecord(grpc::CallbackServerContext* context,
                                      const v1::GetRecordRequest* request,
                                      v1::GetRecordResponse* response) override;
  // admin_policy.cc
  grpc::ServerUnaryReactor* OpenCounter(grpc::CallbackServerContext* context,
                                        const v1::OpenCounterRequest* request,
                                        v1::OpenCounterResponse* response) override;
  grpc::ServerUnaryReactor* ListCounters(grpc::CallbackServerContext* context,
                                         const v1::ListCountersRequest* request,
                                         v1::ListCountersResponse* response) override;
  grpc::ServerUnaryReactor* MeetDuty(grpc::CallbackServerContext* context,
                                     const v1::MeetDutyRequest* request,
                                     v1::MeetDutyResponse* response) override;
  grpc::ServerUnaryReactor* ListDuties(grpc::CallbackServerContext* context,
                                       const v1::ListDutiesRequest* request,
                                       v1::ListDutiesResponse* response) override;
  grpc::ServerUnaryReactor* RotateKey(grpc::CallbackServerContext* context,
                                      const v1::RotateKeyRequest* request,
                                      v1::RotateKeyResponse* response) override;
  grpc::ServerUnaryReactor* Erase(grpc::CallbackServerContext* context,
                                  const v1::EraseRequest* request,
                                  v1::EraseResponse* response) override;
  // admin_registry.cc
  grpc::ServerUnaryReactor* RegisterSupplier(grpc::CallbackServerContext* context,
                                             const v1::RegisterSupplierRequest* request,
                                             v1::RegisterResponse* response) override;
  grpc::ServerUnaryReactor* RegisterRegion(grpc::CallbackServerContext* context,
                                           const v1::RegisterRegionRequest* request,
                                           v1::RegisterResponse* response) override;
  grpc::ServerUnaryReactor* RegisterDataset(grpc::CallbackServerContext* context,
                                            const v1::RegisterDatasetRequest* request,
                                            v1::RegisterResponse* response) override;
  grpc::ServerUnaryReactor* ListRegistry(grpc::CallbackServerContext* context,
                                         const v1::ListRegistryRequest* request,
                                         v1::ListRegistryResponse* response) override;

 private:
  // The record at `index`, if it is a Message. INTERNAL: another type.
  template <typename Message>
  absl::StatusOr<Message> RecordAt(std::uint64_t index) const;
  absl::Status FillStaging(std::uint64_t index, v1::StageDataResponse* response) const;
  absl::Status FillRefusals(std::vector<std::uint64_t> indexes, const std::string& job_id,
                            v1::ListRefusalsResponse* response) const;

  // The caller, if he may call and `request_id` is one; else finishes `reactor`.
  absl::StatusOr<UserPeer> CallerOf(grpc::CallbackServerContext* context,
                                    const std::string& request_id,
                                    grpc::ServerUnaryReactor* reactor) const;

  const Services& services_;
  const JoinFacts facts_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_ADMIN_SERVICE_H_
