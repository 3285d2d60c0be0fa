// A model with everything that an outsider needs to verify it.
#ifndef CARNET_CLI_COMMANDS_JOB_EXPORT_H_
#define CARNET_CLI_COMMANDS_JOB_EXPORT_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "cli/client.h"
#include "cli/commands.h"

namespace carnet::cli {

struct ExportOptions {
  std::string job_id;
  std::uint32_t round = 0;  // 0: the newest
  std::filesystem::path out;
  bool compact = false;  // contributions by index and leaf hash, not by statement
};

// Writes model.safetensors, model.carnet, trust.policy and trusted-root.json into options.out, each
// whole or not at all, the model last; only after the manifest verified for exactly this model file
// under this person's log key. Errors: those of the calls and of base/files.h; UNAUTHENTICATED the
// manifest does not verify; DATA_LOSS the log contradicts itself.
absl::StatusOr<int> ExportJob(Client& client, CommandContext& context,
                              const ExportOptions& options);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_JOB_EXPORT_H_
