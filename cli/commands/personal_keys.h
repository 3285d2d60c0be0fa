// The keys that a person makes on his own machine, and that never leave it.
#ifndef CARNET_CLI_COMMANDS_PERSONAL_KEYS_H_
#define CARNET_CLI_COMMANDS_PERSONAL_KEYS_H_

#include <filesystem>

#include "absl/status/statusor.h"
#include "base/rng.h"
#include "crypto/ed25519.h"
#include "crypto/p256.h"
#include "crypto/x25519.h"

namespace carnet::cli {

struct PersonalKeys {
  crypto::P256Key tls;
  crypto::Ed25519KeyPair statement;
  crypto::X25519KeyPair wrapping;
};

// Those that lie in `folder`, which is made; what is missing there is made too, so that a call that
// was cut off goes on. Errors: those of crypto/key_files.h.
absl::StatusOr<PersonalKeys> MakePersonalKeys(const std::filesystem::path& folder, Rng& rng);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_PERSONAL_KEYS_H_
