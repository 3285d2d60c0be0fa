// `carnet ledger search` and `carnet ledger lineage`.
#ifndef CARNET_CLI_COMMANDS_LEDGER_SEARCH_H_
#define CARNET_CLI_COMMANDS_LEDGER_SEARCH_H_

#include "cli/commands.h"

namespace carnet::cli {

// Adds both commands to the noun `ledger`.
void AddLedgerSearch(CLI::App& noun, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_LEDGER_SEARCH_H_
