#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "exchange/data_digest.h"
#include "exchange/expected.h"
#include "worker/shard_archive.h"
#include "worker/task_steps.h"

namespace carnet::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRequestIdBytes = 16;

std::string ShardNameOf(const v1::StagingOrdered& ordered) {
  return absl::StrCat(ordered.dataset(), "/", ordered.shard());
}

std::string NewKeyId(Rng& rng) {
  std::array<std::uint8_t, kIdRandomBytes> random = {};
  rng.Fill(random);
  return MakeId("k", random);
}

// Seals the shard to the other worker's key, which home does not have.
absl::StatusOr<v1::UploadOpen> SealShard(const CheckedTask& task, const SendShardTask& send,
                                         const fs::path& shard, const Journal& journal,
                                         const TaskParts& parts) {
  CARNET_ASSIGN_OR_RETURN(ArchiveReader archive, ArchiveReader::Open(shard));
  v1::ArtifactHeader fields =
      exchange::ShardHeader(send.ordered, {.from_spiffe_id = parts.identity.spiffe_id.ToString(),
                                           .to_spiffe_id = send.recipient.spiffe_id(),
                                           .archive_bytes = archive.size_bytes(),
                                           .key_id = NewKeyId(parts.rng)});
  const auto data_key = crypto::SecretBytes::Random(parts.rng, crypto::kDataKeyBytes);
  crypto::SealedSalt salt;
  parts.rng.Fill(salt);
  fields.set_salt(ToString(salt));
  CARNET_ASSIGN_OR_RETURN(const crypto::X25519PublicKey recipient,
                          crypto::ToX25519PublicKey(AsBytes(send.recipient.wrapping_public_key())));
  CARNET_RETURN_IF_ERROR(exchange::WrapKeyInHeader(data_key, recipient, parts.rng, &fields));
  CARNET_ASSIGN_OR_RETURN(const exchange::Header header, exchange::MakeHeader(std::move(fields)));
  CARNET_ASSIGN_OR_RETURN(const exchange::SealedFile sealed,
                          exchange::SealToFile(
                              header, data_key, salt,
                              [&archive](std::uint64_t offset, std::span<std::uint8_t> out) {
                                return archive.ReadAt(offset, out);
                              },
                              journal.sealed()));
  v1::UploadOpen open;
  open.set_task_id(task.task_id);
  open.set_artifact_header(header.bytes);
  open.set_sealed_bytes(sealed.sealed_bytes);
  open.set_sealed_sha256(ToString(sealed.sealed_sha256));
  open.set_signature(
      ToString(exchange::SignArtifact(parts.statement_key, header.sha256, sealed.sealed_sha256)));
  return open;
}

std::optional<StepError> Send(const CheckedTask& task, const SendShardTask& send, Journal& journal,
                              const TaskParts& parts) {
  auto open = journal.Upload(task.task_id);
  if (!open.ok()) {
    return FailedStep(open.status(), v1::TASK_FAILURE_DISK);
  }
  if (!open->has_value()) {
    const auto shard = parts.data.find(ShardNameOf(send.ordered));
    if (shard == parts.data.end()) {
      return FailedStep(absl::NotFoundError("task: the shard is not here"),
                        v1::TASK_FAILURE_SHARD_MISSING);
    }
    auto made = SealShard(task, send, shard->second, journal, parts);
    if (!made.ok()) {
      return FailedStep(made.status(), v1::TASK_FAILURE_DISK);
    }
    const absl::Status kept = journal.KeepUpload(*made, v1::Contribution());
    if (!kept.ok()) {
      return FailedStep(kept, v1::TASK_FAILURE_DISK);
    }
    open->emplace(*std::move(made));
  }
  return UploadSealed(task, **open, journal, parts);
}

// Opens the sealed shard to `to`, whole and with its registered digest, or leaves nothing there.
absl::Status OpenShard(const ReceiveShardTask& receive, const crypto::SecretBytes& data_key,
                       const fs::path& sealed, const fs::path& to) {
  fs::path partial = to;
  partial += ".partial";
  std::error_code error;
  fs::remove_all(partial, error);
  CARNET_RETURN_IF_ERROR(MakeDirs(to.parent_path()));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t sealed_bytes,
                          crypto::SealedSize(receive.shard.fields.plaintext_bytes()));
  CARNET_ASSIGN_OR_RETURN(const exchange::SendFile file,
                          exchange::SendFile::Open(sealed, sealed_bytes));
  ArchiveWriter writer(partial);
  absl::Status status = exchange::OpenSealed(
      receive.shard, data_key, sealed_bytes,
      [&file](std::uint64_t offset, std::span<std::uint8_t> out) {
        return file.ReadAt(offset, out);
      },
      [&writer](ByteView plain) { return writer.Append(plain); });
  if (status.ok()) {
    status = writer.Finish();
  }
  if (status.ok()) {
    const auto digest = exchange::PathDigest(partial);
    status = digest.status();
    if (digest.ok() && *digest != receive.shard_sha256) {
      status = absl::InvalidArgumentError("task: the shard is not the registered one");
    }
  }
  if (status.ok()) {
    fs::remove_all(to, error);
    status = RenameDurably(partial, to);
  }
  if (!status.ok()) {
    fs::remove_all(partial, error);
  }
  return status;
}

std::optional<StepError> Confirm(const CheckedTask& task, const ReceiveShardTask& receive,
                                 const TaskParts& parts) {
  v1::ConfirmStagedRequest request;
  const Digest id = crypto::Sha256(AsBytes(absl::StrCat("confirm-staged\n", task.task_id)));
  request.set_request_id(ToString(ByteView(id).first(kRequestIdBytes)));
  request.set_task_id(task.task_id);
  request.set_sha256(ToString(receive.shard_sha256));
  const absl::Status status = Persist(parts, MonotonicDeadline(task, parts),
                                      [&] { return parts.client.ConfirmStaged(request).status(); });
  return status.ok() ? std::nullopt : std::optional<StepError>(StepError{status, {}});
}

std::optional<StepError> Receive(const CheckedTask& task, const ReceiveShardTask& receive,
                                 const TaskParts& parts, const fs::path& to) {
  const auto there = exchange::PathDigest(to);
  if (there.ok() && *there == receive.shard_sha256) {
    return Confirm(task, receive, parts);
  }
  exchange::TransferSpec spec;
  spec.id = receive.shard.sha256;
  spec.size_bytes = crypto::SealedSize(receive.shard.fields.plaintext_bytes()).value_or(0);
  fs::path sealed;
  if (auto error = DownloadSealed(task, spec, parts, &sealed)) {
    return error;
  }
  const auto data_key = exchange::UnwrapKeyInHeader(receive.shard.fields, parts.wrapping_key);
  const absl::Status opened =
      data_key.ok() ? OpenShard(receive, *data_key, sealed, to) : data_key.status();
  if (!opened.ok()) {
    return FailedStep(opened, absl::IsResourceExhausted(opened)
                                  ? v1::TASK_FAILURE_DISK
                                  : v1::TASK_FAILURE_ARTIFACT_INVALID);
  }
  return Confirm(task, receive, parts);
}

}  // namespace

TaskEnd RunSendShard(const CheckedTask& task, const SendShardTask& send, const TaskParts& parts) {
  auto journal = Journal::Open(parts.state.tasks(), task.task_id);
  if (!journal.ok()) {
    return EndOf(FailedStep(journal.status(), v1::TASK_FAILURE_DISK), parts);
  }
  if (auto error = Send(task, send, *journal, parts)) {
    return EndOf(*error, parts);
  }
  return {};
}

TaskEnd RunReceiveShard(const CheckedTask& task, const ReceiveShardTask& receive,
                        const TaskParts& parts) {
  const fs::path to = parts.state.shards() / receive.ordered.dataset() / receive.ordered.shard();
  if (auto error = Receive(task, receive, parts, to)) {
    return EndOf(*error, parts);
  }
  TaskEnd end;
  end.staged_shard = ShardNameOf(receive.ordered);
  end.staged_path = to;
  return end;
}

}  // namespace carnet::worker
