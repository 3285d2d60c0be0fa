// Following a job to its end.
#ifndef CARNET_CLI_COMMANDS_JOB_WATCH_H_
#define CARNET_CLI_COMMANDS_JOB_WATCH_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/client.h"
#include "cli/commands.h"

namespace carnet::cli {

// A coordinator that goes away meanwhile is waited for so long.
inline constexpr absl::Duration kWatchAwayMax = absl::Minutes(10);

// Shows the job from its first record until it ends: kGood completed, kRefused stopped. On a
// terminal each round is one moving line; elsewhere each event is a line; with --json an object.
absl::StatusOr<int> WatchJob(Client& client, CommandContext& context, const std::string& job_id);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_JOB_WATCH_H_
