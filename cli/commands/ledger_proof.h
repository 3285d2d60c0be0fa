// A part of `carnet ledger`: checking one record's proof.
#ifndef CARNET_CLI_COMMANDS_LEDGER_PROOF_H_
#define CARNET_CLI_COMMANDS_LEDGER_PROOF_H_

#include "cli/commands.h"

namespace carnet::cli {

void AddLedgerVerifyProof(CLI::App& noun, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_LEDGER_PROOF_H_
