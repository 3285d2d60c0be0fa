// A round's private key, wrapped for the person for whom the round's deltas are kept
// (docs/formats.md, "key-retained"). Who wraps and who opens make the same binding here.
#ifndef CARNET_EXCHANGE_RETAINED_KEY_H_
#define CARNET_EXCHANGE_RETAINED_KEY_H_

#include <string>

#include "absl/status/statusor.h"
#include "carnet/v1/records.pb.h"
#include "crypto/hpke.h"
#include "crypto/x25519.h"

namespace carnet::exchange {

// HPKE info: this, then the round's public key. Associated data: the key id.
inline constexpr char kRetainedKeyInfo[] = "carnet/retained-key/v1";

// Error INVALID_ARGUMENT: the person's key has low order.
absl::StatusOr<crypto::HpkeSealed> WrapRetainedKey(const crypto::X25519KeyPair& round_key,
                                                   const std::string& key_id,
                                                   const crypto::X25519PublicKey& person, Rng& rng);

// Errors, none worth a retry: NOT_FOUND the record names another person's key. DATA_LOSS or
// INVALID_ARGUMENT what is wrapped does not open, or is not the key that the record names.
absl::StatusOr<crypto::X25519KeyPair> OpenRetainedKey(const v1::KeyRetained& record,
                                                      const crypto::X25519KeyPair& person);

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_RETAINED_KEY_H_
