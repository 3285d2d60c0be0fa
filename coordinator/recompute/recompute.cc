#include "coordinator/recompute/recompute.h"

#include <stdlib.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/aggregation/combine.h"
#include "crypto/hash.h"
#include "exchange/artifact.h"
#include "exchange/retained_key.h"

namespace carnet::coordinator {
namespace {

namespace fs = std::filesystem;
using audit::AggregatedDelta;
using audit::Aggregation;
using audit::AggregationResult;

constexpr std::size_t kHeaderBytesMax = std::size_t{16} * 1024;
constexpr std::size_t kHashChunkBytes = std::size_t{1} << 20;

// Read from the spec of the job as docs/formats.md has it.
aggregation::ServerOptimizer OptimizerOf(const v1::JobSpec& spec) {
  aggregation::ServerOptimizer optimizer;
  if (spec.strategy().server_optimizer().has_momentum()) {
    const v1::MomentumOptimizer& momentum = spec.strategy().server_optimizer().momentum();
    optimizer.kind = aggregation::ServerOptimizer::Kind::kMomentum;
    optimizer.nesterov = momentum.nesterov();
    optimizer.learning_rate = momentum.learning_rate();
    optimizer.momentum = momentum.momentum();
  }
  return optimizer;
}

Bytes BytesOf(const Digest& digest) {
  return Bytes(digest.begin(), digest.end());
}

absl::StatusOr<Digest> HashFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  crypto::Sha256Stream stream;
  std::string chunk(kHashChunkBytes, '\0');
  while (file) {
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    stream.Update(
        AsBytes(absl::string_view(chunk).substr(0, static_cast<std::size_t>(file.gcount()))));
  }
  if (!file.eof()) {
    return WithOperatorDetail(absl::UnavailableError("a sealed delta cannot be read"),
                              path.string());
  }
  return stream.Finish();
}

// The sealed delta under `blobs` with the key that opens it. DATA_LOSS: it is not the one that the
// record names.
absl::StatusOr<aggregation::SealedDelta> OpenableDelta(const fs::path& blobs,
                                                       const AggregatedDelta& delta,
                                                       const crypto::X25519KeyPair& round_key) {
  const std::string name = HexEncode(delta.sealed_sha256);
  const fs::path file = blobs / "delta" / name;
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  const absl::StatusOr<Bytes> header_bytes =
      error ? absl::NotFoundError("") : ReadFile(file.string() + ".header", kHeaderBytesMax);
  if (error || absl::IsNotFound(header_bytes.status())) {
    return absl::NotFoundError("a sealed delta of the round is not at hand");
  }
  CARNET_RETURN_IF_ERROR(header_bytes.status());
  CARNET_ASSIGN_OR_RETURN(const Digest digest, HashFile(file));
  if (BytesOf(digest) != delta.sealed_sha256) {
    return absl::DataLossError(
        absl::StrCat("the file of sealed delta ", name, " has the SHA-256 ", HexEncode(digest)));
  }
  const absl::StatusOr<exchange::Header> header = exchange::ParseHeader(*header_bytes);
  absl::StatusOr<crypto::SecretBytes> data_key =
      header.ok() ? exchange::UnwrapKeyInHeader(header->fields, round_key)
                  : absl::StatusOr<crypto::SecretBytes>(header.status());
  if (!data_key.ok()) {
    return absl::DataLossError(
        absl::StrCat("the header of sealed delta ", name, " is not its own"));
  }
  return aggregation::SealedDelta{
      delta.path, file, 0, size, *std::move(data_key), BytesOf(header->sha256)};
}

absl::StatusOr<std::optional<aggregation::DigestedFile>> OptimizerState(
    const Aggregation& aggregation, const absl::StatusOr<fs::path>& file) {
  if (aggregation.optimizer_state_sha256.empty()) {
    return std::nullopt;
  }
  if (!file.ok()) {
    return absl::NotFoundError("the optimizer's state before the round is not at hand");
  }
  CARNET_ASSIGN_OR_RETURN(const Digest digest, ToDigest(aggregation.optimizer_state_sha256));
  return aggregation::DigestedFile{*file, digest};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Recomputer>> Recomputer::Make(RecomputerOptions options,
                                                             crypto::X25519KeyPair person) {
  std::error_code error;
  const fs::path temporary = fs::temp_directory_path(error);
  if (error) {
    return FileError(error.value(), "find", "the temporary folder");
  }
  std::string name = (temporary / "carnet-recompute-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {  // with mode 0700
    return FileError(errno, "make a folder in", temporary);
  }
  return std::unique_ptr<Recomputer>(new Recomputer(std::move(options), std::move(person), name));
}

Recomputer::~Recomputer() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

fs::path Recomputer::OutputOf(const Chain& chain, bool odd, const char* what) const {
  return folder_ / absl::StrCat(chain.number, odd ? "-1-" : "-0-", what);
}

absl::StatusOr<fs::path> Recomputer::Find(const Aggregation& aggregation, const char* kind,
                                          const Bytes& sha256) const {
  const auto chain = chains_.find(aggregation.job_id);
  if (chain != chains_.end()) {
    const AggregationResult& last = chain->second.result;
    if ((kind == std::string("model") ? last.model_sha256 : last.optimizer_state_sha256) ==
        sha256) {
      return OutputOf(chain->second, !chain->second.odd, kind);
    }
  }
  const fs::path file = options_.blobs / kind / HexEncode(sha256);
  std::error_code error;
  if (!fs::is_regular_file(file, error)) {
    return absl::NotFoundError("");
  }
  return file;
}

absl::StatusOr<AggregationResult> Recomputer::Compute(const Aggregation& aggregation) {
  if (!IsId("j", aggregation.job_id)) {
    return absl::InvalidArgumentError("the job's id is none");
  }
  CARNET_ASSIGN_OR_RETURN(const crypto::X25519KeyPair round_key,
                          exchange::OpenRetainedKey(*aggregation.key, person_));
  const absl::StatusOr<fs::path> base = Find(aggregation, "model", aggregation.base_model_sha256);
  if (!base.ok()) {
    return absl::NotFoundError("the base model of the round is not at hand");
  }
  aggregation::CombineOptions options;
  CARNET_ASSIGN_OR_RETURN(const Digest base_sha256, ToDigest(aggregation.base_model_sha256));
  options.base_model = {*base, base_sha256};
  CARNET_ASSIGN_OR_RETURN(options.velocity,
                          OptimizerState(aggregation, Find(aggregation, "optimizer",
                                                           aggregation.optimizer_state_sha256)));
  options.codec = aggregation.spec->delta().codec() == v1::CODEC_INT8 ? model::Codec::kInt8
                                                                      : model::Codec::kFp32;
  options.optimizer = OptimizerOf(*aggregation.spec);
  options.threads = options_.threads;
  const std::size_t number = chains_.size();
  Chain& chain = chains_.emplace(aggregation.job_id, Chain{number, {}, false}).first->second;
  options.model_out = OutputOf(chain, chain.odd, "model");
  options.velocity_out = OutputOf(chain, chain.odd, "optimizer");
  std::vector<aggregation::Contribution> contributions;
  for (const AggregatedDelta& delta : aggregation.deltas) {
    CARNET_ASSIGN_OR_RETURN(aggregation::SealedDelta sealed,
                            OpenableDelta(options_.blobs, delta, round_key));
    contributions.push_back({std::move(sealed), delta.weight});
  }
  CARNET_ASSIGN_OR_RETURN(const aggregation::Combined combined,
                          aggregation::Combine(contributions, options));
  AggregationResult result;
  result.model_sha256 = BytesOf(combined.model_sha256);
  if (combined.velocity_sha256.has_value()) {
    result.optimizer_state_sha256 = BytesOf(*combined.velocity_sha256);
  }
  chain.result = result;
  chain.odd = !chain.odd;
  return result;
}

}  // namespace carnet::coordinator
