#include "crypto/sealed.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "crypto/chunk_cipher.h"
#include "crypto/hash.h"

namespace carnet::crypto {
namespace {

using sealed_internal::ChunkCipher;

// Chunks read by one call of a reader: large enough for the disk, small enough for the second-level
// cache.
constexpr std::size_t kReadChunks = 16;

struct MessageKeys {
  SecretBytes key;
  ChunkCipher::Nonce base_nonce;
  std::array<std::uint8_t, kSealedCommitmentBytes> commitment;
};

// c2sp.org/chunked-encryption, "Key derivation", with SHA-512 and AEAD_AES_256_GCM.
absl::StatusOr<MessageKeys> DeriveKeys(const SecretBytes& data_key, ByteView context,
                                       ByteView salt) {
  if (data_key.size() != kDataKeyBytes) {
    return absl::InvalidArgumentError("sealed: a data key is 32 bytes");
  }
  if (context.size() > kSealedContextBytesMax) {
    return absl::InvalidArgumentError("sealed: the context is too large");
  }
  Bytes info = ToBytes("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM");
  info.push_back(0x00);
  info.insert(info.end(), salt.begin(), salt.end());
  info.insert(info.end(), context.begin(), context.end());

  constexpr std::size_t kDerivedBytes =
      kDataKeyBytes + ChunkCipher::kNonceBytes + kSealedCommitmentBytes;
  const SecretBytes derived = HkdfExpandSha512(data_key.View(), info, kDerivedBytes);
  const ByteView all = derived.View();
  MessageKeys keys{SecretBytes::Copy(all.first(kDataKeyBytes)), {}, {}};
  std::copy_n(all.begin() + kDataKeyBytes, keys.base_nonce.size(), keys.base_nonce.begin());
  std::copy_n(all.end() - kSealedCommitmentBytes, keys.commitment.size(), keys.commitment.begin());
  return keys;
}

// Lends a thread's buffer of kReadChunks sealed chunks. It is taken out of the thread while in use,
// so that a reader may itself open ranges of another message.
class ReadBuffer {
 public:
  ReadBuffer() : bytes_(std::move(kept_)) { bytes_.resize(kReadChunks * kChunkSealedBytes); }
  ~ReadBuffer() { kept_ = std::move(bytes_); }
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;
  std::span<std::uint8_t> bytes() { return bytes_; }

 private:
  static thread_local Bytes kept_;
  Bytes bytes_;
};
thread_local Bytes ReadBuffer::kept_;

}  // namespace

absl::StatusOr<std::uint64_t> SealedSize(std::uint64_t plain_bytes) {
  if (plain_bytes > kSealedPlainBytesMax) {
    return absl::InvalidArgumentError("sealed: the plaintext is too large");
  }
  return ChunkOffset(plain_bytes / kChunkPlainBytes) + plain_bytes % kChunkPlainBytes +
         kChunkTagBytes;
}

absl::StatusOr<std::uint64_t> PlainSize(std::uint64_t sealed_bytes) {
  if (sealed_bytes < kSealedHeaderBytes + kChunkTagBytes) {
    return absl::InvalidArgumentError("sealed: shorter than the shortest message");
  }
  const std::uint64_t chunk_bytes = sealed_bytes - kSealedHeaderBytes;
  const std::uint64_t full_chunks = chunk_bytes / kChunkSealedBytes;
  const std::uint64_t last_bytes = chunk_bytes % kChunkSealedBytes;
  if (last_bytes < kChunkTagBytes || full_chunks >= kChunksMax) {
    return absl::InvalidArgumentError("sealed: no message has this size");
  }
  return full_chunks * kChunkPlainBytes + last_bytes - kChunkTagBytes;
}

ChunkSealer::ChunkSealer(std::unique_ptr<ChunkCipher> cipher, const SealedHeader& header)
    : cipher_(std::move(cipher)), header_(header) {}
ChunkSealer::ChunkSealer(ChunkSealer&&) noexcept = default;
ChunkSealer& ChunkSealer::operator=(ChunkSealer&&) noexcept = default;
ChunkSealer::~ChunkSealer() = default;

absl::StatusOr<ChunkSealer> ChunkSealer::Create(const SecretBytes& data_key, ByteView context,
                                                const SealedSalt& salt) {
  CARNET_ASSIGN_OR_RETURN(MessageKeys keys, DeriveKeys(data_key, context, salt));
  CARNET_ASSIGN_OR_RETURN(auto cipher, ChunkCipher::Create(std::move(keys.key), keys.base_nonce,
                                                           /*seal=*/true));
  SealedHeader header;
  std::copy(salt.begin(), salt.end(), header.begin());
  std::copy(keys.commitment.begin(), keys.commitment.end(), header.begin() + kSealedSaltBytes);
  return ChunkSealer(std::move(cipher), header);
}

absl::Status ChunkSealer::SealChunk(std::uint64_t index, ByteView plain, bool is_last,
                                    std::span<std::uint8_t> out) const {
  const bool fits = is_last ? plain.size() < kChunkPlainBytes : plain.size() == kChunkPlainBytes;
  // The highest index is left to a last chunk by its size: kSealedPlainBytesMax.
  if (!fits || index >= kChunksMax || out.size() != plain.size() + kChunkTagBytes) {
    return absl::InvalidArgumentError("sealed: the chunk's index or size does not fit");
  }
  return cipher_->Seal(index, plain, out);
}

ChunkOpener::ChunkOpener(std::unique_ptr<ChunkCipher> cipher, std::uint64_t plain_bytes)
    : cipher_(std::move(cipher)), plain_bytes_(plain_bytes) {}
ChunkOpener::ChunkOpener(ChunkOpener&&) noexcept = default;
ChunkOpener& ChunkOpener::operator=(ChunkOpener&&) noexcept = default;
ChunkOpener::~ChunkOpener() = default;

absl::StatusOr<ChunkOpener> ChunkOpener::Create(const SecretBytes& data_key, ByteView context,
                                                const SealedHeader& header,
                                                std::uint64_t sealed_bytes) {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t plain_bytes, PlainSize(sealed_bytes));
  const ByteView salt = ByteView(header).first(kSealedSaltBytes);
  CARNET_ASSIGN_OR_RETURN(MessageKeys keys, DeriveKeys(data_key, context, salt));
  if (!ConstantTimeEquals(keys.commitment, ByteView(header).subspan(kSealedSaltBytes))) {
    return absl::FailedPreconditionError("sealed: the key or the context is not the sealer's");
  }
  CARNET_ASSIGN_OR_RETURN(auto cipher, ChunkCipher::Create(std::move(keys.key), keys.base_nonce,
                                                           /*seal=*/false));
  return ChunkOpener(std::move(cipher), plain_bytes);
}

std::size_t ChunkOpener::ChunkPlainSize(std::uint64_t index) const {
  CARNET_CHECK(index < chunk_count());
  return index + 1 < chunk_count() ? kChunkPlainBytes
                                   : static_cast<std::size_t>(plain_bytes_ % kChunkPlainBytes);
}

absl::Status ChunkOpener::OpenChunk(std::uint64_t index, ByteView sealed,
                                    std::span<std::uint8_t> out) const {
  // That the last chunk is shorter, and no other, follows from the size of the message.
  if (index >= chunk_count() || out.size() != ChunkPlainSize(index) ||
      sealed.size() != out.size() + kChunkTagBytes) {
    Wipe(out);
    return absl::InvalidArgumentError("sealed: the chunk's index or size does not fit");
  }
  return cipher_->Open(index, sealed, out);
}

absl::Status ChunkOpener::OpenRange(std::uint64_t plain_offset, std::span<std::uint8_t> out,
                                    const ReadAt& read) const {
  const auto open = [&]() -> absl::Status {
    if (plain_offset > plain_bytes_ || out.size() > plain_bytes_ - plain_offset) {
      return absl::OutOfRangeError("sealed: the range passes the end of the message");
    }
    if (out.empty()) {
      return absl::OkStatus();
    }
    const std::uint64_t end_offset = plain_offset + out.size();
    const std::uint64_t end = (end_offset - 1) / kChunkPlainBytes + 1;
    ReadBuffer buffer;
    std::array<std::uint8_t, kChunkPlainBytes> edge;  // For chunks that the range cuts.
    for (std::uint64_t index = plain_offset / kChunkPlainBytes; index < end;) {
      const std::uint64_t batch_end = std::min<std::uint64_t>(index + kReadChunks, end);
      const std::size_t batch_bytes =
          static_cast<std::size_t>(batch_end - index - 1) * kChunkSealedBytes +
          ChunkPlainSize(batch_end - 1) + kChunkTagBytes;
      std::span<std::uint8_t> sealed = buffer.bytes().first(batch_bytes);
      CARNET_RETURN_IF_ERROR(read(ChunkOffset(index), sealed));
      for (; index < batch_end; ++index) {
        const std::size_t plain_size = ChunkPlainSize(index);
        const ByteView chunk = sealed.first(plain_size + kChunkTagBytes);
        sealed = sealed.subspan(chunk.size());
        const std::uint64_t start = index * kChunkPlainBytes;
        const std::uint64_t from = std::max(start, plain_offset);
        const std::uint64_t to = std::min(start + plain_size, end_offset);
        const std::span<std::uint8_t> wanted = out.subspan(
            static_cast<std::size_t>(from - plain_offset), static_cast<std::size_t>(to - from));
        if (wanted.size() == plain_size) {
          CARNET_RETURN_IF_ERROR(OpenChunk(index, chunk, wanted));
          continue;
        }
        CARNET_RETURN_IF_ERROR(OpenChunk(index, chunk, std::span(edge).first(plain_size)));
        std::copy_n(edge.begin() + static_cast<std::ptrdiff_t>(from - start), wanted.size(),
                    wanted.begin());
        Wipe(edge);
      }
    }
    return absl::OkStatus();
  };
  const absl::Status status = open();
  if (!status.ok()) {
    Wipe(out);
  }
  return status;
}

}  // namespace carnet::crypto
