#include "cli/commands/approve.h"

#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/output.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/core/people.h"
#include "crypto/hash.h"
#include "policies/exceptions.h"

namespace carnet::cli {
namespace {

// The roles whose holders a refusal of the job asks for.
absl::StatusOr<std::set<std::string>> RolesAskedBy(Client& client, const std::string& job_id) {
  v1::ListRefusalsRequest request;
  request.set_job_id(job_id);
  CARNET_ASSIGN_OR_RETURN(const v1::ListRefusalsResponse response,
                          client.Call(client.admin(), &v1::Admin::Stub::ListRefusals, request));
  std::set<std::string> roles;
  for (const v1::RefusalEntry& refusal : response.refusals()) {
    for (const v1::Decision& decision : refusal.decisions()) {
      for (const v1::Failure& failure : decision.failures()) {
        roles.insert(failure.approval_from().begin(), failure.approval_from().end());
      }
    }
  }
  return roles;
}

void PrintJob(std::ostream& out, const v1::JobSubmitted& submitted) {
  const v1::JobSpec& spec = submitted.spec();
  out << "  \"" << spec.job() << "\" of " << submitted.submitter() << ", for " << spec.purpose()
      << "\n  " << spec.rounds().count() << " rounds of trainer " << spec.trainer().name() << " on "
      << absl::StrJoin(spec.data(), " ") << ", from model "
      << ShortDigest(AsBytes(submitted.model_sha256())) << '\n';
}

// One approval in each role; a line for each.
absl::StatusOr<int> SendAll(Client& client, CommandContext& context, ApprovalOrder order,
                            const std::set<std::string>& roles, const char* key,
                            const std::string& name) {
  for (const std::string& role : roles) {
    order.role = role;
    CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, SendApproval(client, order));
    if (context.json) {
      *context.out << nlohmann::json{{key, name},
                                     {"subject", HexEncode(order.subject)},
                                     {"role", role},
                                     {"index", index}}
                          .dump()
                   << '\n';
    } else {
      *context.out << "approved " << name << " as " << role << " (record " << index << ")\n";
    }
  }
  return kGood;
}

}  // namespace

absl::StatusOr<v1::JobSubmitted> FetchSubmission(Client& client, const std::string& job_id) {
  v1::WatchJobRequest request;
  request.set_job_id(job_id);
  grpc::ClientContext call;
  Client::SetDeadline(call, kCallMax);
  const auto stream = client.jobs().WatchJob(&call, request);
  v1::JobEvent event;
  if (!stream->Read(&event)) {
    const absl::Status status = client.ToStatus(stream->Finish());
    return status.ok() ? absl::NotFoundError("no such job") : status;
  }
  call.TryCancel();
  static_cast<void>(stream->Finish());
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json statement, ParseJson(event.statement()));
  v1::JobSubmitted submitted;
  if (event.type() != "job-submitted" || !statement.contains("predicate")) {
    return absl::UnauthenticatedError("the job's first record is not its submission");
  }
  CARNET_RETURN_IF_ERROR(JsonToMessage(statement["predicate"].dump(), &submitted));
  return submitted;
}

void AddApprovalOptions(CLI::App& command, ApprovalOptions& options) {
  command.add_option("--role", options.roles, "In which role; default: each that is asked for");
  command.add_option("--days", options.days, "After how many days your approval ends")
      ->check(CLI::Range(1, kApprovalDaysMax))
      ->capture_default_str();
}

absl::StatusOr<std::set<std::string>> RolesToSignIn(Client& client, const ApprovalOptions& options,
                                                    const std::set<std::string>& asked,
                                                    const char* who_asks) {
  if (!options.roles.empty()) {
    return std::set<std::string>(options.roles.begin(), options.roles.end());
  }
  CARNET_ASSIGN_OR_RETURN(
      const v1::ListUsersResponse users,
      client.Call(client.governance(), &v1::Governance::Stub::ListUsers, v1::ListUsersRequest()));
  std::set<std::string> roles;
  for (const v1::UserStatus& user : users.users()) {
    for (const std::string& role : user.roles()) {
      if (user.user_id() == client.identity().facts.user_id() && asked.count(role) != 0) {
        roles.insert(role);
      }
    }
  }
  if (roles.empty()) {
    return WithRemedy(
        absl::PermissionDeniedError(absl::StrCat("you hold no role that ", who_asks, " ask for")),
        absl::StrCat("they ask for: ", absl::StrJoin(asked, ", ")));
  }
  return roles;
}

absl::StatusOr<std::uint64_t> SendApproval(Client& client, const ApprovalOrder& order) {
  v1::SignedRequest request;
  CARNET_ASSIGN_OR_RETURN(*request.mutable_record(), SignApproval(client, order));
  CARNET_ASSIGN_OR_RETURN(
      const v1::GovernanceReceipt response,
      client.Call(client.governance(), &v1::Governance::Stub::Approve, request));
  return client.VerifyReceipt(request.record(), response.receipt());
}

absl::StatusOr<int> ApproveJob(Client& client, CommandContext& context, const std::string& job_id,
                               const ApprovalOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const v1::JobSubmitted submitted, FetchSubmission(client, job_id));
  CARNET_ASSIGN_OR_RETURN(const Digest subject, coordinator::JobSpecDigest(submitted.spec()));
  if (AsText(subject) != submitted.spec_sha256()) {
    return absl::UnauthenticatedError("the job is not what its digest says");
  }
  CARNET_ASSIGN_OR_RETURN(const std::set<std::string> asked, RolesAskedBy(client, job_id));
  if (asked.empty() && options.roles.empty()) {
    return WithRemedy(
        absl::FailedPreconditionError(absl::StrCat(job_id, ": nothing waits for an approval")),
        "to approve it beforehand, name the role: --role ROLE");
  }
  CARNET_ASSIGN_OR_RETURN(const std::set<std::string> roles,
                          RolesToSignIn(client, options, asked, "the rules that hold the job"));
  CARNET_ASSIGN_OR_RETURN(const int code, SendAll(client, context,
                                                  {.kind = coordinator::kApprovalOfJob,
                                                   .subject = subject,
                                                   .report_sha256 = {},
                                                   .role = {},
                                                   .life = absl::Hours(24) * options.days},
                                                  roles, "job_id", job_id));
  if (!context.json) {
    PrintJob(*context.out, submitted);
  }
  return code;
}

absl::StatusOr<int> ApproveException(Client& client, CommandContext& context,
                                     const policies::Bundle& bundle, const std::string& name,
                                     const ApprovalOptions& options) {
  const auto exception = policies::FindException(bundle, name);
  if (!exception.has_value()) {
    return WithRemedy(
        absl::NotFoundError(absl::StrCat("policy: no exception ", name, " asks for approvals")),
        absl::StrCat("those that do: ",
                     bundle.ExceptionsWithApprovals().empty()
                         ? "none"
                         : absl::StrJoin(bundle.ExceptionsWithApprovals(), ", ")));
  }
  CARNET_ASSIGN_OR_RETURN(const std::string terms, policies::ExceptionTerms(bundle, name));
  CARNET_ASSIGN_OR_RETURN(
      const std::set<std::string> roles,
      RolesToSignIn(client, options, {exception->from.begin(), exception->from.end()},
                    "its approvals"));
  CARNET_ASSIGN_OR_RETURN(const int code, SendAll(client, context,
                                                  {.kind = coordinator::kApprovalOfException,
                                                   .subject = exception->subject,
                                                   .report_sha256 = {},
                                                   .role = {},
                                                   .life = absl::Hours(24) * options.days},
                                                  roles, "exception", name));
  if (!context.json) {
    *context.out << "  " << terms << '\n';
  }
  return code;
}

}  // namespace carnet::cli
