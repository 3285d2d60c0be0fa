// AES-256-GCM over the numbered chunks of one sealed message. For crypto/sealed.h only.
#ifndef CARNET_CRYPTO_CHUNK_CIPHER_H_
#define CARNET_CRYPTO_CHUNK_CIPHER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/mutex.h"
#include "crypto/openssl_ptr.h"
#include "crypto/secret_bytes.h"

namespace carnet::crypto::sealed_internal {

// Const members are thread-safe: each call borrows a keyed OpenSSL context from a pool that grows
// to the number of threads calling at once, so that no chunk pays for a key schedule. (Contexts are
// keyed anew when the pool grows rather than copied: OpenSSL 3.0 cannot copy one of AES-GCM.)
class ChunkCipher {
 public:
  static constexpr std::size_t kNonceBytes = 12;
  using Nonce = std::array<std::uint8_t, kNonceBytes>;

  // seal: whether it will be called to seal, or to open. Error INTERNAL: OpenSSL failed.
  static absl::StatusOr<std::unique_ptr<ChunkCipher>> Create(SecretBytes key,
                                                             const Nonce& base_nonce, bool seal);
  ChunkCipher(const ChunkCipher&) = delete;
  ChunkCipher& operator=(const ChunkCipher&) = delete;
  ~ChunkCipher() = default;

  // in: at most kChunkPlainBytes. out: in.size() + kChunkTagBytes. Error INTERNAL.
  absl::Status Seal(std::uint64_t index, ByteView in, std::span<std::uint8_t> out) const;
  // in: out.size() + kChunkTagBytes. Zeros `out` on error. Errors: DATA_LOSS, INTERNAL.
  absl::Status Open(std::uint64_t index, ByteView in, std::span<std::uint8_t> out) const;

 private:
  ChunkCipher(SecretBytes key, const Nonce& base_nonce, bool seal);
  // Null if OpenSSL failed.
  EvpCipherCtxPtr Borrow() const;
  void Return(EvpCipherCtxPtr context) const;
  // c2sp.org/chunked-encryption, "AEAD usage": base nonce XOR the big-endian index.
  Nonce NonceOf(std::uint64_t index) const;

  const SecretBytes key_;
  const Nonce base_nonce_;
  const bool seal_;
  mutable Mutex mutex_;
  mutable std::vector<EvpCipherCtxPtr> idle_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::crypto::sealed_internal

#endif  // CARNET_CRYPTO_CHUNK_CIPHER_H_
