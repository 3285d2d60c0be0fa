// How a person's certificate is renewed, and how his machine follows the federation's certificate
// authority to another one.
#ifndef CARNET_CLI_COMMANDS_USER_RENEW_H_
#define CARNET_CLI_COMMANDS_USER_RENEW_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace carnet::cli {

struct RenewOptions {
  std::filesystem::path context;  // context.yaml
  // HOST:PORT of the coordinator's HTTPS; empty: as the file https-addresses beside the context
  // says, else port 7680 of its gRPC host.
  std::string https;
};
struct RenewedPerson {
  std::string user_id;
  absl::Time until;                           // the new certificate's end
  std::vector<std::string> authority_sha256;  // keys of those that count now, hex, oldest first
};

// Blocks. Asks for a certificate of the same key, checks the answer against the log and the
// authority that the context names, then writes ca_file and after it certificate_file. A crash in
// between leaves a context that works. Errors: those of LoadContext and of the key files;
// UNAUTHENTICATED the coordinator is not known by ca_file, this is no enrolled person, or the
// answer does not hold; PERMISSION_DENIED revoked, or expired for more than 7 days: a new
// invitation is needed; UNAVAILABLE nobody answered: retry.
absl::StatusOr<RenewedPerson> RenewPerson(const RenewOptions& options);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_USER_RENEW_H_
