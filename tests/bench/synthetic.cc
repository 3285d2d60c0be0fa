#include "tests/bench/synthetic.h"

#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "crypto/sealed.h"
#include "model/blocks.h"
#include "model/safetensors.h"

namespace carnet::bench {
namespace {

// Small floats from a cheap generator (splitmix64); only their being different matters.
float ValueAt(std::uint64_t seed, std::uint64_t position) {
  std::uint64_t z = (seed << 40) + position * 0x9E3779B97F4A7C15U;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  return static_cast<float>(static_cast<std::int32_t>(z >> 32)) * 1e-12F;
}

Digest KeyOf(std::size_t index) {
  return crypto::Sha256(AsBytes(absl::StrCat("key ", index)));
}
Digest ContextOf(std::size_t index) {
  return crypto::Sha256(AsBytes(absl::StrCat("context ", index)));
}

}  // namespace

absl::StatusOr<SyntheticRound> SyntheticRound::Make(const std::filesystem::path& where,
                                                    std::uint64_t parameters, std::size_t files) {
  std::string pattern = (where / "carnet-bench-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("bench: no directory could be made in ", where.string()));
  }
  SyntheticRound round(pattern, parameters);
  CARNET_RETURN_IF_ERROR(round.WriteBase());
  for (std::size_t index = 0; index < files; ++index) {
    CARNET_RETURN_IF_ERROR(round.WriteDelta(index));
  }
  return round;
}

SyntheticRound::SyntheticRound(std::filesystem::path directory, std::uint64_t parameters)
    : directory_(std::move(directory)), parameters_(parameters) {}

SyntheticRound::SyntheticRound(SyntheticRound&& other) noexcept
    : directory_(std::move(other.directory_)),
      parameters_(other.parameters_),
      base_sha256_(other.base_sha256_),
      sealed_sha256_(std::move(other.sealed_sha256_)) {
  other.directory_.clear();
}

SyntheticRound::~SyntheticRound() {
  if (!directory_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
}

absl::Status SyntheticRound::WriteBase() {
  CARNET_ASSIGN_OR_RETURN(const model::Layout layout,
                          model::Layout::Create({{"w", {parameters_}}}));
  crypto::Sha256Stream hash;
  CARNET_ASSIGN_OR_RETURN(auto writer, model::SafetensorsWriter::Create(
                                           directory_ / "base", layout,
                                           [&hash](ByteView bytes) { hash.Update(bytes); }));
  std::vector<float> values;
  for (std::uint64_t index = 0; index < model::BlockCount(parameters_); ++index) {
    const model::Block block = model::BlockAt(parameters_, index);
    values.resize(block.count);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = ValueAt(99, block.first + i);
    }
    CARNET_RETURN_IF_ERROR(writer.Append(values));
  }
  CARNET_RETURN_IF_ERROR(writer.Finish());
  base_sha256_ = hash.Finish();
  return absl::OkStatus();
}

absl::Status SyntheticRound::WriteDelta(std::size_t index) {
  const Digest key = KeyOf(index);
  crypto::SealedSalt salt{};
  std::copy_n(key.begin(), salt.size(), salt.begin());
  CARNET_ASSIGN_OR_RETURN(
      const crypto::ChunkSealer sealer,
      crypto::ChunkSealer::Create(crypto::SecretBytes::Copy(key), ContextOf(index), salt));
  std::ofstream file(DeltaPath(index), std::ios::binary);
  crypto::Sha256Stream hash;
  const auto put = [&](ByteView bytes) {
    hash.Update(bytes);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  };
  put(sealer.header());
  constexpr std::size_t kChunkValues = crypto::kChunkPlainBytes / sizeof(float);
  std::vector<float> values;
  Bytes sealed;
  const std::uint64_t chunks = crypto::ChunkCount(model_bytes());
  for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
    const std::uint64_t first = chunk * kChunkValues;
    values.resize(std::min<std::uint64_t>(kChunkValues, parameters_ - first));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = ValueAt(index, first + i);
    }
    const ByteView plain(reinterpret_cast<const std::uint8_t*>(values.data()),
                         values.size() * sizeof(float));
    sealed.resize(plain.size() + crypto::kChunkTagBytes);
    CARNET_RETURN_IF_ERROR(sealer.SealChunk(chunk, plain, chunk + 1 == chunks, sealed));
    put(sealed);
  }
  file.flush();
  if (!file) {
    return absl::ResourceExhaustedError("bench: a sealed delta could not be written");
  }
  sealed_sha256_.push_back(hash.Finish());
  return absl::OkStatus();
}

std::filesystem::path SyntheticRound::DeltaPath(std::size_t index) const {
  return directory_ / absl::StrCat("delta-", index);
}

aggregation::SealedDelta SyntheticRound::Delta(std::size_t index, std::size_t contributor) const {
  aggregation::SealedDelta delta;
  delta.contributor = absl::StrFormat("/worker/%06d", contributor);
  delta.file = DeltaPath(index);
  delta.size_bytes = std::filesystem::file_size(delta.file);
  delta.data_key = crypto::SecretBytes::Copy(KeyOf(index));
  const Digest context = ContextOf(index);
  delta.context.assign(context.begin(), context.end());
  return delta;
}

std::vector<aggregation::Contribution> SyntheticRound::Contributions(std::size_t count) const {
  std::vector<aggregation::Contribution> contributions(count);
  for (std::size_t i = 0; i < count; ++i) {
    contributions[i].delta = Delta(i % files(), i);
    contributions[i].weight = 100 + i;
  }
  return contributions;
}

aggregation::CombineOptions SyntheticRound::CombineOptions(int threads) const {
  aggregation::CombineOptions options;
  options.base_model = {directory_ / "base", base_sha256_};
  options.model_out = directory_ / "new";
  options.threads = threads;
  return options;
}

}  // namespace carnet::bench
