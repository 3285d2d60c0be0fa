#include "coordinator/aggregation/sealed_delta.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/status.h"

namespace carnet::aggregation {
namespace {

// 64 KiB of fp32: four whole chunks of a sealed message, which blocks are multiples of.
constexpr std::size_t kFp32StripParameters = 16384;
static_assert(model::kBlockParameters % kFp32StripParameters == 0);
static_assert(kFp32StripParameters * sizeof(float) % crypto::kChunkPlainBytes == 0);

absl::Status ReadExactly(int fd, std::uint64_t offset, std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return absl::UnavailableError("aggregation: a sealed delta cannot be read");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return absl::OkStatus();
}

// A chunk that does not open is a verdict; anything else that went wrong is an error.
absl::StatusOr<DeltaVerdict> ToVerdict(const absl::Status& opened) {
  if (absl::IsDataLoss(opened)) {
    return DeltaVerdict::kBadChunk;
  }
  CARNET_RETURN_IF_ERROR(opened);
  return DeltaVerdict::kOk;
}

}  // namespace

std::size_t StripParameters(model::Codec codec) {
  // An int8 block has one scale, so it is decoded whole.
  return codec == model::Codec::kFp32 ? kFp32StripParameters : model::kBlockParameters;
}

absl::StatusOr<SealedDeltaReader::Opened> SealedDeltaReader::Open(const SealedDelta& delta,
                                                                  const DeltaFormat& format) {
  UniqueFd fd(open(delta.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return FileError(errno, "open", delta.file);
  }
  struct stat status = {};
  if (fstat(fd.get(), &status) != 0) {
    return FileError(errno, "stat", delta.file);
  }
  Opened opened;
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  if (delta.offset_bytes > file_bytes || delta.size_bytes > file_bytes - delta.offset_bytes) {
    opened.verdict = DeltaVerdict::kTruncated;
    return opened;
  }
  const auto plain_bytes = crypto::PlainSize(delta.size_bytes);
  if (!plain_bytes.ok() || *plain_bytes != model::EncodedBytes(format.codec, format.parameters)) {
    opened.verdict = DeltaVerdict::kWrongLayout;
    return opened;
  }
  crypto::SealedHeader header;
  CARNET_RETURN_IF_ERROR(ReadExactly(fd.get(), delta.offset_bytes, header));
  auto opener =
      crypto::ChunkOpener::Create(delta.data_key, delta.context, header, delta.size_bytes);
  if (absl::IsFailedPrecondition(opener.status())) {
    opened.verdict = DeltaVerdict::kWrongKey;
    return opened;
  }
  CARNET_RETURN_IF_ERROR(opener.status());
  opened.reader =
      SealedDeltaReader(std::move(fd), delta.offset_bytes, format.codec, std::move(opener).value());
  return opened;
}

SealedDeltaReader::SealedDeltaReader(UniqueFd fd, std::uint64_t offset, model::Codec codec,
                                     crypto::ChunkOpener opener)
    : fd_(std::move(fd)), offset_bytes_(offset), codec_(codec), opener_(std::move(opener)) {}

absl::StatusOr<DeltaVerdict> SealedDeltaReader::ReadStrip(std::uint64_t first,
                                                          std::span<float> values,
                                                          std::span<std::uint8_t> scratch) const {
  CARNET_CHECK(first % StripParameters(codec_) == 0 && values.size() <= StripParameters(codec_));
  const auto read = [this](std::uint64_t offset, std::span<std::uint8_t> bytes) {
    return ReadSealed(offset, bytes);
  };
  if (codec_ == model::Codec::kFp32) {
    // The encoding is the values' own bytes: no copy.
    return ToVerdict(opener_.OpenRange(
        first * sizeof(float),
        {reinterpret_cast<std::uint8_t*>(values.data()), values.size_bytes()}, read));
  }
  const std::span<std::uint8_t> encoded =
      scratch.first(model::EncodedBlockBytes(codec_, values.size()));
  const std::uint64_t offset = model::EncodedBlockOffset(codec_, first / model::kBlockParameters);
  CARNET_ASSIGN_OR_RETURN(const DeltaVerdict verdict,
                          ToVerdict(opener_.OpenRange(offset, encoded, read)));
  if (verdict != DeltaVerdict::kOk) {
    return verdict;
  }
  return model::DecodeBlock(codec_, encoded, values) == model::DecodeVerdict::kOk
             ? DeltaVerdict::kOk
             : DeltaVerdict::kBadBlock;
}

absl::StatusOr<DeltaVerdict> SealedDeltaReader::CheckEnd() const {
  const std::uint64_t last = opener_.chunk_count() - 1;
  const std::size_t plain_bytes = opener_.ChunkPlainSize(last);
  std::array<std::uint8_t, crypto::kChunkSealedBytes> sealed;
  std::array<std::uint8_t, crypto::kChunkPlainBytes> plain;
  const std::span<std::uint8_t> chunk =
      std::span<std::uint8_t>(sealed).first(plain_bytes + crypto::kChunkTagBytes);
  CARNET_RETURN_IF_ERROR(ReadSealed(crypto::ChunkOffset(last), chunk));
  const absl::Status opened =
      opener_.OpenChunk(last, chunk, std::span<std::uint8_t>(plain).first(plain_bytes));
  crypto::Wipe(plain);
  return ToVerdict(opened);
}

absl::Status SealedDeltaReader::ReadSealed(std::uint64_t offset,
                                           std::span<std::uint8_t> bytes) const {
  return ReadExactly(fd_.get(), offset_bytes_ + offset, bytes);
}

}  // namespace carnet::aggregation
