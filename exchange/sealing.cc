#include "exchange/sealing.h"

#include <algorithm>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "exchange/spool.h"

namespace carnet::exchange {
namespace {

// Chunks that are read, sealed and written at once: 1 MiB of plaintext.
constexpr std::uint64_t kBatchChunks = 64;

std::filesystem::path PartialPath(const std::filesystem::path& path) {
  std::filesystem::path partial = path;
  partial += ".partial";
  return partial;
}

// The file under construction; gone unless Keep was called.
class PartialFile {
 public:
  static absl::StatusOr<PartialFile> Create(const std::filesystem::path& to) {
    CARNET_ASSIGN_OR_RETURN(SpoolFile file, SpoolFile::Open(PartialPath(to)));
    CARNET_RETURN_IF_ERROR(file.Truncate(0));
    return PartialFile(std::move(file), to);
  }
  ~PartialFile() {
    if (!kept_) {
      std::error_code ignored;
      std::filesystem::remove(PartialPath(to_), ignored);
    }
  }
  PartialFile(PartialFile&& other) noexcept
      : file_(std::move(other.file_)), to_(std::move(other.to_)), kept_(other.kept_) {
    other.kept_ = true;
  }
  PartialFile& operator=(PartialFile&&) = delete;

  absl::Status Append(ByteView bytes) {
    CARNET_RETURN_IF_ERROR(file_.WriteAt(size_bytes_, bytes));
    hash_.Update(bytes);
    size_bytes_ += bytes.size();
    return absl::OkStatus();
  }
  absl::Status KeepDurably() {
    CARNET_RETURN_IF_ERROR(file_.Sync());
    CARNET_RETURN_IF_ERROR(RenameDurably(PartialPath(to_), to_));
    kept_ = true;
    return absl::OkStatus();
  }
  absl::Status Keep() {
    std::error_code error;
    std::filesystem::rename(PartialPath(to_), to_, error);
    if (error) {
      return FileError(error.value(), "rename", to_);
    }
    kept_ = true;
    return absl::OkStatus();
  }
  Digest sha256() { return hash_.Finish(); }
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  PartialFile(SpoolFile file, std::filesystem::path to)
      : file_(std::move(file)), to_(std::move(to)) {}
  SpoolFile file_;
  std::filesystem::path to_;
  crypto::Sha256Stream hash_;
  std::uint64_t size_bytes_ = 0;
  bool kept_ = false;
};

// Chunks [first, first + count) of a message: where they stand in plaintext and ciphertext.
struct Batch {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

absl::Status CheckSalt(const Header& header, ByteView salt) {
  const std::string& named = header.fields.salt();
  if (!named.empty() &&
      !std::equal(salt.begin(), salt.end(), AsBytes(named).begin(), AsBytes(named).end())) {
    return absl::FailedPreconditionError("artifact: the salt is not the header's");
  }
  return absl::OkStatus();
}

absl::Status SealBatch(const crypto::ChunkSealer& sealer, const Batch& batch,
                       std::uint64_t plain_bytes, ByteView plain, std::span<std::uint8_t> sealed) {
  const std::uint64_t chunks = crypto::ChunkCount(plain_bytes);
  for (std::uint64_t i = 0; i < batch.count; ++i) {
    const bool is_last = batch.first + i + 1 == chunks;
    const ByteView chunk = plain.subspan(
        static_cast<std::size_t>(i) * crypto::kChunkPlainBytes,
        std::min(crypto::kChunkPlainBytes,
                 plain.size() - static_cast<std::size_t>(i) * crypto::kChunkPlainBytes));
    CARNET_RETURN_IF_ERROR(
        sealer.SealChunk(batch.first + i, chunk, is_last,
                         sealed.subspan(static_cast<std::size_t>(i) * crypto::kChunkSealedBytes,
                                        chunk.size() + crypto::kChunkTagBytes)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SealedFile> SealToFile(const Header& header, const crypto::SecretBytes& data_key,
                                      const crypto::SealedSalt& salt,
                                      const crypto::ReadAt& read_plain,
                                      const std::filesystem::path& to) {
  CARNET_RETURN_IF_ERROR(CheckSalt(header, salt));
  const std::uint64_t plain_bytes = header.fields.plaintext_bytes();
  CARNET_ASSIGN_OR_RETURN(const crypto::ChunkSealer sealer,
                          crypto::ChunkSealer::Create(data_key, header.sha256, salt));
  CARNET_ASSIGN_OR_RETURN(PartialFile file, PartialFile::Create(to));
  CARNET_RETURN_IF_ERROR(file.Append(sealer.header()));
  Bytes plain(kBatchChunks * crypto::kChunkPlainBytes);
  Bytes sealed(kBatchChunks * crypto::kChunkSealedBytes);
  const std::uint64_t chunks = crypto::ChunkCount(plain_bytes);
  for (Batch batch; batch.first < chunks; batch.first += batch.count) {
    batch.count = std::min(kBatchChunks, chunks - batch.first);
    const std::uint64_t begin = batch.first * crypto::kChunkPlainBytes;
    const std::size_t take =
        static_cast<std::size_t>(std::min<std::uint64_t>(plain.size(), plain_bytes - begin));
    const std::span<std::uint8_t> part = std::span(plain).first(take);
    if (take > 0) {
      CARNET_RETURN_IF_ERROR(read_plain(begin, part));
    }
    const std::span<std::uint8_t> out = std::span(sealed).first(
        take + static_cast<std::size_t>(batch.count) * crypto::kChunkTagBytes);
    CARNET_RETURN_IF_ERROR(SealBatch(sealer, batch, plain_bytes, part, out));
    CARNET_RETURN_IF_ERROR(file.Append(out));
  }
  crypto::Wipe(plain);
  CARNET_RETURN_IF_ERROR(file.KeepDurably());
  return SealedFile{.sealed_sha256 = file.sha256(), .sealed_bytes = file.size_bytes()};
}

absl::StatusOr<SealedFile> SealFile(const Header& header, const crypto::SecretBytes& data_key,
                                    const crypto::SealedSalt& salt,
                                    const std::filesystem::path& plain,
                                    const std::filesystem::path& to) {
  CARNET_ASSIGN_OR_RETURN(const SendFile file,
                          SendFile::Open(plain, header.fields.plaintext_bytes()));
  return SealToFile(
      header, data_key, salt,
      [&file](std::uint64_t offset, std::span<std::uint8_t> out) {
        return file.ReadAt(offset, out);
      },
      to);
}

absl::StatusOr<crypto::ChunkOpener> MakeOpener(const Header& header,
                                               const crypto::SecretBytes& data_key,
                                               std::uint64_t sealed_bytes,
                                               const crypto::ReadAt& read_sealed) {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t plain_bytes, crypto::PlainSize(sealed_bytes));
  if (plain_bytes != header.fields.plaintext_bytes()) {
    return absl::InvalidArgumentError("artifact: the sealed size is not that of the header");
  }
  crypto::SealedHeader sealed_header;
  CARNET_RETURN_IF_ERROR(read_sealed(0, sealed_header));
  CARNET_RETURN_IF_ERROR(
      CheckSalt(header, std::span(sealed_header).first(crypto::kSealedSaltBytes)));
  return crypto::ChunkOpener::Create(data_key, header.sha256, sealed_header, sealed_bytes);
}

absl::Status OpenSealed(const Header& header, const crypto::SecretBytes& data_key,
                        std::uint64_t sealed_bytes, const crypto::ReadAt& read_sealed,
                        const PlainSink& sink) {
  CARNET_ASSIGN_OR_RETURN(const crypto::ChunkOpener opener,
                          MakeOpener(header, data_key, sealed_bytes, read_sealed));
  Bytes sealed(kBatchChunks * crypto::kChunkSealedBytes);
  Bytes plain(kBatchChunks * crypto::kChunkPlainBytes);
  const std::uint64_t chunks = opener.chunk_count();
  for (Batch batch; batch.first < chunks; batch.first += batch.count) {
    batch.count = std::min(kBatchChunks, chunks - batch.first);
    const std::uint64_t begin = crypto::ChunkOffset(batch.first);
    const std::size_t take =
        static_cast<std::size_t>(std::min<std::uint64_t>(sealed.size(), sealed_bytes - begin));
    CARNET_RETURN_IF_ERROR(read_sealed(begin, std::span(sealed).first(take)));
    std::size_t plain_done = 0;
    for (std::uint64_t i = 0; i < batch.count; ++i) {
      const std::size_t chunk_bytes = opener.ChunkPlainSize(batch.first + i);
      CARNET_RETURN_IF_ERROR(opener.OpenChunk(
          batch.first + i,
          ByteView(sealed).subspan(static_cast<std::size_t>(i) * crypto::kChunkSealedBytes,
                                   chunk_bytes + crypto::kChunkTagBytes),
          std::span(plain).subspan(plain_done, chunk_bytes)));
      plain_done += chunk_bytes;
    }
    if (plain_done > 0) {
      CARNET_RETURN_IF_ERROR(sink(ByteView(plain).first(plain_done)));
    }
  }
  crypto::Wipe(plain);
  return absl::OkStatus();
}

absl::StatusOr<Digest> OpenFile(const Header& header, const crypto::SecretBytes& data_key,
                                const std::filesystem::path& sealed,
                                const std::filesystem::path& to) {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t sealed_bytes,
                          crypto::SealedSize(header.fields.plaintext_bytes()));
  CARNET_ASSIGN_OR_RETURN(const SendFile file, SendFile::Open(sealed, sealed_bytes));
  CARNET_ASSIGN_OR_RETURN(PartialFile out, PartialFile::Create(to));
  CARNET_RETURN_IF_ERROR(OpenSealed(
      header, data_key, sealed_bytes,
      [&file](std::uint64_t offset, std::span<std::uint8_t> bytes) {
        return file.ReadAt(offset, bytes);
      },
      [&out](ByteView plain) { return out.Append(plain); }));
  CARNET_RETURN_IF_ERROR(out.Keep());
  return out.sha256();
}

}  // namespace carnet::exchange
