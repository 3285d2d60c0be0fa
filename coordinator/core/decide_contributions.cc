#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/bridge.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/duties.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/other_regions.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/tasks.h"
#include "coordinator/core/transfers.h"
#include "crypto/hash.h"

namespace carnet::coordinator {
namespace {

// A worker whose contribution counts can still send others; what it can write into the ledger is
// bounded.
constexpr int kRejectionsOnRecordMax = 4;

const v1::RoundMember* MemberOf(const Round& round, const std::string& worker_id) {
  for (const v1::RoundMember& member : round.opened.members()) {
    if (member.worker_id() == worker_id) {
      return &member;
    }
  }
  return nullptr;
}

// What the record says against what the round is: the first difference, or nothing.
std::string CompareWithRound(const Job& job, const Round& round, const v1::RoundMember& member,
                             const Worker& worker, const v1::Contribution& contribution) {
  if (contribution.round() != round.opened.round() ||
      contribution.attempt() != round.opened.attempt() ||
      contribution.round_opened_index() != round.opened_index) {
    return reasons::kReplayed;
  }
  if (contribution.worker_id() != member.worker_id() ||
      contribution.region() != worker.terms.region() ||
      contribution.supplier() != worker.terms.supplier()) {
    return reasons::kWrongHeader;
  }
  if (contribution.base_model_sha256() != round.opened.model_sha256()) {
    return reasons::kWrongBaseModel;
  }
  if (!std::equal(contribution.shard_sha256().begin(), contribution.shard_sha256().end(),
                  member.shard_sha256().begin(), member.shard_sha256().end())) {
    return reasons::kWrongShards;
  }
  const std::string& trainer = job.submitted.spec().trainer().digest();
  if (!trainer.empty() &&
      trainer != absl::StrCat("sha256:", HexEncode(AsBytes(contribution.trainer_digest())))) {
    return reasons::kWrongTrainer;
  }
  const auto& named = job.submitted.spec().metrics();
  for (const auto& [name, value] : contribution.metrics()) {
    if (std::find(named.begin(), named.end(), name) == named.end() || !std::isfinite(value)) {
      return reasons::kUnnamedMetric;
    }
  }
  return "";
}

// Puts the rejection on record, up to kRejectionsOnRecordMax for a worker and attempt, and tells
// the worker.
Decided Reject(Drafts drafts, const Job& job, const Round& round, const std::string& worker_id,
               const std::string& reason, const std::string& sealed_sha256,
               const v1::SignedRecord* statement) {
  const auto before = round.rejections.find(worker_id);
  if (before != round.rejections.end() && before->second >= kRejectionsOnRecordMax) {
    return std::move(drafts).Refuse(round.opened_index, absl::InvalidArgumentError(reason));
  }
  v1::ContributionRejected record;
  record.set_job_id(job.id);
  record.set_round(round.opened.round());
  record.set_attempt(round.opened.attempt());
  record.set_worker_id(worker_id);
  record.set_reason(reason);
  record.set_sealed_sha256(sealed_sha256);
  if (statement != nullptr) {
    record.set_statement_sha256(ToString(crypto::Sha256(AsBytes(statement->statement()))));
  }
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Refuse(index, absl::InvalidArgumentError(reason));
}

// The metrics cross with the contribution, and may not: they go on no record, and the delta, all of
// which had crossed, goes.
absl::StatusOr<Decided> CutWhole(Drafts drafts, const Job& job, const Round& round,
                                 const v1::RoundMember& member, const Verdicts& verdicts,
                                 std::uint64_t bytes_crossed) {
  if (drafts.MustAsk(verdicts)) {
    return Drafts::Ask(verdicts.questions);
  }
  if (verdicts.awaits_bridge) {
    return absl::UnavailableError(absl::StrCat("the metrics wait for ", kBridgeWaitedFor));
  }
  const TaskName task{v1::TASK_KIND_TRAIN, job.id, round.opened.round(), round.opened.attempt()};
  CARNET_ASSIGN_OR_RETURN(
      Decided decided,
      DecideOn(std::move(drafts), CutTransfer{member.worker_id(), TaskId(task),
                                              member.upload().ticket_id(), true, bytes_crossed}));
  if (decided.questions.empty()) {
    decided.answer = absl::PermissionDeniedError("cut: refused");
  }
  return decided;
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const SubmitContribution& command) {
  const State& state = drafts.state();
  CARNET_ASSIGN_OR_RETURN(const Worker* const worker, LiveWorker(state, command.worker_id));
  // The same one again, also after its round: the same receipt.
  if (const auto index = FindReceipt(state, command.worker_id, command.contribution)) {
    return std::move(drafts).Answer(*index);
  }
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(state, command.contribution.job_id()));
  if (!job->round.has_value()) {
    return absl::FailedPreconditionError("no round is open");
  }
  const Round& round = *job->round;
  const v1::RoundMember* member = MemberOf(round, command.worker_id);
  if (member == nullptr) {
    return absl::PermissionDeniedError("this worker is not in the round");
  }
  const v1::Contribution& contribution = command.contribution;
  const bool accepted = round.contributions.count(command.worker_id) != 0;
  if (const auto out = round.out.find(command.worker_id); out != round.out.end()) {
    return absl::FailedPreconditionError(absl::StrCat("out of this round: ", out->second));
  }
  std::string reason = command.signed_by_worker ? "" : reasons::kWrongSignature;
  if (reason.empty() && accepted) {
    reason = reasons::kSecondContribution;
  }
  if (reason.empty() &&
      (round.closed.has_value() || drafts.now() >= ToTime(round.opened.deadline()))) {
    return absl::FailedPreconditionError(reasons::kLate);
  }
  if (reason.empty()) {
    reason = CompareWithRound(*job, round, *member, *worker, contribution);
  }
  if (reason.empty() && !command.seen_in_log) {
    reason = reasons::kSeenContradicts;
  }
  if (reason.empty()) {
    reason = command.verdict;
  }
  if (!reason.empty()) {
    return Reject(std::move(drafts), *job, round, command.worker_id, reason,
                  contribution.sealed_sha256(), &command.record);
  }
  const Verdicts metrics = DecideFlows(state, SendMetricsFlows(state, *job, *worker), drafts.now(),
                                       drafts.entropy(), drafts.counter());
  if (!metrics.allowed) {
    return CutWhole(std::move(drafts), *job, round, *member, metrics, contribution.sealed_bytes());
  }
  const std::uint64_t index = drafts.AddSigned(contribution, command.record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RejectUpload& command) {
  CARNET_RETURN_IF_ERROR(LiveWorker(drafts.state(), command.worker_id));
  CARNET_ASSIGN_OR_RETURN(const TaskName name, ParseTaskId(command.task_id));
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), name.id));
  if (name.kind != v1::TASK_KIND_TRAIN || !job->round.has_value() ||
      job->round->opened.round() != name.round || job->round->opened.attempt() != name.attempt ||
      MemberOf(*job->round, command.worker_id) == nullptr) {
    return absl::FailedPreconditionError("no such task");
  }
  if (job->round->contributions.count(command.worker_id) != 0 ||
      job->round->out.count(command.worker_id) != 0) {
    return absl::FailedPreconditionError("this worker is done with the round");
  }
  return Reject(std::move(drafts), *job, *job->round, command.worker_id, command.reason,
                command.sealed_sha256, nullptr);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const FailTask& command) {
  CARNET_RETURN_IF_ERROR(LiveWorker(drafts.state(), command.worker_id));
  if (!v1::TaskFailure_IsValid(command.failure)) {
    return absl::InvalidArgumentError("failure: no kind of failure that this coordinator knows");
  }
  CARNET_ASSIGN_OR_RETURN(const TaskName name, ParseTaskId(command.task_id));
  if (name.kind == v1::TASK_KIND_SEND_SHARD || name.kind == v1::TASK_KIND_RECEIVE_SHARD) {
    const auto staging = drafts.state().stagings.find(name.id);
    if (staging == drafts.state().stagings.end() ||
        (name.kind == v1::TASK_KIND_SEND_SHARD
             ? staging->second.ordered.from_worker_id()
             : staging->second.ordered.to_worker_id()) != command.worker_id) {
      return absl::FailedPreconditionError("no such task");
    }
    return DecideOn(std::move(drafts), AbandonStaging{name.id, reasons::kTaskFailed});
  }
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), name.id));
  if (name.kind == v1::TASK_KIND_EVALUATE) {
    if (!job->evaluation.has_value() ||
        job->evaluation->opened.member().worker_id() != command.worker_id ||
        job->evaluation->opened.round() != name.round ||
        job->evaluation->opened.attempt() != name.attempt) {
      return absl::FailedPreconditionError("no such task");
    }
    return DecideOn(std::move(drafts), AbandonEvaluation{job->id, reasons::kTaskFailed, {}});
  }
  if (!job->round.has_value() || job->round->opened.round() != name.round ||
      job->round->opened.attempt() != name.attempt ||
      MemberOf(*job->round, command.worker_id) == nullptr ||
      job->round->contributions.count(command.worker_id) != 0 ||
      job->round->out.count(command.worker_id) != 0) {
    return absl::FailedPreconditionError("no such task");
  }
  v1::TaskFailed record;
  record.set_job_id(job->id);
  record.set_round(name.round);
  record.set_attempt(name.attempt);
  record.set_worker_id(command.worker_id);
  record.set_reason(FailureName(command.failure));
  const std::uint64_t index =
      drafts.Add(record, {DigestSubject("base model", AsText(job->model_sha256))});
  return std::move(drafts).Answer(index);
}

namespace {

// The shards whose people leave a jurisdiction in these flows.
ShardVersions CrossingVersions(const std::vector<FlowContext>& flows) {
  ShardVersions versions;
  for (const FlowContext& flow : flows) {
    if (flow.from != flow.to) {
      versions.insert(flow.versions.begin(), flow.versions.end());
    }
  }
  return versions;
}

// Where else the refused task would pass now.
void Advise(const State& state, const RecheckTask& command, const OpenTicket& open, absl::Time now,
            v1::Refusal* refusal) {
  if (command.live == nullptr) {
    return;
  }
  OtherRegions others(state, *command.live, now);
  if (open.staging != nullptr) {
    const v1::StagingOrdered& ordered = open.staging->ordered;
    others.NameForShard(refusal->shard(), state.workers.at(ordered.from_worker_id()), refusal);
  } else if (open.task.kind == v1::TASK_KIND_TRAIN) {
    others.NameForRound(*open.job, refusal);
  }
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecheckTask& command) {
  const State& state = drafts.state();
  CARNET_ASSIGN_OR_RETURN(const Worker* const worker, LiveWorker(state, command.worker_id));
  CARNET_ASSIGN_OR_RETURN(const OpenTask task,
                          FindTask(state, command.worker_id, command.task_id, drafts.now()));
  const v1::Ticket& ticket = command.upload ? task.upload : task.download;
  if (ticket.ticket_id().empty() || ticket.ticket_id() != command.ticket_id ||
      drafts.now() >= ToTime(ticket.expires())) {
    return absl::PermissionDeniedError("no live ticket for this transfer");
  }
  const std::optional<OpenTicket> open =
      FindTicket(state, {command.worker_id, command.task_id, command.ticket_id, command.upload});
  if (!open.has_value() || !WithdrawnBehind(state, *open).empty()) {
    return absl::PermissionDeniedError("no live ticket for this transfer");
  }
  const std::vector<FlowContext> flows = TransferFlows(state, *open, *worker, command.upload);
  const Verdicts verdicts =
      DecideFlows(state, flows, drafts.now(), drafts.entropy(), drafts.counter());
  if (drafts.MustAsk(verdicts)) {
    return Drafts::Ask(verdicts.questions);
  }
  const bool staging = open->staging != nullptr;
  if (verdicts.allowed) {
    AddPeopleCounted(&drafts, staging ? "" : task.name.id, command.worker_id, command.ticket_id,
                     CrossingVersions(flows));
    return std::move(drafts).Done();
  }
  v1::Refusal refusal;
  refusal.set_job_id(staging ? "" : task.name.id);
  refusal.set_worker_id(command.worker_id);
  refusal.set_round(task.name.round);
  if (staging) {
    refusal.set_shard(ShardKey(open->staging->ordered.dataset(), open->staging->ordered.shard()));
  }
  for (const v1::Decision& decision : verdicts.decisions) {
    if (decision.verdict() != v1::VERDICT_ALLOW) {
      *refusal.add_decisions() = decision;
    }
  }
  Advise(state, command, *open, drafts.now(), &refusal);
  const std::uint64_t index = AddRefusal(&drafts, refusal);
  return std::move(drafts).Refuse(index, RefusedByPolicy(refusal, index));
}

}  // namespace carnet::coordinator
