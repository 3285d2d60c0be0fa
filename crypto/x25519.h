// X25519 key agreement (RFC 7748 §5), by libsodium. For wrapped keys use crypto/hpke.h, which is
// built on it.
#ifndef CARNET_CRYPTO_X25519_H_
#define CARNET_CRYPTO_X25519_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/secret_bytes.h"

namespace carnet {
class Rng;
}

namespace carnet::crypto {

inline constexpr std::size_t kX25519KeyBytes = 32;
using X25519PublicKey = std::array<std::uint8_t, kX25519KeyBytes>;

// Move-only. Const members are thread-safe.
class X25519KeyPair {
 public:
  static X25519KeyPair Generate(Rng& rng);
  // Error INVALID_ARGUMENT: the private key is not 32 bytes. (Every 32 bytes are one: RFC 7748 §5
  // clamps them.)
  static absl::StatusOr<X25519KeyPair> FromPrivateKey(const SecretBytes& private_key);

  const X25519PublicKey& public_key() const { return public_key_; }
  // For key files only.
  const SecretBytes& private_key() const { return private_key_; }

  // The raw shared secret. Never a key by itself: run it through HKDF with both public keys.
  // Error INVALID_ARGUMENT: the peer's key has low order, so that the secret would be known to
  // everybody (RFC 7748 §6.1). Do not retry.
  absl::StatusOr<SecretBytes> SharedSecret(const X25519PublicKey& peer) const;

 private:
  X25519KeyPair(SecretBytes private_key, const X25519PublicKey& public_key);
  SecretBytes private_key_;
  X25519PublicKey public_key_;
};

// Exactly 32 bytes as a key. Error INVALID_ARGUMENT: another length.
absl::StatusOr<X25519PublicKey> ToX25519PublicKey(ByteView bytes);

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_X25519_H_
