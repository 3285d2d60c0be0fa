// What the commands of the registry of facts share: fragments of federation.yaml, and the entries
// on record.
#ifndef CARNET_CLI_REGISTRY_H_
#define CARNET_CLI_REGISTRY_H_

#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "carnet/v1/config.pb.h"
#include "cli/client.h"
#include "cli/commands.h"

namespace carnet::cli {

// Errors of Client::Call.
absl::StatusOr<v1::ListRegistryResponse> FetchRegistry(Client& client);

// A file with a part of federation.yaml: `suppliers`, `regions`, `datasets`. Errors: those of
// base/config_loader.h, with file, line and column.
absl::StatusOr<v1::FederationConfig> LoadFragment(const std::string& path);

// Whether the entry must be new (add), must be known (update), or either (register).
enum class Expected { kNew, kKnown, kEither };
absl::Status CheckExpected(Expected expected, bool known, const std::string& entry);

// Prints "registered <noun> <name> (record n)" after checking the receipt.
absl::Status PrintRegistered(Client& client, const std::string& noun, const std::string& name,
                             const v1::RegisterResponse& response, CommandContext& context);

// --state, as every command of a person has it.
void AddStateOption(CLI::App* command, std::string* state);

}  // namespace carnet::cli

#endif  // CARNET_CLI_REGISTRY_H_
