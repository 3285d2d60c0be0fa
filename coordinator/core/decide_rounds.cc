#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/bridge.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/duties.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/core/other_regions.h"
#include "coordinator/core/plan.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/retained.h"
#include "coordinator/core/tasks.h"
#include "coordinator/core/withdrawal.h"

namespace carnet::coordinator {
namespace {

// What a delta may weigh at most: four bytes a parameter, sealing included, and something for codec
// headers.
std::uint64_t UploadBytesMax(const v1::SealedArtifact& model) {
  return model.sealed_bytes() + (std::uint64_t{1} << 20);
}

std::vector<ledger::Subject> ModelSubject(const Job& job) {
  return {DigestSubject("base model", AsText(job.model_sha256))};
}

v1::KeyCreated RoundKey(const State& state, const OpenRound& command, const std::string& key_id,
                        const char* purpose, ByteView public_key) {
  v1::KeyCreated key;
  key.set_key_id(key_id);
  key.set_purpose(purpose);
  key.set_public_key(ToString(public_key));
  key.set_held_in(state.genesis.home_jurisdiction());
  key.set_job_id(command.job_id);
  key.set_round(command.round);
  key.set_attempt(command.attempt);
  return key;
}

v1::Ticket NewTicket(Drafts* drafts, std::uint64_t bytes_max, absl::Time expires) {
  v1::Ticket ticket;
  ticket.set_ticket_id(DeriveId("t", drafts->id_seed(), drafts->counter()));
  ticket.set_bytes_max(bytes_max);
  *ticket.mutable_expires() = ToTimestamp(expires);
  return ticket;
}

// Members of the round that are not in its result, with the reason.
std::vector<v1::LeftOut> LeftOutOf(const Round& round, const std::set<std::string>& included) {
  std::vector<v1::LeftOut> left_out;
  for (const v1::RoundMember& member : round.opened.members()) {
    if (included.count(member.worker_id()) != 0) {
      continue;
    }
    v1::LeftOut out;
    out.set_worker_id(member.worker_id());
    const auto reason = round.out.find(member.worker_id());
    out.set_reason(reason != round.out.end() ? reason->second : reasons::kStraggler);
    left_out.push_back(std::move(out));
  }
  return left_out;
}

std::string StrategyName(const v1::JobSpec& spec) {
  return absl::StrCat(spec.strategy().combine(), "/", spec.strategy().weights(), "/",
                      spec.delta().codec() == v1::CODEC_INT8 ? "int8" : "fp32");
}

std::string OptimizerName(const v1::JobSpec& spec) {
  if (!spec.strategy().server_optimizer().has_momentum()) {
    return "none";
  }
  return spec.strategy().server_optimizer().momentum().nesterov() ? "momentum(torch-nesterov)"
                                                                  : "momentum(fedavgm)";
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const OpenRound& command) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), command.job_id));
  if (job->round.has_value() || job->evaluation_due || job->rounds_done + 1 != command.round ||
      job->attempts_used + 1 != command.attempt) {
    return absl::FailedPreconditionError("this round is not the one that comes next");
  }
  CARNET_RETURN_IF_ERROR(CheckPreparedUnder(drafts.state(), command.bundle_sha256));
  CARNET_RETURN_IF_ERROR(CheckNotHeld(drafts.state(), *job));
  Plan plan = PlanRound(drafts.state(), *job, command.live, drafts.now(), drafts.entropy(),
                        drafts.id_seed());
  AddRefusals(&drafts, plan.refusals);
  const v1::JobSpec& spec = job->submitted.spec();
  if (plan.members.size() < spec.rounds().cohort().min()) {
    return std::move(drafts).Done();
  }
  CARNET_RETURN_IF_ERROR(RetentionFor(drafts.state(), plan.obligations).status());
  drafts.Add(
      RoundKey(drafts.state(), command, command.round_key_id, "round", command.round_public_key));
  drafts.Add(RoundKey(drafts.state(), command, command.model.key_id(), "round-model", {}));
  const absl::Time deadline =
      drafts.now() + absl::Milliseconds(spec.rounds().close().deadline().millis());
  v1::RoundOpened record;
  record.set_job_id(job->id);
  record.set_round(command.round);
  record.set_attempt(command.attempt);
  record.set_model_sha256(ToString(job->model_sha256));
  *record.mutable_model() = command.model;
  record.set_round_key_id(command.round_key_id);
  record.set_round_public_key(ToString(command.round_public_key));
  record.set_mode(spec.privacy().mode());
  *record.mutable_basis() = Basis(drafts.state(), drafts.now());
  for (v1::RoundMember& member : plan.members) {
    *member.mutable_download() = NewTicket(&drafts, command.model.sealed_bytes(), deadline);
    *member.mutable_upload() = NewTicket(&drafts, UploadBytesMax(command.model), deadline);
    *record.add_members() = std::move(member);
  }
  record.mutable_left_out()->Add(plan.left_out.begin(), plan.left_out.end());
  *record.mutable_deadline() = ToTimestamp(deadline);
  record.mutable_obligations()->Add(plan.obligations.begin(), plan.obligations.end());
  const std::uint64_t index = drafts.AddWithIds(record);
  std::set<std::string> duties;
  for (const v1::RoundMember& member : record.members()) {
    AddDuties(&drafts, job->id, member.authorisations(), &duties);
  }
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecordRefusals& command) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), command.job_id));
  const Plan plan =
      job->evaluation_due
          ? PlanEvaluation(drafts.state(), *job, command.live, drafts.now(), drafts.entropy())
          : PlanRound(drafts.state(), *job, command.live, drafts.now(), drafts.entropy());
  AddRefusals(&drafts, plan.refusals);
  return std::move(drafts).Done();
}

namespace {

// What a round that closes is made of: contributions whose crossing is still allowed, with their
// labels.
struct Closing {
  v1::RoundClosed record;
  Lineage lineage;
  std::vector<v1::Refusal> refusals;
};

v1::Refusal RefusalOf(const Job& job, const std::string& worker_id, const Verdicts& verdicts) {
  v1::Refusal refusal;
  refusal.set_job_id(job.id);
  refusal.set_worker_id(worker_id);
  refusal.set_round(job.round->opened.round());
  refusal.mutable_decisions()->Add(verdicts.decisions.begin(), verdicts.decisions.end());
  return refusal;
}

// Decides each contribution again on what came, with today's facts. One of a worker that was
// revoked meanwhile, or from a shard that was withdrawn, stays out.
Closing CloseWithTodaysFacts(Drafts* drafts, const Job& job) {
  const State& state = drafts->state();
  const Round& round = *job.round;
  Closing closing;
  closing.lineage = job.lineage;
  closing.record.set_job_id(job.id);
  closing.record.set_round(round.opened.round());
  closing.record.set_attempt(round.opened.attempt());
  *closing.record.mutable_basis() = Basis(state, drafts->now());
  // Above those of the decision to aggregate, which come first in the record's text: packers expect
  // ids whose numbers grow (ledger/record_ids.h).
  std::uint64_t id_number = std::uint64_t{1} << 20;
  std::set<std::string> settled;
  std::vector<v1::LeftOut> refused;
  for (const v1::RoundMember& member : round.opened.members()) {
    const auto contribution = round.contributions.find(member.worker_id());
    const Worker& worker = state.workers.at(member.worker_id());
    if (contribution == round.contributions.end() || worker.revoked ||
        HasWithdrawnShard(state, member)) {
      continue;
    }
    settled.insert(member.worker_id());
    const std::vector<std::string> shards(member.shards().begin(), member.shards().end());
    // Apart, because a refusal is about one operation.
    const Verdicts delta = DecideFlows(state, SendDeltaFlows(state, job, worker, shards),
                                       drafts->now(), drafts->id_seed(), &id_number);
    const Verdicts metrics = DecideFlows(state, SendMetricsFlows(state, job, worker), drafts->now(),
                                         drafts->id_seed(), &id_number);
    for (const Verdicts* const verdicts : {&delta, &metrics}) {
      if (!verdicts->allowed) {
        closing.refusals.push_back(RefusalOf(job, member.worker_id(), *verdicts));
      }
    }
    if (!delta.allowed || !metrics.allowed) {
      v1::LeftOut out;
      out.set_worker_id(member.worker_id());
      out.set_reason(reasons::kRefused);
      refused.push_back(std::move(out));
      continue;
    }
    v1::Included* entry = closing.record.add_included();
    entry->set_worker_id(member.worker_id());
    entry->set_index(contribution->second.index);
    for (const Verdicts* const verdicts : {&delta, &metrics}) {
      for (const v1::Decision& decision : verdicts->decisions) {
        *entry->add_authorisations() = ToAuthorisation(decision);
      }
    }
    const Lineage& labels = round.labels.at(member.worker_id());
    closing.lineage.insert(labels.begin(), labels.end());
  }
  const std::vector<v1::LeftOut> left_out = LeftOutOf(round, settled);
  closing.record.mutable_left_out()->Add(left_out.begin(), left_out.end());
  closing.record.mutable_left_out()->Add(refused.begin(), refused.end());
  return closing;
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const CloseRound& command) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), command.job_id));
  if (!job->round.has_value() || job->round->closed.has_value()) {
    return absl::FailedPreconditionError("no round is open");
  }
  if (!WithdrawnAmong(drafts.state(), job->versions).empty()) {
    return absl::FailedPreconditionError("the round's model was trained on a withdrawn shard");
  }
  if (drafts.state().bundle->reads_bridge() &&
      NeedOf(drafts.state(), ClosingFlows(drafts.state(), *job), drafts.now()).waits) {
    return absl::FailedPreconditionError(absl::StrCat("the round waits for ", kBridgeWaitedFor));
  }
  Closing closing = CloseWithTodaysFacts(&drafts, *job);
  const Verdicts aggregate =
      DecideFlows(drafts.state(), AggregateFlows(drafts.state(), *job, closing.lineage),
                  drafts.now(), drafts.id_seed(), drafts.counter());
  for (const v1::Decision& decision : aggregate.decisions) {
    *closing.record.add_authorisations() = ToAuthorisation(decision);
  }
  if (!aggregate.allowed) {
    closing.refusals.push_back(RefusalOf(*job, "", aggregate));
  }
  OtherRegions others(drafts.state(), command.live, drafts.now());
  for (v1::Refusal& refusal : closing.refusals) {
    others.NameForRound(*job, &refusal);
  }
  AddRefusals(&drafts, closing.refusals);
  const std::uint32_t min = job->submitted.spec().rounds().cohort().min();
  if (!aggregate.allowed || static_cast<std::uint32_t>(closing.record.included_size()) < min) {
    return DecideOn(std::move(drafts), AbandonRound{job->id, reasons::kRefused});
  }
  const std::uint64_t index = drafts.AddWithIds(closing.record, ModelSubject(*job));
  std::set<std::string> duties;
  AddDuties(&drafts, job->id, closing.record.authorisations(), &duties);
  for (const v1::Included& included : closing.record.included()) {
    AddDuties(&drafts, job->id, included.authorisations(), &duties);
  }
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const AbandonRound& command) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), command.job_id));
  if (!job->round.has_value()) {
    return absl::FailedPreconditionError("no round is open");
  }
  const Round& round = *job->round;
  v1::RoundAbandoned record;
  record.set_job_id(job->id);
  record.set_round(round.opened.round());
  record.set_attempt(round.opened.attempt());
  record.set_reason(command.reason);
  std::set<std::string> came;
  for (const auto& [worker_id, contribution] : round.contributions) {
    came.insert(worker_id);
  }
  const std::vector<v1::LeftOut> left_out = LeftOutOf(round, came);
  record.mutable_left_out()->Add(left_out.begin(), left_out.end());
  const std::uint64_t index = drafts.Add(record, ModelSubject(*job));
  OrderDestruction(&drafts, job->id, round.opened.round(), round.opened.attempt(), "round",
                   "round-ended");
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecordAggregate& command) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), command.job_id));
  if (!job->round.has_value() || !job->round->closed.has_value() ||
      job->round->opened.round() != command.round ||
      job->round->opened.attempt() != command.attempt) {
    return absl::FailedPreconditionError("this round is not closed");
  }
  const Round& round = *job->round;
  CARNET_ASSIGN_OR_RETURN(const auto retention, RetentionDue(drafts.state(), round));
  if (retention.has_value()) {
    return absl::FailedPreconditionError("the round's key is to be kept first");
  }
  v1::Aggregate record;
  record.set_job_id(job->id);
  record.set_round(command.round);
  record.set_attempt(command.attempt);
  record.set_base_model_sha256(ToString(job->model_sha256));
  record.set_model_sha256(ToString(command.model_sha256));
  record.set_model_bytes(command.model_bytes);
  for (const IncludedDelta& delta : IncludedDeltas(round)) {
    record.add_included(delta.index);
    record.add_weights(delta.weight);
  }
  if (record.included().empty()) {
    return absl::FailedPreconditionError("nothing to aggregate");
  }
  record.set_strategy(StrategyName(job->submitted.spec()));
  record.set_optimizer(OptimizerName(job->submitted.spec()));
  record.set_optimizer_state_sha256(ToString(command.optimizer_state_sha256));
  const std::uint64_t index = drafts.Add(record);
  OrderDestruction(&drafts, job->id, command.round, command.attempt, "round", "round-ended");
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const StorageFault& command) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), command.job_id));
  if (!job->round.has_value() || job->round->contributions.count(command.worker_id) == 0) {
    return absl::FailedPreconditionError("no such contribution");
  }
  const Contribution& contribution = job->round->contributions.at(command.worker_id);
  v1::ContributionRejected record;
  record.set_job_id(job->id);
  record.set_round(job->round->opened.round());
  record.set_attempt(job->round->opened.attempt());
  record.set_worker_id(command.worker_id);
  record.set_reason(reasons::kStorageFault);
  record.set_sealed_sha256(contribution.sealed_sha256);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

// ---- keys ----

absl::StatusOr<Decided> DecideOn(Drafts drafts, const OrderKeyDestruction& command) {
  v1::KeyDestructionOrdered record;
  for (const std::string& id : command.key_ids) {
    const auto key = drafts.state().keys.find(id);
    if (key != drafts.state().keys.end() && key->second.phase == KeyPhase::kLive) {
      record.add_key_ids(id);
    }
  }
  if (record.key_ids().empty()) {
    return absl::FailedPreconditionError("no such live key");
  }
  record.set_reason(command.reason);
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const KeysDestroyed& command) {
  v1::KeyDestroyed record;
  for (const std::string& id : command.key_ids) {
    const auto key = drafts.state().keys.find(id);
    if (key == drafts.state().keys.end() || key->second.phase != KeyPhase::kDestructionOrdered) {
      return absl::FailedPreconditionError("the destruction of this key was not ordered");
    }
    record.add_key_ids(id);
  }
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

}  // namespace carnet::coordinator
