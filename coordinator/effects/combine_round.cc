#include "coordinator/effects/combine_round.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/log.h"
#include "base/status.h"
#include "coordinator/blobs/sealed_header.h"
#include "crypto/x25519.h"
#include "exchange/artifact.h"

namespace carnet::coordinator {
namespace {

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

absl::StatusOr<aggregation::DigestedFile> FileOf(const Blobs& blobs, BlobKind kind,
                                                 const Bytes& sha256) {
  CARNET_ASSIGN_OR_RETURN(const Digest digest, ToDigest(sha256));
  return aggregation::DigestedFile{blobs.PathOf({kind, sha256}), digest};
}

Bytes BytesOf(const Digest& digest) {
  return Bytes(digest.begin(), digest.end());
}

}  // namespace

RoundInputs InputsOf(const State& state, const Job& job) {
  CARNET_CHECK(job.round.has_value() && job.round->closed.has_value());
  RoundInputs inputs;
  inputs.job_id = job.id;
  inputs.round = job.round->opened.round();
  inputs.attempt = job.round->opened.attempt();
  inputs.round_key_id = job.round->opened.round_key_id();
  inputs.base_model_sha256 = job.model_sha256;
  inputs.optimizer_state_sha256 = job.optimizer_state_sha256;
  inputs.spec = job.submitted.spec();
  inputs.deltas = IncludedDeltas(*job.round);
  for (const IncludedDelta& delta : inputs.deltas) {
    inputs.paths.push_back(state.workers.at(delta.worker_id).path);
  }
  return inputs;
}

model::Codec CodecOf(const v1::JobSpec& spec) {
  return spec.delta().codec() == v1::CODEC_INT8 ? model::Codec::kInt8 : model::Codec::kFp32;
}

absl::StatusOr<crypto::X25519KeyPair> ReadRoundKey(const crypto::KeyFiles& keys,
                                                   const std::string& key_id) {
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes secret,
                          keys.Read(key_id, crypto::KeyKind::kX25519));
  return crypto::X25519KeyPair::FromPrivateKey(secret);
}

absl::StatusOr<aggregation::SealedDelta> OpenableDelta(const Blobs& blobs, const BlobId& blob,
                                                       const crypto::X25519KeyPair& round_key,
                                                       const std::string& contributor) {
  CARNET_ASSIGN_OR_RETURN(const exchange::Header header, ReadSealedHeader(blobs, blob));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t size, blobs.SizeOf(blob));
  CARNET_ASSIGN_OR_RETURN(crypto::SecretBytes data_key,
                          exchange::UnwrapKeyInHeader(header.fields, round_key));
  return aggregation::SealedDelta{contributor, blobs.PathOf(blob),  0,
                                  size,        std::move(data_key), BytesOf(header.sha256)};
}

absl::StatusOr<CommandBody> CombineRound(const RoundInputs& inputs, int threads,
                                         const std::atomic<bool>* cancelled, Blobs& blobs,
                                         const crypto::KeyFiles& keys) {
  CARNET_ASSIGN_OR_RETURN(const crypto::X25519KeyPair round_key,
                          ReadRoundKey(keys, inputs.round_key_id));
  std::vector<aggregation::Contribution> contributions;
  for (std::size_t i = 0; i < inputs.deltas.size(); ++i) {
    const IncludedDelta& included = inputs.deltas[i];
    absl::StatusOr<aggregation::SealedDelta> delta = OpenableDelta(
        blobs, {BlobKind::kDelta, ToBytes(included.sealed_sha256)}, round_key, inputs.paths[i]);
    if (!delta.ok()) {
      Log(LogLevel::kError, "delta.lost", {{"job", inputs.job_id}, {"why", delta.status()}});
      return CommandBody(StorageFault{inputs.job_id, included.worker_id});
    }
    contributions.push_back({*std::move(delta), included.weight});
  }
  const std::string name =
      absl::StrCat("combine-", inputs.job_id, "-", inputs.round, "-", inputs.attempt);
  aggregation::CombineOptions options;
  options.codec = CodecOf(inputs.spec);
  options.optimizer = OptimizerOf(inputs.spec);
  CARNET_ASSIGN_OR_RETURN(options.base_model,
                          FileOf(blobs, BlobKind::kModel, inputs.base_model_sha256));
  if (!inputs.optimizer_state_sha256.empty()) {
    CARNET_ASSIGN_OR_RETURN(options.velocity,
                            FileOf(blobs, BlobKind::kOptimizer, inputs.optimizer_state_sha256));
  }
  options.model_out = blobs.PartialPath(name + "-model");
  options.velocity_out = blobs.PartialPath(name + "-velocity");
  options.threads = threads;
  options.cancelled = cancelled;
  const absl::StatusOr<aggregation::Combined> combined =
      aggregation::Combine(contributions, options);
  if (!combined.ok()) {
    const std::optional<std::string> faulty = aggregation::FaultyContributor(combined.status());
    const auto path = std::find(inputs.paths.begin(), inputs.paths.end(), faulty.value_or(""));
    if (path == inputs.paths.end()) {
      return combined.status();
    }
    Log(LogLevel::kError, "delta.damaged", {{"job", inputs.job_id}, {"why", combined.status()}});
    return CommandBody(StorageFault{
        inputs.job_id,
        inputs.deltas[static_cast<std::size_t>(path - inputs.paths.begin())].worker_id});
  }
  RecordAggregate record;
  record.job_id = inputs.job_id;
  record.round = inputs.round;
  record.attempt = inputs.attempt;
  record.model_sha256 = BytesOf(combined->model_sha256);
  record.model_bytes = combined->model_bytes;
  CARNET_RETURN_IF_ERROR(blobs.Add(options.model_out, {BlobKind::kModel, record.model_sha256}));
  if (combined->velocity_sha256.has_value()) {
    record.optimizer_state_sha256 = BytesOf(*combined->velocity_sha256);
    CARNET_RETURN_IF_ERROR(
        blobs.Add(options.velocity_out, {BlobKind::kOptimizer, record.optimizer_state_sha256}));
  }
  return CommandBody(std::move(record));
}

}  // namespace carnet::coordinator
