// The files that a context names: what a person shows and signs with.
#ifndef CARNET_CLI_CREDENTIALS_H_
#define CARNET_CLI_CREDENTIALS_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/client_context.h"
#include "crypto/ed25519.h"
#include "crypto/secret_bytes.h"

namespace carnet::cli {

struct TlsCredentials {
  std::string ca_pem;           // the authorities that the coordinator's certificate may be of
  std::string certificate_pem;  // the person's own
  crypto::SecretBytes key_pem;  // of that certificate
};

// As they stand there: nothing is parsed. Errors: those of ReadFile and of crypto/key_files.h.
absl::StatusOr<TlsCredentials> ReadTlsCredentials(const ClientIdentity& identity);

// The key that signs the person's records. Errors: those of crypto/key_files.h.
absl::StatusOr<crypto::Ed25519KeyPair> ReadStatementKey(const ClientIdentity& identity);

}  // namespace carnet::cli

#endif  // CARNET_CLI_CREDENTIALS_H_
