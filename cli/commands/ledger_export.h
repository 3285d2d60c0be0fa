// `carnet ledger export`.
#ifndef CARNET_CLI_COMMANDS_LEDGER_EXPORT_H_
#define CARNET_CLI_COMMANDS_LEDGER_EXPORT_H_

#include "cli/commands.h"

namespace carnet::cli {

// Adds the command to the noun `ledger`.
void AddLedgerExport(CLI::App& noun, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_LEDGER_EXPORT_H_
