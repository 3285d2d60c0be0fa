// Ed25519 signatures (RFC 8032 §5.1), by libsodium: records, heads, uploads and approvals are
// signed with it.
#ifndef CARNET_CRYPTO_ED25519_H_
#define CARNET_CRYPTO_ED25519_H_

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

inline constexpr std::size_t kEd25519PublicKeyBytes = 32;
inline constexpr std::size_t kEd25519SeedBytes = 32;
inline constexpr std::size_t kEd25519SignatureBytes = 64;
// SubjectPublicKeyInfo in DER (RFC 8410 §4): a fixed prefix of 12 bytes and the key.
inline constexpr std::size_t kEd25519SpkiBytes = 44;

using Ed25519PublicKey = std::array<std::uint8_t, kEd25519PublicKeyBytes>;
using Ed25519Signature = std::array<std::uint8_t, kEd25519SignatureBytes>;

// Move-only. Const members are thread-safe.
class Ed25519KeyPair {
 public:
  static Ed25519KeyPair Generate(Rng& rng);
  // The pair that RFC 8032 §5.1.5 makes of the seed.
  // Error INVALID_ARGUMENT: the seed is not 32 bytes.
  static absl::StatusOr<Ed25519KeyPair> FromSeed(const SecretBytes& seed);

  const Ed25519PublicKey& public_key() const { return public_key_; }
  // Deterministic: the same message gives the same signature.
  Ed25519Signature Sign(ByteView message) const;
  // A copy of the 32-byte seed, for key files only.
  SecretBytes seed() const;

 private:
  Ed25519KeyPair(SecretBytes secret_key, const Ed25519PublicKey& public_key);
  SecretBytes secret_key_;  // libsodium's form: seed, then public key.
  Ed25519PublicKey public_key_;
};

// Whether `signature` is one of `message` under `public_key`. Strict: a signature of another
// length, a scalar that is not reduced, a key or commitment of small order, and a key that is not
// in its canonical form are refused.
[[nodiscard]] bool Ed25519Verify(const Ed25519PublicKey& public_key, ByteView message,
                                 ByteView signature);

// Exactly 32 bytes as a key. Error INVALID_ARGUMENT: another length. (Whether it is a point shows
// when verifying.)
absl::StatusOr<Ed25519PublicKey> ToEd25519PublicKey(ByteView bytes);

std::array<std::uint8_t, kEd25519SpkiBytes> Ed25519SpkiEncode(const Ed25519PublicKey& public_key);
// Error INVALID_ARGUMENT: anything but the 44 bytes that the encoder writes.
absl::StatusOr<Ed25519PublicKey> Ed25519SpkiDecode(ByteView der);

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_ED25519_H_
