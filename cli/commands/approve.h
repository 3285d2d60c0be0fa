// Signed approvals: what `carnet job approve` and `carnet policy approve` share.
#ifndef CARNET_CLI_COMMANDS_APPROVE_H_
#define CARNET_CLI_COMMANDS_APPROVE_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/signing.h"
#include "policies/bundle.h"

namespace carnet::cli {

inline constexpr int kApprovalDays = 30;
inline constexpr int kApprovalDaysMax = 180;

// How an approval is to be given.
struct ApprovalOptions {
  std::vector<std::string> roles;  // empty: each that is asked for and that this person holds
  int days = kApprovalDays;        // until it ends
};
// Adds --role and --days.
void AddApprovalOptions(CLI::App& command, ApprovalOptions& options);

// The roles to sign in. `asked` in a sentence: "the changed policies". Error PERMISSION_DENIED:
// this person holds none of them.
absl::StatusOr<std::set<std::string>> RolesToSignIn(Client& client, const ApprovalOptions& options,
                                                    const std::set<std::string>& asked,
                                                    const char* who_asks);

// Signs an approval and puts it on record; returns its index. Errors: those of Governance.Approve.
absl::StatusOr<std::uint64_t> SendApproval(Client& client, const ApprovalOrder& order);

// The job as its submitter signed it: its first record. What is approved is the digest of these
// words, made here, so nothing else can be slipped under the signature. Error NOT_FOUND: no such
// job.
absl::StatusOr<v1::JobSubmitted> FetchSubmission(Client& client, const std::string& job_id);

// Shows the job's signed words and approves their digest, in each role that a refusal of it on
// record asks for. Errors besides those above: NOT_FOUND no such job; FAILED_PRECONDITION nothing
// on record waits for anybody, and no role is named.
absl::StatusOr<int> ApproveJob(Client& client, CommandContext& context, const std::string& job_id,
                               const ApprovalOptions& options);

// The same for the exception `name` (<policy>/<exception>) of `bundle`. Error NOT_FOUND: it has no
// such exception, or one that asks for nobody.
absl::StatusOr<int> ApproveException(Client& client, CommandContext& context,
                                     const policies::Bundle& bundle, const std::string& name,
                                     const ApprovalOptions& options);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_APPROVE_H_
