// `carnet region contradict` and `carnet region clear`.
#ifndef CARNET_CLI_COMMANDS_REGION_LOCATION_H_
#define CARNET_CLI_COMMANDS_REGION_LOCATION_H_

#include "cli/commands.h"

namespace carnet::cli {

void AddRegionLocation(CLI::App& noun, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_REGION_LOCATION_H_
