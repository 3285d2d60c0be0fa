#include "cli/signing.h"

#include "base/status.h"
#include "base/timestamp.h"
#include "ledger/record.h"

namespace carnet::cli {

void FillCommon(Client& client, v1::Common* common) {
  common->set_nonce(ToString(RandomBytes(client.rng(), ledger::kNonceBytes)));
  *common->mutable_at() = ToTimestamp(absl::Now());
  common->set_request_id(client.NewRequestId());
}

absl::StatusOr<v1::SignedRecord> SignAsUser(const Client& client,
                                            const google::protobuf::Message& record) {
  CARNET_ASSIGN_OR_RETURN(const crypto::Ed25519KeyPair key, client.StatementKey());
  CARNET_ASSIGN_OR_RETURN(std::string statement, ledger::MakeStatement(record));
  return ledger::SignRecord(std::move(statement), key);
}

absl::StatusOr<v1::SignedRecord> SignApproval(Client& client, const ApprovalOrder& order) {
  v1::Approval approval;
  FillCommon(client, approval.mutable_common());
  approval.set_approver(client.identity().facts.user_id());
  approval.set_kind(order.kind);
  approval.set_subject_sha256(ToString(order.subject));
  approval.set_report_sha256(ToString(order.report_sha256));
  approval.set_role(order.role);
  *approval.mutable_expires() = ToTimestamp(absl::Now() + order.life);
  return SignAsUser(client, approval);
}

}  // namespace carnet::cli
