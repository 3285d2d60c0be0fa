// Hybrid public key encryption (RFC 9180), base mode, single shot: DHKEM(X25519, HKDF-SHA256)
// 0x0020, HKDF-SHA256 0x0001 and AES-GCM. Wraps data keys for a recipient's X25519 key. It hides,
// and shows tampering; it says nothing about who sealed: senders sign besides.
#ifndef CARNET_CRYPTO_HPKE_H_
#define CARNET_CRYPTO_HPKE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/secret_bytes.h"
#include "crypto/x25519.h"

namespace carnet {
class Rng;
}

namespace carnet::crypto {

// RFC 9180 §7.3. Carnet seals with kAes256Gcm; kAes128Gcm is there for the known answers of
// appendix A.1.
enum class HpkeAead : std::uint16_t { kAes128Gcm = 0x0001, kAes256Gcm = 0x0002 };

inline constexpr std::size_t kHpkeEncapsulatedBytes = 32;
inline constexpr std::size_t kHpkeTagBytes = 16;
// Largest plaintext: this wraps keys. Info and associated data have the same limit each.
inline constexpr std::size_t kHpkePlaintextBytesMax = std::size_t{64} * 1024;

using HpkeEncapsulated = std::array<std::uint8_t, kHpkeEncapsulatedBytes>;

struct HpkeSealed {
  HpkeEncapsulated encapsulated;  // The ephemeral public key, `enc` in the RFC.
  Bytes ciphertext;               // plaintext size + kHpkeTagBytes
};

// Seals `plaintext` to `recipient` under a fresh ephemeral key, whose 32 private bytes come from
// `rng`. Errors: INVALID_ARGUMENT the recipient's key has low order, or something exceeds its
// limit. INTERNAL OpenSSL failed.
absl::StatusOr<HpkeSealed> HpkeSeal(const X25519PublicKey& recipient, ByteView info,
                                    ByteView associated_data, ByteView plaintext, Rng& rng,
                                    HpkeAead aead = HpkeAead::kAes256Gcm);

// Opens what HpkeSeal made with the same info and associated data.
// Errors, none worth a retry: INVALID_ARGUMENT `encapsulated` has low order or a size is out of
// bounds. DATA_LOSS any of the inputs is not what was sealed to this key. INTERNAL OpenSSL failed.
absl::StatusOr<SecretBytes> HpkeOpen(const X25519KeyPair& recipient,
                                     const HpkeEncapsulated& encapsulated, ByteView info,
                                     ByteView associated_data, ByteView ciphertext,
                                     HpkeAead aead = HpkeAead::kAes256Gcm);

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_HPKE_H_
