// SHA-256 (FIPS 180-4), HMAC (RFC 2104) and HKDF (RFC 5869). All functions are pure and
// thread-safe.
#ifndef CARNET_CRYPTO_HASH_H_
#define CARNET_CRYPTO_HASH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "crypto/openssl_ptr.h"
#include "crypto/secret_bytes.h"

namespace carnet::crypto {

Digest Sha256(ByteView bytes);

// SHA-256 of bytes that come in pieces. Move-only; a moved-from stream may only be assigned or
// destroyed. Thread-compatible.
class Sha256Stream {
 public:
  Sha256Stream();
  void Update(ByteView bytes);
  // The digest of everything since construction or the last Finish; then starts anew.
  Digest Finish();

 private:
  EvpMdCtxPtr context_;
};

Digest HmacSha256(ByteView key, ByteView message);

// Most output that one expansion may give: 255 blocks (RFC 5869 §2.3). Asking for more is a bug of
// the caller and aborts.
inline constexpr std::size_t kHkdfSha256BytesMax = 255 * 32;
inline constexpr std::size_t kHkdfSha512BytesMax = 255 * 64;

// RFC 5869 §2.2; an empty salt means 32 zero bytes. The result is the pseudorandom key, 32 bytes.
SecretBytes HkdfExtractSha256(ByteView salt, ByteView input_key);
// The same of an input key, or below an info, that comes in parts: what would be their
// concatenation, without a copy.
SecretBytes HkdfExtractSha256Parts(ByteView salt, std::span<const ByteView> input_key);
SecretBytes HkdfExpandSha256Parts(ByteView pseudorandom_key, std::span<const ByteView> info,
                                  std::size_t size_bytes);
// RFC 5869 §2.3. Fills `out`, or returns `size_bytes` bytes.
void HkdfExpandSha256(ByteView pseudorandom_key, ByteView info, std::span<std::uint8_t> out);
SecretBytes HkdfExpandSha256(ByteView pseudorandom_key, ByteView info, std::size_t size_bytes);
void HkdfExpandSha512(ByteView pseudorandom_key, ByteView info, std::span<std::uint8_t> out);
SecretBytes HkdfExpandSha512(ByteView pseudorandom_key, ByteView info, std::size_t size_bytes);
// Extract, then expand.
void HkdfSha256(ByteView salt, ByteView input_key, ByteView info, std::span<std::uint8_t> out);
SecretBytes HkdfSha256(ByteView salt, ByteView input_key, ByteView info, std::size_t size_bytes);

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_HASH_H_
