// What a founder shows of the keys that he made on his own machine (`carnet user keygen`), so that
// `carnet init` writes certificates and records for keys that it never had. Both sides use this
// code. Pure.
#ifndef CARNET_EXCHANGE_PERSON_KEYS_H_
#define CARNET_EXCHANGE_PERSON_KEYS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "carnet/v1/federation.pb.h"
#include "crypto/ed25519.h"
#include "crypto/p256.h"

namespace carnet::exchange {

inline constexpr std::size_t kPersonKeysBytesMax = 4096;  // of the file

// The file: JSON of v1::PersonKeys with a proof by each of the two keys. wrapping_public_key:
// X25519. Error INTERNAL: OpenSSL failed.
absl::StatusOr<std::string> MakePersonKeys(const std::string& name,
                                           const crypto::Ed25519KeyPair& statement,
                                           ByteView wrapping_public_key,
                                           const crypto::P256Key& tls);

// Error INVALID_ARGUMENT: not such a file, keys of another kind, a name that is none, or a proof
// that does not hold.
absl::StatusOr<v1::PersonKeys> ReadPersonKeys(absl::string_view text);

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_PERSON_KEYS_H_
