#include "cli/signing.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "ledger/person_statement.h"
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

absl::StatusOr<std::set<std::string>> OwnRoles(Client& client) {
  CARNET_ASSIGN_OR_RETURN(
      const v1::ListUsersResponse users,
      client.Call(client.governance(), &v1::Governance::Stub::ListUsers, v1::ListUsersRequest()));
  std::set<std::string> roles;
  for (const v1::UserStatus& user : users.users()) {
    if (user.user_id() == client.identity().facts.user_id()) {
      roles.insert(user.roles().begin(), user.roles().end());
    }
  }
  return roles;
}

absl::Status ShowBeforeSigning(CommandContext& context, const google::protobuf::Message& record,
                               const Consent& consent) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, MessageToJson(record));
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json shown, ParseJson(text));
  *context.err << "you sign: " << shown.dump() << '\n';
  if (!consent.taken || consent.yes) {
    return absl::OkStatus();
  }
  if (!context.in_is_terminal) {
    return WithRemedy(absl::FailedPreconditionError(
                          "nothing was signed: part of it is as the coordinator lists it, and not "
                          "named here"),
                      "look at what is shown, then name the rest too, or say --yes");
  }
  *context.err << "what you did not name is as the coordinator lists it; sign? [no] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "yes" || answer == "y"
             ? absl::OkStatus()
             : absl::FailedPreconditionError("nothing was signed: nobody said yes");
}

absl::Status SignStatement(Client& client, const std::set<std::string>& roles,
                           google::protobuf::Message* record, v1::PersonStatement* stated) {
  CARNET_ASSIGN_OR_RETURN(const std::set<std::string> own, OwnRoles(client));
  const auto role = std::find_if(roles.begin(), roles.end(),
                                 [&](const std::string& each) { return own.count(each) != 0; });
  if (role == roles.end()) {
    return WithRemedy(absl::PermissionDeniedError(absl::StrCat("this needs one of the roles: ",
                                                               absl::StrJoin(roles, ", "))),
                      "somebody who holds one of them says it with a key of his own: "
                      "carnet user list");
  }
  CARNET_ASSIGN_OR_RETURN(const crypto::Ed25519KeyPair key, client.StatementKey());
  stated->set_user_id(client.identity().facts.user_id());
  stated->set_role(*role);
  *stated->mutable_at() = ToTimestamp(absl::Now());
  stated->set_nonce(ToString(RandomBytes(client.rng(), ledger::kStatementNonceBytes)));
  return ledger::SignPersonStatement(key, record);
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
