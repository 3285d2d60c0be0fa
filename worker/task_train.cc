#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "exchange/expected.h"
#include "worker/core/seeds.h"
#include "worker/delta.h"
#include "worker/task_steps.h"

namespace carnet::worker {
namespace {

namespace fs = std::filesystem;

// What one training gives besides its delta file.
struct Trained {
  TrainerResult result;
  double seconds = 0;
};

std::optional<StepError> Fit(const CheckedTask& task, const TrainTask& train,
                             const OpenedModel& model, const TaskParts& parts, Trained* trained) {
  FitOrder order;
  if (auto error = DataPaths(train.member, parts, &order.data)) {
    return error;
  }
  TrainerFailure failure;
  const auto process =
      parts.trainers.Process(train.job, model.reader->layout(), parts.cancel, &failure);
  if (!process.ok()) {
    return StepError{process.status(), failure};
  }
  order.round = train.opened.round();
  order.parameters = kParametersFile;
  order.delta = kDeltaFile;
  order.steps = train.job.spec.local().steps();
  order.seed =
      FitSeed(train.job.spec_sha256, train.opened.round(), parts.identity.spiffe_id.Path());
  std::error_code ignored;
  fs::remove(model.directory / kDeltaFile, ignored);
  const absl::Duration started = parts.clock.MonotonicNow();
  const absl::Duration deadline =
      std::min(MonotonicDeadline(task, parts), started + parts.trainers.fit_deadline_max());
  auto result = (*process)->Fit(order, deadline, parts.cancel, [&](const TrainerProgress& p) {
    parts.progress.store(
        p.of == 0 ? 0.1 : 0.1 + 0.7 * static_cast<double>(p.step) / static_cast<double>(p.of));
  });
  if (!result.ok()) {
    return StepError{result.status(), (*process)->failure()};
  }
  trained->result = *std::move(result);
  trained->seconds = absl::ToDoubleSeconds(parts.clock.MonotonicNow() - started);
  return std::nullopt;
}

absl::StatusOr<EncodedDelta> EncodeDelta(const TrainTask& train, const OpenedModel& model,
                                         const TaskParts& parts) {
  DeltaOptions options;
  options.codec =
      train.job.spec.delta().codec() == v1::CODEC_INT8 ? model::Codec::kInt8 : model::Codec::kFp32;
  options.clip = train.job.spec.delta().clip();
  options.random =
      RoundingRandom(train.job.spec_sha256, train.opened.round(), parts.identity.spiffe_id.Path());
  return EncodedDelta::Open((model.directory / kDeltaFile).string(), model.reader->layout(),
                            std::move(options));
}

// Seals the delta to the round's key into the journal; returns what its upload says.
absl::StatusOr<v1::UploadOpen> SealDelta(const CheckedTask& task, const TrainTask& train,
                                         const OpenedModel& model, EncodedDelta& delta,
                                         const Journal& journal, const TaskParts& parts) {
  const Digest layout_sha256 = crypto::Sha256(AsBytes(model.reader->layout().CanonicalBytes()));
  const bool int8 = train.job.spec.delta().codec() == v1::CODEC_INT8;
  v1::ArtifactHeader fields = exchange::DeltaHeader(
      train.opened, train.member,
      {.worker_spiffe_id = parts.identity.spiffe_id.ToString(),
       .layout_sha256 = layout_sha256,
       .codec = model::CodecName(int8 ? model::Codec::kInt8 : model::Codec::kFp32),
       .encoded_bytes = delta.size_bytes()});
  const auto data_key = crypto::SecretBytes::Random(parts.rng, crypto::kDataKeyBytes);
  crypto::SealedSalt salt;
  parts.rng.Fill(salt);
  fields.set_salt(ToString(salt));
  CARNET_ASSIGN_OR_RETURN(const crypto::X25519PublicKey round_key,
                          crypto::ToX25519PublicKey(AsBytes(train.opened.round_public_key())));
  CARNET_RETURN_IF_ERROR(exchange::WrapKeyInHeader(data_key, round_key, parts.rng, &fields));
  CARNET_ASSIGN_OR_RETURN(const exchange::Header header, exchange::MakeHeader(std::move(fields)));
  CARNET_ASSIGN_OR_RETURN(const exchange::SealedFile sealed,
                          exchange::SealToFile(
                              header, data_key, salt,
                              [&delta](std::uint64_t offset, std::span<std::uint8_t> out) {
                                return delta.ReadAt(offset, out);
                              },
                              journal.sealed()));
  if (sealed.sealed_bytes > task.upload.bytes_max()) {
    return absl::OutOfRangeError("task: the delta is larger than its ticket");
  }
  v1::UploadOpen open;
  open.set_task_id(task.task_id);
  open.set_ticket_id(task.upload.ticket_id());
  open.set_artifact_header(header.bytes);
  open.set_sealed_bytes(sealed.sealed_bytes);
  open.set_sealed_sha256(ToString(sealed.sealed_sha256));
  open.set_signature(
      ToString(exchange::SignArtifact(parts.statement_key, header.sha256, sealed.sealed_sha256)));
  return open;
}

// The contribution but for what is known when it is signed.
v1::Contribution Draft(const TrainTask& train, const v1::UploadOpen& open, const Trained& trained,
                       const TaskParts& parts) {
  v1::Contribution draft;
  draft.set_job_id(train.opened.job_id());
  draft.set_round(train.opened.round());
  draft.set_attempt(train.opened.attempt());
  draft.set_round_opened_index(train.opened_index);
  draft.set_worker_id(parts.identity.worker_id);
  draft.set_region(parts.identity.spiffe_id.region());
  draft.set_supplier(parts.identity.supplier);
  *draft.mutable_shard_sha256() = train.member.shard_sha256();
  draft.set_base_model_sha256(train.opened.model_sha256());
  draft.set_header_sha256(ToString(crypto::Sha256(AsBytes(open.artifact_header()))));
  draft.set_sealed_sha256(open.sealed_sha256());
  draft.set_sealed_bytes(open.sealed_bytes());
  draft.set_steps(trained.result.steps);
  draft.set_examples(trained.result.examples);
  draft.set_seconds(trained.seconds);
  const auto metrics = NamedMetrics(trained.result.metrics, train.job.spec);
  draft.mutable_metrics()->insert(metrics.begin(), metrics.end());
  draft.set_trainer_digest(ToString(train.job.trainer_digest));
  return draft;
}

// Download, train, seal. After it the sealed delta is durable, and a restart does not train again.
std::optional<StepError> MakeDelta(const CheckedTask& task, const TrainTask& train,
                                   Journal& journal, const TaskParts& parts) {
  OpenedModel model;
  if (auto error = OpenModel(task, train.model, train.opened.model(), parts, &model)) {
    return error;
  }
  Trained trained;
  if (auto error = Fit(task, train, model, parts, &trained)) {
    return error;
  }
  auto delta = EncodeDelta(train, model, parts);
  if (!delta.ok()) {
    return FailedStep(delta.status(), v1::TASK_FAILURE_TRAINER_OUTPUT);
  }
  const auto open = SealDelta(task, train, model, *delta, journal, parts);
  if (!open.ok()) {
    return FailedStep(open.status(), absl::IsInvalidArgument(open.status())
                                         ? v1::TASK_FAILURE_TRAINER_OUTPUT
                                         : v1::TASK_FAILURE_DISK);
  }
  const absl::Status kept = journal.KeepUpload(*open, Draft(train, *open, trained, parts));
  if (!kept.ok()) {
    return FailedStep(kept, v1::TASK_FAILURE_DISK);
  }
  Log(LogLevel::kInfo, "delta-sealed",
      {{"task", task.task_id},
       {"seconds", trained.seconds},
       {"norm", delta->norm()},
       {"clip_factor", delta->factor()},
       {"sealed_bytes", open->sealed_bytes()}});
  std::error_code ignored;
  fs::remove(model.directory / kDeltaFile, ignored);
  fs::remove(model.directory / kParametersFile, ignored);
  return std::nullopt;
}

// Upload what the journal holds, then sign; after it a restart only submits.
std::optional<StepError> GiveOver(const CheckedTask& task, const v1::UploadOpen& open,
                                  Journal& journal, const TaskParts& parts,
                                  v1::SignedRecord* record) {
  if (auto error = UploadSealed(task, open, journal, parts)) {
    return error;
  }
  parts.progress.store(0.95);
  auto contribution = journal.Draft();
  if (!contribution.ok()) {
    return FailedStep(contribution.status(), v1::TASK_FAILURE_DISK);
  }
  *contribution->mutable_common() = MakeCommon(parts);
  *contribution->mutable_seen() = parts.heads.Seen();
  auto signed_record = Sign(*contribution, parts);
  if (!signed_record.ok()) {
    return FailedStep(signed_record.status(), v1::TASK_FAILURE_TRAINER_OUTPUT);
  }
  const absl::Status kept = journal.KeepRecord(*signed_record);
  if (!kept.ok()) {
    return FailedStep(kept, v1::TASK_FAILURE_DISK);
  }
  *record = *std::move(signed_record);
  return std::nullopt;
}

// Everything up to the receipt, from where the journal stands.
std::optional<StepError> Train(const CheckedTask& task, const TrainTask& train, Journal& journal,
                               const TaskParts& parts) {
  auto record = journal.Record();
  auto open = journal.Upload(task.task_id);
  if (!record.ok() || !open.ok()) {
    return FailedStep(record.ok() ? open.status() : record.status(), v1::TASK_FAILURE_DISK);
  }
  if (!open->has_value()) {
    if (auto error = MakeDelta(task, train, journal, parts)) {
      return error;
    }
    open = journal.Upload(task.task_id);
    record = std::optional<v1::SignedRecord>();
    if (!open.ok() || !open->has_value()) {
      return FailedStep(absl::DataLossError("journal: the upload is gone"), v1::TASK_FAILURE_DISK);
    }
  }
  v1::SignedRecord signed_record;
  if (record->has_value()) {
    signed_record = **record;
  } else if (auto error = GiveOver(task, **open, journal, parts, &signed_record)) {
    return error;
  }
  return SubmitRecord(
      task, signed_record,
      [&parts](const v1::SubmitRecordRequest& request) {
        return parts.client.SubmitContribution(request);
      },
      parts);
}

}  // namespace

TaskEnd RunTrain(const CheckedTask& task, const TrainTask& train, const TaskParts& parts) {
  auto journal = Journal::Open(parts.state.tasks(), task.task_id);
  if (!journal.ok()) {
    return EndOf(FailedStep(journal.status(), v1::TASK_FAILURE_DISK), parts);
  }
  if (auto error = Train(task, train, *journal, parts)) {
    return EndOf(*error, parts);
  }
  return {};
}

}  // namespace carnet::worker
