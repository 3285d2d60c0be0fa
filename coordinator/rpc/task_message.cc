#include "coordinator/rpc/task_message.h"

#include "base/status.h"
#include "base/timestamp.h"
#include "exchange/artifact.h"

namespace carnet::coordinator {

absl::StatusOr<v1::ProvenRecord> ProveUnder(const ledger::Log& log, std::uint64_t index,
                                            const ledger::SignedHead& head) {
  v1::ProvenRecord proven;
  CARNET_ASSIGN_OR_RETURN(*proven.mutable_record(), log.ReadRecord(index));
  CARNET_ASSIGN_OR_RETURN(*proven.mutable_proof(), log.InclusionProof(index, head.head.size));
  return proven;
}

absl::StatusOr<v1::Task> MakeTask(const Services& services, const OpenTask& task,
                                  const WorkerPeer& worker, const ledger::SignedHead& head) {
  v1::Task message;
  message.set_task_id(TaskId(task.name));
  message.set_kind(task.name.kind);
  CARNET_ASSIGN_OR_RETURN(*message.mutable_opened(),
                          ProveUnder(services.log, task.opened_index, head));
  for (const std::uint64_t index : task.context) {
    CARNET_ASSIGN_OR_RETURN(*message.add_context(), ProveUnder(services.log, index, head));
  }
  *message.mutable_download() = task.download;
  *message.mutable_upload() = task.upload;
  *message.mutable_deadline() = ToTimestamp(task.deadline);
  if (!task.artifact.sealed_sha256().empty()) {
    const BlobId blob{BlobKind::kSealed, ToBytes(task.artifact.sealed_sha256())};
    CARNET_ASSIGN_OR_RETURN(*message.mutable_artifact_header(), services.blobs.ReadHeader(blob));
    if (task.key_id.empty()) {
      return message;  // a shard: its key is wrapped in the header, and not for us
    }
    CARNET_ASSIGN_OR_RETURN(const exchange::Header header,
                            exchange::ParseHeader(AsBytes(message.artifact_header())));
    CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes data_key,
                            services.keys.Read(task.key_id, crypto::KeyKind::kDataKey));
    CARNET_ASSIGN_OR_RETURN(
        *message.mutable_key(),
        exchange::WrapKeyFor(header.fields, data_key, worker.wrapping_key, services.rng));
  }
  return message;
}

}  // namespace carnet::coordinator
