// Records that a person signs on his own machine.
#ifndef CARNET_CLI_SIGNING_H_
#define CARNET_CLI_SIGNING_H_

#include "absl/status/statusor.h"
#include "carnet/v1/records.pb.h"
#include "cli/client.h"
#include "google/protobuf/message.h"

namespace carnet::cli {

// Nonce, time and request id, fresh.
void FillCommon(Client& client, v1::Common* common);

// Signs with the user's key. Errors: those of Client::StatementKey and ledger::MakeStatement.
absl::StatusOr<v1::SignedRecord> SignAsUser(const Client& client,
                                            const google::protobuf::Message& record);

// What an approval is about (records.proto, Approval).
struct ApprovalOrder {
  std::string kind;
  Digest subject{};
  Bytes report_sha256;  // empty: none
  std::string role;
  absl::Duration life = absl::Hours(24 * 30);
};
absl::StatusOr<v1::SignedRecord> SignApproval(Client& client, const ApprovalOrder& order);

}  // namespace carnet::cli

#endif  // CARNET_CLI_SIGNING_H_
