// `carnet policy impact` of policies that nobody proposed yet.
#ifndef CARNET_CLI_COMMANDS_POLICY_IMPACT_H_
#define CARNET_CLI_COMMANDS_POLICY_IMPACT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/commands.h"

namespace carnet::cli {

// Whether `name` is a folder or a file here, and not the beginning of a digest.
bool IsDraft(const std::string& name);

struct DraftOrder {
  std::string path;  // a folder of policies, or the JSON of a bundle
  absl::Time valid_from;
  absl::Duration life;  // at most 90 days
};
// The report that `carnet policy propose` would put on record, of a draft: from the coordinator,
// which records nothing. Prints it; the exit code (kRefused: tests fail). Errors: those of
// Governance.PreviewPolicy and of the loader; UNAUTHENTICATED it is of something else.
absl::StatusOr<int> PreviewDraft(Client& client, const DraftOrder& order, CommandContext& context);

struct DraftPaths {
  std::string after;
  std::string before;
};
// The same of two bundles here, without a server: tests and sweep, and no flows. Seconds.
absl::StatusOr<int> CompareDrafts(const DraftPaths& paths, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_POLICY_IMPACT_H_
