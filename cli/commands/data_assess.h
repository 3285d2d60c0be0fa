// `carnet data assess|assessments`.
#ifndef CARNET_CLI_COMMANDS_DATA_ASSESS_H_
#define CARNET_CLI_COMMANDS_DATA_ASSESS_H_

#include "cli/commands.h"

namespace carnet::cli {

void AddDataAssess(CLI::App& noun, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_DATA_ASSESS_H_
