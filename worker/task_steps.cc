#include "worker/task_steps.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/backoff.h"
#include "base/log.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "crypto/hash.h"
#include "ledger/record.h"
#include "worker/core/policy_chain.h"

namespace carnet::worker {
namespace {

constexpr absl::Duration kCancelEvery = absl::Milliseconds(100);
constexpr std::size_t kNonceBytes = 32;
constexpr std::size_t kRequestIdBytes = 16;

// Nothing was done, or everything up to a durable offset: the same call again may succeed.
bool IsPassing(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
      return true;
    default:
      return false;
  }
}

// What a worker's own files say is no matter of trying again.
StepError LocalError(const absl::Status& status) {
  return FailedStep(status, v1::TASK_FAILURE_DISK);
}

}  // namespace

TaskEnd EndOf(const StepError& error, const TaskParts& parts) {
  TaskEnd end;
  end.status = error.status;
  end.failure = error.failure;
  if (IsFork(error.status) || IsContradiction(error.status)) {
    end.kind = TaskEnd::Kind::kFork;
  } else if (parts.cancel.load()) {
    end.kind = TaskEnd::Kind::kCancelled;
  } else if (error.failure.failure != v1::TASK_FAILURE_UNSPECIFIED) {
    end.kind = TaskEnd::Kind::kFailed;
  } else {
    end.kind = TaskEnd::Kind::kRefused;
  }
  return end;
}

absl::Duration MonotonicDeadline(const CheckedTask& task, const TaskParts& parts) {
  return parts.clock.MonotonicNow() + (task.deadline - parts.clock.Now());
}

absl::Status Persist(const TaskParts& parts, absl::Duration deadline,
                     const std::function<absl::Status()>& call) {
  for (int attempt = 0;; ++attempt) {
    const absl::Status status = call();
    if (status.ok() || !IsPassing(status)) {
      return status;
    }
    absl::Duration wait = BackoffDelay({}, std::min(attempt, 16), RandomUint64(parts.rng));
    for (; wait > absl::ZeroDuration(); wait -= kCancelEvery) {
      if (parts.cancel.load()) {
        return absl::CancelledError("task: cancelled");
      }
      if (parts.clock.MonotonicNow() >= deadline) {
        return absl::DeadlineExceededError("task: its deadline has passed");
      }
      absl::SleepFor(std::min(wait, kCancelEvery));
    }
  }
}

std::optional<StepError> PersistSending(const CheckedTask& task, const TaskParts& parts,
                                        const std::function<absl::Status()>& call) {
  absl::Status refused;
  const absl::Status status = Persist(parts, MonotonicDeadline(task, parts), [&]() -> absl::Status {
    refused = parts.gate.MayLeave(task.task_id);
    return refused.ok() ? call() : absl::InternalError("site: refused");
  });
  if (!refused.ok()) {
    return FailedStep(refused, v1::TASK_FAILURE_REFUSED_BY_SITE);
  }
  return status.ok() ? std::nullopt : std::optional<StepError>(StepError{status, {}});
}

std::optional<StepError> DownloadSealed(const CheckedTask& task, const exchange::TransferSpec& spec,
                                        const TaskParts& parts, std::filesystem::path* sealed) {
  auto spool = exchange::ReceiveSpool::Open(parts.state.spool(), spec, parts.clock.MonotonicNow());
  if (absl::IsDataLoss(spool.status())) {
    // Damaged by a crash; it is gone, and everything comes again.
    spool = exchange::ReceiveSpool::Open(parts.state.spool(), spec, parts.clock.MonotonicNow());
  }
  if (!spool.ok()) {
    return LocalError(spool.status());
  }
  *sealed = spool->path();
  absl::Status local;
  const auto take = [&](std::uint64_t offset, ByteView data) {
    local = spool->Write(offset, data);
    if (local.ok()) {
      local = spool->Acknowledge(parts.clock.MonotonicNow()).status();
    }
    parts.progress.store(0.1 * static_cast<double>(spool->state().received_bytes()) /
                         static_cast<double>(spec.size_bytes));
    return local;
  };
  const absl::Status status = Persist(parts, MonotonicDeadline(task, parts), [&]() -> absl::Status {
    if (spool->state().complete()) {
      return absl::OkStatus();
    }
    v1::DownloadRequest request;
    request.set_task_id(task.task_id);
    request.set_ticket_id(task.download.ticket_id());
    request.set_offset(spool->state().received_bytes());
    const absl::Status streamed = parts.client.Download(request, take, parts.cancel);
    if (!local.ok()) {
      return absl::InternalError("download: it cannot be kept");
    }
    CARNET_RETURN_IF_ERROR(streamed);
    return spool->state().complete() ? absl::OkStatus()
                                     : absl::UnavailableError("download: it ended early");
  });
  if (absl::IsDataLoss(local)) {
    return FailedStep(local, v1::TASK_FAILURE_ARTIFACT_INVALID);
  }
  if (!local.ok()) {
    // A chunk out of place is the coordinator's doing, everything else this machine's.
    return absl::IsOutOfRange(local) || absl::IsInvalidArgument(local)
               ? FailedStep(local, v1::TASK_FAILURE_ARTIFACT_INVALID)
               : LocalError(local);
  }
  return status.ok() ? std::nullopt : std::optional<StepError>(StepError{status, {}});
}

std::optional<StepError> UploadSealed(const CheckedTask& task, const v1::UploadOpen& open,
                                      const Journal& journal, const TaskParts& parts) {
  const auto file = exchange::SendFile::Open(journal.sealed(), open.sealed_bytes());
  if (!file.ok()) {
    return LocalError(file.status());
  }
  v1::UploadOpen request = open;
  request.set_ticket_id(task.upload.ticket_id());
  const absl::Duration started = parts.clock.MonotonicNow();
  if (auto error = PersistSending(
          task, parts, [&] { return parts.client.Upload(request, *file, parts.cancel); })) {
    return error;
  }
  Log(LogLevel::kInfo, "uploaded",
      {{"task", task.task_id},
       {"sealed_bytes", open.sealed_bytes()},
       {"seconds", absl::ToDoubleSeconds(parts.clock.MonotonicNow() - started)}});
  return std::nullopt;
}

std::optional<StepError> OpenModel(const CheckedTask& task, const exchange::Header& header,
                                   const v1::SealedArtifact& recorded, const TaskParts& parts,
                                   OpenedModel* opened) {
  exchange::TransferSpec spec;
  spec.id = header.sha256;
  spec.size_bytes = recorded.sealed_bytes();
  spec.sha256 = ToDigest(AsBytes(recorded.sealed_sha256())).value_or(Digest{});
  std::filesystem::path sealed;
  if (auto error = DownloadSealed(task, spec, parts, &sealed)) {
    return error;
  }
  const auto data_key = exchange::UnwrapKey(header.fields, task.key, parts.wrapping_key);
  if (!data_key.ok()) {
    return FailedStep(data_key.status(), v1::TASK_FAILURE_ARTIFACT_INVALID);
  }
  const auto directory =
      parts.trainers.Directory(header.fields.job_id(), header.fields.plaintext_bytes());
  if (!directory.ok()) {
    return LocalError(directory.status());
  }
  opened->directory = *directory;
  const std::filesystem::path path = *directory / kParametersFile;
  const auto digest = exchange::OpenFile(header, *data_key, sealed, path);
  if (!digest.ok()) {
    return absl::IsResourceExhausted(digest.status())
               ? LocalError(digest.status())
               : FailedStep(digest.status(), v1::TASK_FAILURE_ARTIFACT_INVALID);
  }
  auto reader = model::SafetensorsReader::Open(path.string());
  if (AsText(*digest) != header.fields.base_model_sha256() || !reader.ok() ||
      AsText(crypto::Sha256(AsBytes(reader->layout().CanonicalBytes()))) !=
          header.fields.layout_sha256()) {
    return FailedStep(absl::InvalidArgumentError("task: the model is not the recorded one"),
                      v1::TASK_FAILURE_ARTIFACT_INVALID);
  }
  opened->reader.emplace(*std::move(reader));
  return std::nullopt;
}

std::optional<StepError> DataPaths(const v1::RoundMember& member, const TaskParts& parts,
                                   std::vector<std::string>* paths) {
  for (const std::string& shard : member.shards()) {
    const auto path = parts.data.find(shard);
    if (path == parts.data.end()) {
      return FailedStep(absl::NotFoundError("task: a shard is not here"),
                        v1::TASK_FAILURE_SHARD_MISSING);
    }
    paths->push_back(path->second.string());
  }
  return std::nullopt;
}

v1::Common MakeCommon(const TaskParts& parts) {
  v1::Common common;
  common.set_nonce(ToString(RandomBytes(parts.rng, kNonceBytes)));
  *common.mutable_at() = ToTimestamp(parts.clock.Now());
  common.set_request_id(ToString(RandomBytes(parts.rng, kRequestIdBytes)));
  return common;
}

absl::StatusOr<v1::SignedRecord> Sign(const google::protobuf::Message& predicate,
                                      const TaskParts& parts) {
  CARNET_ASSIGN_OR_RETURN(std::string statement, ledger::MakeStatement(predicate));
  return ledger::SignRecord(std::move(statement), parts.statement_key);
}

std::optional<StepError> SubmitRecord(const CheckedTask& task, const v1::SignedRecord& record,
                                      const SubmitCall& call, const TaskParts& parts) {
  const auto opened = ledger::OpenRecord(record);
  if (!opened.ok()) {
    return LocalError(opened.status());
  }
  parts.submitting.store(true);
  v1::SubmitRecordRequest request;
  request.set_request_id(ledger::CommonOf(opened->predicate).request_id());
  request.set_task_id(task.task_id);
  *request.mutable_record() = record;
  // The metrics are in it.
  return PersistSending(task, parts, [&]() -> absl::Status {
    const HeadKeeper::Turn turn = HeadKeeper::Turn::Now(parts.heads, parts.client);
    CARNET_ASSIGN_OR_RETURN(const v1::SubmitRecordResponse response, call(request));
    return parts.heads.KeepReceipt(record, response.receipt(), parts.client, turn);
  });
}

}  // namespace carnet::worker
