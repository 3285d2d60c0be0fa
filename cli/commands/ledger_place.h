// Where the commands on a log take it from.
#ifndef CARNET_CLI_COMMANDS_LEDGER_PLACE_H_
#define CARNET_CLI_COMMANDS_LEDGER_PLACE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cli/commands.h"
#include "ledger/verifier/trust_policy.h"
#include "ledger/verifier/whole_log.h"

namespace carnet::cli {

struct SourceOptions {
  std::string state;  // a coordinator's state folder
  std::string log;    // or an exported folder
  std::string trust;  // needed with `log`
};

// Adds --state, --log and --trust.
void AddSourceOptions(CLI::App& command, SourceOptions& options);

struct OpenedSource {
  std::unique_ptr<ledger::verifier::LogSource> log;
  ledger::verifier::TrustPolicy policy;
};
// Errors: INVALID_ARGUMENT not exactly one of the two, or an exported folder without a trust
// policy; those of the files.
absl::StatusOr<OpenedSource> OpenSource(const SourceOptions& options);

absl::StatusOr<ledger::verifier::TrustPolicy> ReadTrustPolicy(const std::string& path);
// What a state folder says of itself.
absl::StatusOr<ledger::verifier::TrustPolicy> OwnTrustPolicy(const std::string& state);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_LEDGER_PLACE_H_
