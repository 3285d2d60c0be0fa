// Records that a person signs on his own machine.
#ifndef CARNET_CLI_SIGNING_H_
#define CARNET_CLI_SIGNING_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "carnet/v1/records.pb.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "google/protobuf/message.h"

namespace carnet::cli {

// Nonce, time and request id, fresh.
void FillCommon(Client& client, v1::Common* common);

// Signs with the user's key. Errors: those of Client::StatementKey and ledger::MakeStatement.
absl::StatusOr<v1::SignedRecord> SignAsUser(const Client& client,
                                            const google::protobuf::Message& record);

// The roles that the coordinator has of this person. Errors: those of Client::Call.
absl::StatusOr<std::set<std::string>> OwnRoles(Client& client);

// Signs what `record` states with this person's key, in the first of `roles` that he holds;
// `stated` is the record's own field. The record is whole but for what the coordinator adds
// (ledger/person_statement.h). Error PERMISSION_DENIED: he holds none of them.
absl::Status SignStatement(Client& client, const std::set<std::string>& roles,
                           google::protobuf::Message* record, v1::PersonStatement* stated);

// Whether the person said in advance that he signs what is shown.
struct Consent {
  bool yes = false;
  // Something in the record was named by nobody here: it is as the coordinator lists it.
  bool taken = false;
};
// Shows what is about to be signed on standard error. Where something of it was taken from the
// coordinator's list, a person at a terminal is asked, and a script says `yes` in advance: else a
// coordinator could have anything signed. Errors: FAILED_PRECONDITION nobody said yes; those of
// MessageToJson.
absl::Status ShowBeforeSigning(CommandContext& context, const google::protobuf::Message& record,
                               const Consent& consent);

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
