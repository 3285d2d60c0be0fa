// context.yaml: which coordinator a person talks to, and as whom.
#ifndef CARNET_CLI_CLIENT_CONTEXT_H_
#define CARNET_CLI_CLIENT_CONTEXT_H_

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "carnet/v1/config.pb.h"

namespace carnet::cli {

inline constexpr char kContextVariable[] = "CARNET_CONTEXT";

// With absolute paths.
struct ClientIdentity {
  std::filesystem::path file;  // the context.yaml itself
  v1::ClientContext facts;
  std::filesystem::path ca_file;
  std::filesystem::path certificate_file;
  std::filesystem::path tls_key_dir;
  std::filesystem::path key_dir;
};

// Where the context is: <state>/operator/context.yaml, or else `variable` (the value of
// CARNET_CONTEXT; null: not set). Error INVALID_ARGUMENT: neither is given.
absl::StatusOr<std::filesystem::path> FindContext(const std::string& state_dir,
                                                  const char* variable);

// Errors: those of LoadYamlFile, and INVALID_ARGUMENT naming the field that is missing or wrong.
absl::StatusOr<ClientIdentity> LoadContext(const std::filesystem::path& file);

}  // namespace carnet::cli

#endif  // CARNET_CLI_CLIENT_CONTEXT_H_
