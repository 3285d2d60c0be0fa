// `carnet user keygen`: the keys of somebody whom federation.yaml names, before there is a
// federation.
#ifndef CARNET_CLI_COMMANDS_USER_KEYGEN_H_
#define CARNET_CLI_COMMANDS_USER_KEYGEN_H_

#include "cli/commands.h"

namespace carnet::cli {

void RegisterUserKeygen(CLI::App& user, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_USER_KEYGEN_H_
