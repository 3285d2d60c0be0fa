// From a job file to a record in the ledger.
#ifndef CARNET_CLI_COMMANDS_JOB_SUBMIT_H_
#define CARNET_CLI_COMMANDS_JOB_SUBMIT_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "carnet/v1/config.pb.h"
#include "cli/client.h"
#include "cli/commands.h"

namespace carnet::cli {

struct JobFile {
  v1::JobSpec spec;  // with its defaults, valid
  std::filesystem::path model;
  std::uint64_t model_bytes = 0;
};

// Reads and checks a job file; model.sha256 is computed where it is absent and checked where it is
// given. Errors: those of LoadYamlFile, ValidateJob and of the model file.
absl::StatusOr<JobFile> LoadJobFile(const std::filesystem::path& file);

struct Submitted {
  std::string job_id;
  std::uint64_t index = 0;  // of job-submitted, as the verified receipt says
};

// Uploads the model, signs job-submitted with the user's key, submits it, and checks the receipt
// before it says so.
absl::StatusOr<Submitted> SubmitJobFile(Client& client, CommandContext& context,
                                        const JobFile& file);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_JOB_SUBMIT_H_
