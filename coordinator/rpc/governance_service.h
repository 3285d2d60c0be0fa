// carnet.v1.Governance: people, roles, approvals and the life of a bundle. Thin: who asks, limits,
// hand over, map the status. Roles are checked by Decide.
#ifndef CARNET_COORDINATOR_RPC_GOVERNANCE_SERVICE_H_
#define CARNET_COORDINATOR_RPC_GOVERNANCE_SERVICE_H_

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "carnet/v1/governance.grpc.pb.h"
#include "coordinator/core/impact.h"
#include "coordinator/core/policy_life.h"
#include "coordinator/rpc/admin_service.h"
#include "coordinator/rpc/services.h"

namespace carnet::coordinator {

class GovernanceService final : public v1::Governance::CallbackService {
 public:
  // `services` outlives the service.
  GovernanceService(const Services& services, JoinFacts facts)
      : services_(services), facts_(std::move(facts)) {}

  grpc::ServerUnaryReactor* InviteUser(grpc::CallbackServerContext* context,
                                       const v1::InviteUserRequest* request,
                                       v1::InviteUserResponse* response) override;
  grpc::ServerUnaryReactor* GrantRole(grpc::CallbackServerContext* context,
                                      const v1::GrantRoleRequest* request,
                                      v1::GovernanceReceipt* response) override;
  grpc::ServerUnaryReactor* RevokeRole(grpc::CallbackServerContext* context,
                                       const v1::RevokeRoleRequest* request,
                                       v1::GovernanceReceipt* response) override;
  grpc::ServerUnaryReactor* RevokeUser(grpc::CallbackServerContext* context,
                                       const v1::RevokeUserRequest* request,
                                       v1::GovernanceReceipt* response) override;
  grpc::ServerUnaryReactor* ListUsers(grpc::CallbackServerContext* context,
                                      const v1::ListUsersRequest* request,
                                      v1::ListUsersResponse* response) override;
  grpc::ServerUnaryReactor* ProposePolicy(grpc::CallbackServerContext* context,
                                          const v1::SignedRequest* request,
                                          v1::GovernanceReceipt* response) override;
  grpc::ServerUnaryReactor* PreviewPolicy(grpc::CallbackServerContext* context,
                                          const v1::PreviewPolicyRequest* request,
                                          v1::PreviewPolicyResponse* response) override;
  grpc::ServerUnaryReactor* Approve(grpc::CallbackServerContext* context,
                                    const v1::SignedRequest* request,
                                    v1::GovernanceReceipt* response) override;
  grpc::ServerUnaryReactor* AssessModel(grpc::CallbackServerContext* context,
                                        const v1::SignedRequest* request,
                                        v1::GovernanceReceipt* response) override;
  grpc::ServerUnaryReactor* ActivatePolicy(grpc::CallbackServerContext* context,
                                           const v1::BundleRequest* request,
                                           v1::GovernanceReceipt* response) override;
  grpc::ServerUnaryReactor* WithdrawPolicy(grpc::CallbackServerContext* context,
                                           const v1::BundleRequest* request,
                                           v1::GovernanceReceipt* response) override;
  grpc::ServerUnaryReactor* GetPolicyStatus(grpc::CallbackServerContext* context,
                                            const v1::GetPolicyStatusRequest* request,
                                            v1::GetPolicyStatusResponse* response) override;
  grpc::ServerUnaryReactor* GetPolicyHistory(grpc::CallbackServerContext* context,
                                             const v1::GetPolicyHistoryRequest* request,
                                             v1::GetPolicyHistoryResponse* response) override;
  grpc::ServerUnaryReactor* GetBundle(grpc::CallbackServerContext* context,
                                      const v1::GetBundleRequest* request,
                                      v1::GetBundleResponse* response) override;

 private:
  using ReadState = absl::AnyInvocable<absl::Status(const State& state, absl::Time now)>;

  // For every enrolled user.
  grpc::ServerUnaryReactor* Read(grpc::CallbackServerContext* context, ReadState read);
  // A person's one proposal under way; it ends with the last copy.
  using Turn = std::shared_ptr<void>;
  // Error RESOURCE_EXHAUSTED: another one of this person is.
  absl::StatusOr<Turn> TakeTurn(const std::string& user_id) const;
  // Runs `work`, which finishes the reactor, on the storage executor in the caller's turn; where
  // the caller is nobody or has a turn, or the executor is full, the call ends with that error.
  using WorkInTurn =
      std::function<void(const std::string& user_id, Turn turn, grpc::ServerUnaryReactor* reactor)>;
  grpc::ServerUnaryReactor* InTurn(grpc::CallbackServerContext* context, WorkInTurn work);
  // Whether it would be refused is found out first; then it is examined, one at a time of all
  // persons, and decided.
  void Propose(grpc::CallbackServerContext* context, coordinator::ProposePolicy command, Turn turn,
               grpc::ServerUnaryReactor* reactor, v1::GovernanceReceipt* response);
  // Its tests and its impact; on the executor for examinations.
  absl::Status Examine(coordinator::ProposePolicy* command,
                       const grpc::CallbackServerContext& context);
  // The report on `after` and the state as it is behind the sweep, whose copy the calling thread
  // takes in turn: what is on record while it is made is little, so that an audit finds the same
  // state. Errors: those of ImpactReport; FAILED_PRECONDITION another bundle came into force;
  // CANCELLED whoever asked has gone, which is looked at between its steps.
  absl::StatusOr<std::string> Report(std::shared_ptr<const policies::Bundle> after,
                                     const policies::TestReport& tests, ReportKind kind,
                                     const grpc::CallbackServerContext& context);
  // The same of a draft, once it is known that he may write what it changes.
  absl::StatusOr<std::string> ReportOnDraft(const DraftBasis& basis,
                                            std::shared_ptr<const policies::Bundle> draft,
                                            const grpc::CallbackServerContext& context);
  // Whether he may ask is found out first; then it is made as for a proposal.
  void Preview(grpc::CallbackServerContext* context, const std::string& user_id,
               std::shared_ptr<const policies::Bundle> draft, Turn turn,
               grpc::ServerUnaryReactor* reactor, v1::PreviewPolicyResponse* response);
  absl::Status FillToken(std::uint64_t index, const crypto::SecretBytes& secret,
                         v1::InviteUserResponse* response) const;

  const Services& services_;
  const JoinFacts facts_;
  // Whose proposals are under way. What an engine that stopped still holds may outlive the service.
  struct Turns {
    Mutex mutex;
    std::set<std::string> users CARNET_GUARDED_BY(mutex);
  };
  const std::shared_ptr<Turns> turns_ = std::make_shared<Turns>();
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_GOVERNANCE_SERVICE_H_
