// AES-GCM (NIST SP 800-38D) over small messages, by OpenSSL. Bulk data goes through
// crypto/sealed.h.
#ifndef CARNET_CRYPTO_AEAD_H_
#define CARNET_CRYPTO_AEAD_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/secret_bytes.h"

namespace carnet::crypto {

inline constexpr std::size_t kAes128KeyBytes = 16;
inline constexpr std::size_t kAes256KeyBytes = 32;
inline constexpr std::size_t kGcmNonceBytes = 12;
inline constexpr std::size_t kGcmTagBytes = 16;
// Largest plaintext, and largest associated data, of one call.
inline constexpr std::size_t kAeadPlaintextBytesMax = std::size_t{1} << 20;

using GcmNonce = std::array<std::uint8_t, kGcmNonceBytes>;

// Ciphertext, then the 16-byte tag.
// key:   32 bytes (AES-256-GCM), or 16 (AES-128-GCM, which only the known answers of RFC 9180 use).
// nonce: never twice under one key: the second use gives both messages away.
// Errors: INVALID_ARGUMENT a key of another size, or more than kAeadPlaintextBytesMax. INTERNAL
// OpenSSL failed.
absl::StatusOr<Bytes> AesGcmSeal(ByteView key, const GcmNonce& nonce, ByteView associated_data,
                                 ByteView plaintext);

// Errors: INVALID_ARGUMENT as above, or a ciphertext shorter than its tag. DATA_LOSS key, nonce,
// associated data or ciphertext are not those that were sealed; nothing of the plaintext is given
// out. Do not retry. INTERNAL OpenSSL failed.
absl::StatusOr<SecretBytes> AesGcmOpen(ByteView key, const GcmNonce& nonce,
                                       ByteView associated_data, ByteView ciphertext);

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_AEAD_H_
