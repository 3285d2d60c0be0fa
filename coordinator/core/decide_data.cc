// Shards that go, and transfers that stop.
#include <algorithm>

#include "base/status.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/release.h"
#include "coordinator/core/transfers.h"

namespace carnet::coordinator {
namespace {

bool IsWithdrawalReason(const std::string& reason) {
  static const auto& words = *new std::set<std::string>{"subject-request", "licence-ended",
                                                        "mislabelled", "contract-ended"};
  return words.count(reason) != 0;
}

// What every cut says.
v1::TransferCut NewCut(const CutTransfer& command, Standing standing) {
  v1::TransferCut record;
  record.set_ticket_id(command.ticket_id);
  record.set_worker_id(command.worker_id);
  record.set_direction(command.upload ? "upload" : "download");
  record.set_bytes_crossed(command.bytes_crossed);
  record.set_reason(standing.reason);
  for (v1::Decision& decision : standing.decisions) {
    *record.add_decisions() = std::move(decision);
  }
  return record;
}

v1::TransferCut CutOf(const CutTransfer& command, const OpenTicket& open, Standing standing) {
  v1::TransferCut record = NewCut(command, std::move(standing));
  if (open.staging != nullptr) {
    record.set_staging_id(open.task.id);
  } else {
    record.set_job_id(open.task.id);
    record.set_round(open.task.round);
    record.set_attempt(open.task.attempt);
  }
  record.set_bytes_crossed(std::min(command.bytes_crossed, open.ticket.bytes_max()));
  return record;
}

// A model on its way to a person: the release ends with its bytes.
absl::StatusOr<Decided> CutRelease(Drafts drafts, const CutTransfer& command, Standing standing) {
  const ReleaseOnRecord& release = *ReleaseOfTicket(drafts.state(), command.ticket_id);
  v1::TransferCut record = NewCut(command, std::move(standing));
  record.clear_worker_id();
  record.set_direction("download");
  record.set_job_id(release.terms.job_id());
  record.set_round(release.terms.round());
  const std::uint64_t index = drafts.Add(std::move(record));
  return std::move(drafts).Answer(index);
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const WithdrawShard& command) {
  CARNET_RETURN_IF_ERROR(RequireRole(drafts.state(), command.user_id, {"data-steward", "dpo"}));
  const auto shard = drafts.state().shards.find(ShardKey(command.dataset, command.shard));
  if (shard == drafts.state().shards.end()) {
    return absl::NotFoundError("no such shard is registered");
  }
  if (!IsWithdrawalReason(command.reason)) {
    return absl::InvalidArgumentError(
        "reason: one of subject-request, licence-ended, mislabelled, contract-ended");
  }
  if (shard->second.withdrawn.has_value()) {
    return std::move(drafts).Answer(*shard->second.withdrawn);
  }
  if (shard->second.sha256.empty()) {
    return absl::FailedPreconditionError(
        "nobody holds this shard yet, so no record says which data it is: nothing was trained on "
        "it");
  }
  v1::ShardWithdrawn record;
  record.set_dataset(command.dataset);
  record.set_shard(command.shard);
  record.set_sha256(ToString(shard->second.sha256));
  record.set_reason(command.reason);
  record.set_withdrawn_by(command.user_id);
  const std::uint64_t index = drafts.Add(std::move(record));
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const CutTransfer& command) {
  const TransferName name{command.worker_id, command.task_id, command.ticket_id, command.upload};
  Standing standing =
      StandingOf(drafts.state(), name, drafts.now(), drafts.entropy(), drafts.counter());
  if (standing.kind == Standing::Kind::kOver) {
    return absl::FailedPreconditionError("no live ticket for this transfer");
  }
  if (standing.kind != Standing::Kind::kCut) {
    return absl::FailedPreconditionError("nothing stops this transfer");
  }
  if (drafts.MayAsk() && !standing.questions.empty()) {
    return Drafts::Ask(std::move(standing.questions));  // It stands still meanwhile.
  }
  if (IsReleaseTicket(command.ticket_id)) {
    return CutRelease(std::move(drafts), command, std::move(standing));
  }
  const std::optional<OpenTicket> open = FindTicket(drafts.state(), name);
  CARNET_CHECK(open.has_value());
  const std::string reason = standing.reason;
  const TaskName task = open->task;
  const std::uint64_t index = drafts.Add(CutOf(command, *open, std::move(standing)));
  switch (task.kind) {
    case v1::TASK_KIND_EVALUATE:
      return DecideOn(std::move(drafts), AbandonEvaluation{task.id, reason, {}});
    case v1::TASK_KIND_SEND_SHARD:
    case v1::TASK_KIND_RECEIVE_SHARD:
      return DecideOn(std::move(drafts), AbandonStaging{task.id, reason});
    default:
      return std::move(drafts).Answer(index);
  }
}

}  // namespace carnet::coordinator
