// Where `carnet ledger verify` reads a log from: a folder, or a server.
#ifndef CARNET_CLI_COMMANDS_LEDGER_SOURCE_H_
#define CARNET_CLI_COMMANDS_LEDGER_SOURCE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "ledger/verifier/whole_log.h"

namespace carnet::cli {

struct LogSourceOptions {
  std::string place;  // a folder, or a URL
  std::string ca;     // for https: PEM file of the CA that the server's certificate comes from
  std::string server_name;  // that the certificate carries, where it is not the URL's host
  std::string state;        // reads as this state folder's operator
};

// For https without `ca`, the reader is the person of `state` or of CARNET_CONTEXT: CA, server name
// and certificate are those of the context. Nothing is sent yet. Errors: INVALID_ARGUMENT no such
// URL, options that belong to URLs with a folder, or https without a CA; those of the files.
absl::StatusOr<std::unique_ptr<ledger::verifier::LogSource>> OpenLogSource(
    const LogSourceOptions& options);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_LEDGER_SOURCE_H_
