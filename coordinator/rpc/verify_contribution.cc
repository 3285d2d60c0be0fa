#include "coordinator/rpc/verify_contribution.h"

#include <utility>

#include "base/status.h"
#include "coordinator/aggregation/verify.h"
#include "coordinator/blobs/sealed_header.h"
#include "coordinator/core/reasons.h"
#include "coordinator/effects/combine_round.h"
#include "crypto/hash.h"
#include "exchange/expected.h"
#include "ledger/record.h"
#include "model/codec.h"
#include "model/safetensors.h"

namespace carnet::coordinator {
namespace {

absl::StatusOr<model::SafetensorsReader> OpenBaseModel(const Services& services,
                                                       const RoundExpectation& expected) {
  return model::SafetensorsReader::Open(
      services.blobs.PathOf({BlobKind::kModel, ToBytes(expected.opened.model_sha256())}));
}

absl::StatusOr<std::string> VerifySealedDelta(const Services& services,
                                              const RoundExpectation& expected,
                                              const WorkerPeer& worker,
                                              const v1::Contribution& contribution) {
  CARNET_ASSIGN_OR_RETURN(const Digest sealed_sha256,
                          ToDigest(AsBytes(contribution.sealed_sha256())));
  const BlobId blob{BlobKind::kDelta, ToBytes(contribution.sealed_sha256())};
  if (!services.blobs.Has(blob)) {
    return std::string(reasons::kTruncated);  // never uploaded whole
  }
  CARNET_ASSIGN_OR_RETURN(const exchange::Header header, ReadSealedHeader(services.blobs, blob));
  if (AsText(header.sha256) != contribution.header_sha256()) {
    return std::string(reasons::kWrongHeader);
  }
  CARNET_ASSIGN_OR_RETURN(std::string reason,
                          CheckDeltaHeader(services, expected, worker, header.fields));
  if (!reason.empty()) {
    return reason;
  }
  CARNET_ASSIGN_OR_RETURN(const crypto::X25519KeyPair round_key,
                          ReadRoundKey(services.keys, expected.opened.round_key_id()));
  const absl::StatusOr<aggregation::SealedDelta> delta =
      OpenableDelta(services.blobs, blob, round_key, worker.spiffe_id);
  if (!delta.ok()) {
    return std::string(reasons::kWrongHeader);  // its key is not wrapped for this round
  }
  CARNET_ASSIGN_OR_RETURN(const model::SafetensorsReader base, OpenBaseModel(services, expected));
  aggregation::VerifyOptions options;
  options.format = {CodecOf(expected.spec), base.layout().parameter_count()};
  options.sealed_sha256 = sealed_sha256;
  options.clip =
      expected.spec.delta().clip() > 0 ? expected.spec.delta().clip() : aggregation::kNoClip;
  options.threads = services.verify_threads;
  CARNET_ASSIGN_OR_RETURN(const aggregation::Verification verification,
                          aggregation::VerifyDelta(*delta, options));
  return std::string(aggregation::ReasonOf(verification.verdict));
}

}  // namespace

absl::StatusOr<RoundExpectation> ExpectationOf(const State& state, const std::string& job_id,
                                               const std::string& worker_id) {
  const Job* job = state.FindJob(job_id);
  if (job != nullptr && job->round.has_value()) {
    for (const v1::RoundMember& member : job->round->opened.members()) {
      if (member.worker_id() == worker_id) {
        return RoundExpectation{job->round->opened, member, job->submitted.spec()};
      }
    }
  }
  return absl::FailedPreconditionError("no round is open for this worker");
}

absl::StatusOr<std::string> CheckDeltaHeader(const Services& services,
                                             const RoundExpectation& expected,
                                             const WorkerPeer& worker,
                                             const v1::ArtifactHeader& header) {
  CARNET_ASSIGN_OR_RETURN(const model::SafetensorsReader base, OpenBaseModel(services, expected));
  const Digest layout_sha256 = crypto::Sha256(AsBytes(base.layout().CanonicalBytes()));
  const model::Codec codec = CodecOf(expected.spec);
  exchange::DeltaHeaderFacts facts;
  facts.worker_spiffe_id = worker.spiffe_id;
  facts.layout_sha256 = layout_sha256;
  facts.codec = codec == model::Codec::kInt8 ? "int8" : "fp32";
  facts.encoded_bytes = model::EncodedBytes(codec, base.layout().parameter_count());
  const v1::ArtifactHeader wanted = exchange::DeltaHeader(expected.opened, expected.member, facts);
  if (exchange::CompareHeaders(wanted, header, exchange::kSealerFields).ok()) {
    return std::string();
  }
  // The most telling difference first.
  if (header.job_id() != wanted.job_id() || header.round() != wanted.round() ||
      header.attempt() != wanted.attempt()) {
    return std::string(reasons::kReplayed);
  }
  if (header.base_model_sha256() != wanted.base_model_sha256()) {
    return std::string(reasons::kWrongBaseModel);
  }
  if (header.layout_sha256() != wanted.layout_sha256() || header.codec() != wanted.codec() ||
      header.plaintext_bytes() != wanted.plaintext_bytes()) {
    return std::string(reasons::kWrongLayout);
  }
  return std::string(reasons::kWrongHeader);
}

absl::StatusOr<SubmitContribution> VerifyContribution(const Services& services,
                                                      const RoundExpectation& expected,
                                                      const WorkerPeer& worker,
                                                      const v1::SignedRecord& record,
                                                      v1::Contribution contribution) {
  SubmitContribution command;
  command.worker_id = worker.worker_id;
  command.record = record;
  command.signed_by_worker = record.public_key() == AsText(worker.statement_key);
  command.seen_in_log = services.log.CheckSeen(contribution.seen()).ok();
  if (command.signed_by_worker && command.seen_in_log) {
    CARNET_ASSIGN_OR_RETURN(command.verdict,
                            VerifySealedDelta(services, expected, worker, contribution));
  }
  command.contribution = std::move(contribution);
  return command;
}

}  // namespace carnet::coordinator
