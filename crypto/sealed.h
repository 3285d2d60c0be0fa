// Sealed bulk data: C2SP chunked encryption (c2sp.org/chunked-encryption), instance
// Cobblestone-256: AES-256-GCM with HKDF-Expand-SHA512. A sealed message is a 56-byte header {salt,
// commitment} and chunks of 16 KiB of plaintext, each with a 16-byte tag; the last chunk is always
// shorter, maybe empty, so that there is one chunking for each length. Chunks open in any order and
// in parallel; truncation, extension, reordering and another key or context are detected.
//
// Memory: no function here takes more than 512 KiB of buffers for each thread that works.
#ifndef CARNET_CRYPTO_SEALED_H_
#define CARNET_CRYPTO_SEALED_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/secret_bytes.h"

namespace carnet::crypto {

inline constexpr std::size_t kDataKeyBytes = 32;
inline constexpr std::size_t kSealedSaltBytes = 24;
inline constexpr std::size_t kSealedCommitmentBytes = 32;
inline constexpr std::size_t kSealedHeaderBytes = kSealedSaltBytes + kSealedCommitmentBytes;
inline constexpr std::size_t kChunkPlainBytes = std::size_t{16} * 1024;
inline constexpr std::size_t kChunkTagBytes = 16;
inline constexpr std::size_t kChunkSealedBytes = kChunkPlainBytes + kChunkTagBytes;
inline constexpr std::uint64_t kChunksMax = std::uint64_t{1} << 38;
// The last chunk is shorter than the others, hence one byte less than kChunksMax full ones.
inline constexpr std::uint64_t kSealedPlainBytesMax = kChunksMax * kChunkPlainBytes - 1;
// Largest context, in bytes. Carnet's is a SHA-256.
inline constexpr std::size_t kSealedContextBytesMax = 4096;
// Most threads of one SealAll or OpenAll.
inline constexpr int kSealThreadsMax = 64;

using SealedSalt = std::array<std::uint8_t, kSealedSaltBytes>;
using SealedHeader = std::array<std::uint8_t, kSealedHeaderBytes>;

// Chunks of a message of `plain_bytes`: at least one. `plain_bytes` <= kSealedPlainBytesMax.
constexpr std::uint64_t ChunkCount(std::uint64_t plain_bytes) {
  return plain_bytes / kChunkPlainBytes + 1;
}
// Where chunk `index` starts in the sealed message. `index` < kChunksMax.
constexpr std::uint64_t ChunkOffset(std::uint64_t index) {
  return kSealedHeaderBytes + index * kChunkSealedBytes;
}
// Size of the whole sealed message, header included. Error INVALID_ARGUMENT: more than
// kSealedPlainBytesMax.
absl::StatusOr<std::uint64_t> SealedSize(std::uint64_t plain_bytes);
// Size of the plaintext of a sealed message of `sealed_bytes`, header included.
// Error INVALID_ARGUMENT: no message has that size (it was cut or extended).
absl::StatusOr<std::uint64_t> PlainSize(std::uint64_t sealed_bytes);

// Reads exactly out.size() bytes at `offset`, or fails. Writes all of `bytes` at `offset`, or
// fails. Those given to SealAll and OpenAll are called from several threads at once, for ranges
// that do not overlap, in any order.
using ReadAt = std::function<absl::Status(std::uint64_t offset, std::span<std::uint8_t> out)>;
using WriteAt = std::function<absl::Status(std::uint64_t offset, ByteView bytes)>;

namespace sealed_internal {
class ChunkCipher;
}

// Seals the chunks of one message. Move-only. Const members are thread-safe, and fast when called
// by a few threads that stay: each keeps a keyed cipher.
class ChunkSealer {
 public:
  // data_key: 32 uniformly random bytes (kDataKeyBytes).
  // context:  what both sides know of this message; opening under another one fails. May be empty.
  // salt:     random; never the same again under this key, unless to seal the identical plaintext
  // again. Errors: INVALID_ARGUMENT a key or context of a wrong size. INTERNAL OpenSSL failed.
  static absl::StatusOr<ChunkSealer> Create(const SecretBytes& data_key, ByteView context,
                                            const SealedSalt& salt);
  ChunkSealer(ChunkSealer&&) noexcept;
  ChunkSealer& operator=(ChunkSealer&&) noexcept;
  ~ChunkSealer();

  // The first 56 bytes of the sealed message.
  const SealedHeader& header() const { return header_; }

  // Writes chunk `index` of the message, sealed, to `out`.
  // plain:   16 KiB, or less exactly if `is_last`.
  // out:     plain.size() + kChunkTagBytes; must not overlap `plain`.
  // A chunk may be sealed again only from the same bytes: two plaintexts under one index give both
  // away. Errors: INVALID_ARGUMENT a size or an index that does not fit. INTERNAL OpenSSL failed.
  absl::Status SealChunk(std::uint64_t index, ByteView plain, bool is_last,
                         std::span<std::uint8_t> out) const;

 private:
  ChunkSealer(std::unique_ptr<sealed_internal::ChunkCipher> cipher, const SealedHeader& header);
  std::unique_ptr<sealed_internal::ChunkCipher> cipher_;
  SealedHeader header_;
};

// Opens chunks or ranges of one message. Move-only. Const members are thread-safe, as for
// ChunkSealer.
//
// A chunk that opened is authentic: its bytes, its place, the key and the context. That the message
// is whole is known when its last chunk has opened too; OpenAll does that, OpenRange only where the
// range reaches there.
class ChunkOpener {
 public:
  // sealed_bytes: size of the whole sealed message, as received.
  // Errors: INVALID_ARGUMENT a key or context of a wrong size, or `sealed_bytes` is no message's
  // size. FAILED_PRECONDITION the header was not made with this key and context. INTERNAL OpenSSL
  // failed.
  static absl::StatusOr<ChunkOpener> Create(const SecretBytes& data_key, ByteView context,
                                            const SealedHeader& header, std::uint64_t sealed_bytes);
  ChunkOpener(ChunkOpener&&) noexcept;
  ChunkOpener& operator=(ChunkOpener&&) noexcept;
  ~ChunkOpener();

  std::uint64_t plain_size() const { return plain_bytes_; }
  std::uint64_t chunk_count() const { return ChunkCount(plain_bytes_); }
  // Plaintext bytes of chunk `index`, which must be < chunk_count().
  std::size_t ChunkPlainSize(std::uint64_t index) const;

  // Opens chunk `index`, sealed in `sealed`, into `out`.
  // sealed: ChunkPlainSize(index) + kChunkTagBytes bytes; must not overlap `out`.
  // out:    ChunkPlainSize(index) bytes; zeros after an error.
  // Errors: INVALID_ARGUMENT an index or a size that does not fit. DATA_LOSS the chunk is not the
  // one that was sealed; do not retry. INTERNAL OpenSSL failed.
  absl::Status OpenChunk(std::uint64_t index, ByteView sealed, std::span<std::uint8_t> out) const;

  // Opens out.size() plaintext bytes from `plain_offset`. `read` gives bytes of the whole sealed
  // message, header included. After an error `out` holds zeros. Errors: OUT_OF_RANGE the range
  // passes the end. Those of OpenChunk and `read`.
  absl::Status OpenRange(std::uint64_t plain_offset, std::span<std::uint8_t> out,
                         const ReadAt& read) const;

 private:
  ChunkOpener(std::unique_ptr<sealed_internal::ChunkCipher> cipher, std::uint64_t plain_bytes);
  std::unique_ptr<sealed_internal::ChunkCipher> cipher_;
  std::uint64_t plain_bytes_;
};

// The rest of this file works on whole messages with `threads` threads (1 to kSealThreadsMax, the
// caller's included). The first error stops all and is returned; what was written until then is
// authentic, but not the whole. Errors: those of the chunk functions and of the callbacks;
// INVALID_ARGUMENT for a number of threads or a buffer that does not fit.

// Reads `plain_bytes` of plaintext and writes the whole sealed message, header included.
absl::Status SealAll(const ChunkSealer& sealer, std::uint64_t plain_bytes, const ReadAt& read_plain,
                     const WriteAt& write_sealed, int threads);
// The same in memory; `sealed` has SealedSize(plain.size()) bytes.
absl::Status SealAll(const ChunkSealer& sealer, ByteView plain, std::span<std::uint8_t> sealed,
                     int threads);

// Opens every chunk; `write_plain` gets only authentic bytes. To verify alone, give a `write_plain`
// that keeps nothing.
absl::Status OpenAll(const ChunkOpener& opener, const ReadAt& read_sealed,
                     const WriteAt& write_plain, int threads);
// The same in memory: `sealed` is the whole message, header included; `plain` has plain_size()
// bytes, zeros after an error.
absl::Status OpenAll(const ChunkOpener& opener, ByteView sealed, std::span<std::uint8_t> plain,
                     int threads);

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_SEALED_H_
