// What the files of `carnet policy …` share. Each Register function adds its commands to the noun.
#ifndef CARNET_CLI_COMMANDS_POLICY_COMMANDS_H_
#define CARNET_CLI_COMMANDS_POLICY_COMMANDS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/commands.h"
#include "policies/bundle.h"
#include "policies/packs.h"

namespace carnet::cli {

// A folder of policies, the JSON of a bundle, or the starter packs where `path` is empty.
absl::StatusOr<std::shared_ptr<const policies::Bundle>> OpenBundle(const std::string& path);

// Writes the pack's files into the folder and their digests into `lock`; groups get `home`, where
// it is not empty. Error ALREADY_EXISTS: a file stands there already, unless `force`.
absl::Status WritePack(const std::string& folder, const policies::Pack& pack,
                       const std::string& home, bool force, policies::PackLock* lock);

// The lock of the folder; empty where it has none.
absl::StatusOr<policies::PackLock> ReadPackLock(const std::string& folder);
// Files of an imported pack that are not what was written: other words, or gone.
std::vector<std::string> EditedFiles(const std::string& folder, const policies::PackPin& pin);
absl::Status WritePackLock(const std::string& folder, const policies::PackLock& lock);

void RegisterPolicyPackCommands(CLI::App& policy, CommandContext& context);
void RegisterPolicyEditCommands(CLI::App& policy, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_POLICY_COMMANDS_H_
