// The keys of a member of a federation, a worker or a person: made on his own machine, which their
// secret halves never leave.
#ifndef CARNET_EXCHANGE_MEMBER_KEYS_H_
#define CARNET_EXCHANGE_MEMBER_KEYS_H_

#include <filesystem>

#include "absl/status/statusor.h"
#include "base/rng.h"
#include "crypto/ed25519.h"
#include "crypto/p256.h"
#include "crypto/x25519.h"

namespace carnet::exchange {

// In the key folder.
inline constexpr char kTlsKeyId[] = "tls";
inline constexpr char kStatementKeyId[] = "statement";
inline constexpr char kWrappingKeyId[] = "wrapping";

struct MemberKeys {
  crypto::P256Key tls;
  crypto::Ed25519KeyPair statement;
  crypto::X25519KeyPair wrapping;
};

// The keys in `folder`. What is not there is made, and durable before it is used: whoever was cut
// off goes on with the same keys. Blocks on files. Errors: those of crypto/key_files.h; INTERNAL
// OpenSSL failed.
absl::StatusOr<MemberKeys> KeepMemberKeys(const std::filesystem::path& folder, Rng& rng);

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_MEMBER_KEYS_H_
