// `carnet ledger export`.
#ifndef CARNET_CLI_COMMANDS_LEDGER_EXPORT_H_
#define CARNET_CLI_COMMANDS_LEDGER_EXPORT_H_

#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "carnet/v1/ledger.pb.h"
#include "cli/commands.h"
#include "ledger/head.h"
#include "ledger/note.h"

namespace carnet::cli {

// `record-000012.sigstore.json` in `directory`, and its entry in `list`, which becomes
// bundles.json.
absl::Status WriteBundle(const v1::ProvenRecord& record, const ledger::SignedHead& head,
                         const ledger::NoteKey& log, const std::filesystem::path& directory,
                         nlohmann::json& list);
// `list` as bundles.json.
absl::Status WriteBundleList(const nlohmann::json& list, const std::filesystem::path& directory);

// Adds the command to the noun `ledger`.
void AddLedgerExport(CLI::App& noun, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_LEDGER_EXPORT_H_
