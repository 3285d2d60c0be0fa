// How a person enrols from his own machine: keys that never leave it, and an identity that is
// checked against the invitation before it is used.
#ifndef CARNET_CLI_COMMANDS_USER_ENROLL_H_
#define CARNET_CLI_COMMANDS_USER_ENROLL_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "crypto/ed25519.h"

namespace carnet::cli {

struct EnrollOptions {
  std::filesystem::path token;
  std::filesystem::path out;  // made; keys/, user.pem, ca.pem and context.yaml go there
};
struct EnrolledPerson {
  std::string user_id;
  crypto::Ed25519PublicKey public_key{};
  std::vector<std::string> roles;  // asked for
};

// Blocks. A call that was cut off goes on with the keys that it made. Errors: INVALID_ARGUMENT the
// token is none, has expired or is a worker's; ALREADY_EXISTS the folder belongs to somebody, or
// the token was used; UNAUTHENTICATED the coordinator is not the token's, or what it answered does
// not hold; UNAVAILABLE nobody answered: retry.
absl::StatusOr<EnrolledPerson> EnrollPerson(const EnrollOptions& options);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_USER_ENROLL_H_
