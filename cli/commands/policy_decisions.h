// `carnet policy decisions`: every decision on record, one a line; for Open Policy Agent's readers
// in the form of its decision log.
#ifndef CARNET_CLI_COMMANDS_POLICY_DECISIONS_H_
#define CARNET_CLI_COMMANDS_POLICY_DECISIONS_H_

#include "cli/commands.h"

namespace carnet::cli {

void AddPolicyDecisions(CLI::App& app, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_POLICY_DECISIONS_H_
