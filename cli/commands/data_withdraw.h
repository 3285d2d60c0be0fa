// `carnet data withdraw`.
#ifndef CARNET_CLI_COMMANDS_DATA_WITHDRAW_H_
#define CARNET_CLI_COMMANDS_DATA_WITHDRAW_H_

#include "cli/commands.h"

namespace carnet::cli {

void AddDataWithdraw(CLI::App& noun, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_DATA_WITHDRAW_H_
