// What officers are told of a folder of policies beside its mistakes, and its mistakes for
// programs.
#ifndef CARNET_CLI_COMMANDS_POLICY_FINDINGS_H_
#define CARNET_CLI_COMMANDS_POLICY_FINDINGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "cli/commands.h"
#include "policies/bundle.h"

namespace carnet::cli {

// One sentence for each; no line feeds.
struct PolicyFindings {
  std::vector<std::string> unsourced;  // groups without source, as_of, review_by: not proposed
  std::vector<std::string> overdue;    // groups whose review is late
  std::vector<std::string> edited;     // packs that were changed by hand since they were imported
};

// `folder` is where the bundle was read from; no folder, or one without packs.lock: no packs. Error
// INVALID_ARGUMENT: packs.lock is none.
absl::StatusOr<PolicyFindings> FindingsOf(const policies::Bundle& bundle, const std::string& folder,
                                          absl::Time at);

// Each with a line of its own.
void PrintFindings(std::ostream& out, const PolicyFindings& findings);
// {"unsourced_groups", "overdue_groups", "edited_packs"}, each a list of sentences.
nlohmann::json FindingsJson(const PolicyFindings& findings);

// Error FAILED_PRECONDITION, naming them, where groups do not say where they come from.
absl::Status CheckSourced(const PolicyFindings& findings);

// [{"file", "line", "column", "message", "hint"}] of an error: one entry for each line of its
// message, in their order. Without a place in a file `line` and `column` are 0, and `file` is what
// the operator's detail names.
nlohmann::json ErrorsOf(const absl::Status& status);

// With --json an error is printed as {"errors": ErrorsOf}, so that a program that reads stdout
// finds JSON there however the command ends. Returns `result` as it is.
absl::StatusOr<int> WithErrorsAsJson(CommandContext& context, absl::StatusOr<int> result);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_POLICY_FINDINGS_H_
