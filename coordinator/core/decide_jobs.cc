#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/core/bridge.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/duties.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/core/plan.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/reconcile.h"
#include "coordinator/core/withdrawal.h"

namespace carnet::coordinator {
namespace {

constexpr std::size_t kJobsRunningMax = 64;

ledger::Subject SpecSubject(const Job& job) {
  return DigestSubject("job spec", job.submitted.spec_sha256());
}

absl::Status CheckDatasets(const State& state, const v1::JobSpec& spec) {
  std::vector<std::string> names(spec.data().begin(), spec.data().end());
  if (spec.has_evaluate()) {
    names.push_back(absl::StrCat(spec.evaluate().data(), "/*"));
  }
  for (const std::string& name : names) {
    const bool all = name.back() == '*';
    const std::string prefix = all ? name.substr(0, name.size() - 1) : name;
    const auto first = state.shards.lower_bound(prefix);
    const bool found =
        first != state.shards.end() &&
        (all ? first->first.compare(0, prefix.size(), prefix) == 0 : first->first == name);
    if (!found) {
      return absl::NotFoundError(absl::StrCat("job: no registered shard is named by ", name));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSubmission(const State& state, const SubmitJob& command) {
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, {"member", "operator"}));
  const v1::JobSubmitted& record = command.submitted;
  const User& user = state.users.at(command.user_id);
  if (record.submitter() != command.user_id ||
      AsText(user.public_key) != command.record.public_key()) {
    return absl::PermissionDeniedError("a job is signed with the key of the user who submits it");
  }
  if (!IsId("j", record.job_id())) {
    return absl::InvalidArgumentError("job_id: j- and 16 characters of a-z2-7");
  }
  if (state.jobs.count(record.job_id()) != 0) {
    return absl::AlreadyExistsError("a job with this id is on record");
  }
  CARNET_RETURN_IF_ERROR(ValidateJob(record.spec()));
  CARNET_ASSIGN_OR_RETURN(const Digest digest, JobSpecDigest(record.spec()));
  if (AsText(digest) != record.spec_sha256()) {
    return absl::InvalidArgumentError("spec_sha256 is not the digest of the spec");
  }
  if (HexEncode(AsBytes(record.model_sha256())) != record.spec().model().sha256()) {
    return absl::InvalidArgumentError("model_sha256 is not the spec's model");
  }
  if (!command.model_stored) {
    return absl::FailedPreconditionError("the base model was not uploaded");
  }
  return CheckDatasets(state, record.spec());
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const SubmitJob& command) {
  CARNET_RETURN_IF_ERROR(CheckSubmission(drafts.state(), command));
  std::size_t running = 0;
  for (const auto& [id, job] : drafts.state().jobs) {
    running += job.phase == JobPhase::kRunning ? 1 : 0;
  }
  if (running >= kJobsRunningMax) {
    return absl::ResourceExhaustedError("64 jobs are running, which is the limit");
  }
  const std::uint64_t index = drafts.AddSigned(command.submitted, command.record);
  v1::JobStarted started;
  started.set_job_id(command.submitted.job_id());
  drafts.Add(started, {DigestSubject("job spec", command.submitted.spec_sha256())});
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const StopJob& command) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), command.job_id));
  if (job->submitted.submitter() != command.user_id) {
    CARNET_RETURN_IF_ERROR(RequireRole(drafts.state(), command.user_id, {"operator", "admin"}));
  }
  v1::JobStopped record;
  record.set_job_id(job->id);
  record.set_reason(reasons::kAsked);
  record.set_rounds(job->rounds_done);
  record.set_model_sha256(ToString(job->model_sha256));
  record.set_stopped_by(command.user_id);
  const std::uint64_t index = drafts.Add(record, {SpecSubject(*job)});
  if (job->round.has_value()) {
    OrderDestruction(&drafts, job->id, job->round->opened.round(), job->round->opened.attempt(),
                     "round", "round-ended");
  }
  if (job->evaluation.has_value()) {
    OrderDestruction(&drafts, job->id, job->evaluation->opened.round(),
                     job->evaluation->opened.attempt(), "evaluation", "evaluation-ended");
  }
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const CompleteJob& command) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), command.job_id));
  const std::string reason = EndReason(*job);
  if (reason.empty() || job->round.has_value() || job->evaluation_due) {
    return absl::FailedPreconditionError("the job has work left");
  }
  v1::JobCompleted record;
  record.set_job_id(job->id);
  record.set_rounds(job->rounds_done);
  record.set_model_sha256(ToString(job->model_sha256));
  record.set_reason(reason);
  const std::uint64_t index = drafts.Add(record, {SpecSubject(*job)});
  return std::move(drafts).Answer(index);
}

// ---- evaluation ----

absl::StatusOr<Decided> DecideOn(Drafts drafts, const OpenEvaluation& command) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), command.job_id));
  if (!job->evaluation_due || job->evaluation.has_value() || job->rounds_done != command.round ||
      job->evaluation_attempts + 1 != command.attempt) {
    return absl::FailedPreconditionError("this evaluation is not the one that is due");
  }
  CARNET_RETURN_IF_ERROR(CheckPreparedUnder(drafts.state(), command.bundle_sha256));
  CARNET_RETURN_IF_ERROR(CheckNotHeld(drafts.state(), *job));
  Plan plan = PlanEvaluation(drafts.state(), *job, command.live, drafts.now(), drafts.entropy());
  AddRefusals(&drafts, plan.refusals);
  if (plan.members.empty()) {
    return std::move(drafts).Done();
  }
  v1::KeyCreated key;
  key.set_key_id(command.model.key_id());
  key.set_purpose("evaluation-model");
  key.set_held_in(drafts.state().genesis.home_jurisdiction());
  key.set_job_id(job->id);
  key.set_round(command.round);
  key.set_attempt(command.attempt);
  drafts.Add(key);
  const absl::Time deadline =
      drafts.now() + absl::Milliseconds(job->submitted.spec().rounds().close().deadline().millis());
  v1::EvaluationOpened record;
  record.set_job_id(job->id);
  record.set_round(command.round);
  record.set_attempt(command.attempt);
  record.set_model_sha256(ToString(job->model_sha256));
  *record.mutable_model() = command.model;
  *record.mutable_basis() = Basis(drafts.state(), drafts.now());
  *record.mutable_member() = std::move(plan.members.front());
  v1::Ticket* ticket = record.mutable_member()->mutable_download();
  ticket->set_ticket_id(drafts.NewId("t"));
  ticket->set_bytes_max(command.model.sealed_bytes());
  *ticket->mutable_expires() = ToTimestamp(deadline);
  *record.mutable_deadline() = ToTimestamp(deadline);
  const std::uint64_t index = drafts.Add(record);
  std::set<std::string> duties;
  AddDuties(&drafts, job->id, record.member().authorisations(), &duties);
  return std::move(drafts).Answer(index);
}

namespace {

// The figures may not come home any more: the evaluation ends without them.
absl::StatusOr<Decided> RefuseFigures(Drafts drafts, const Job& job, const std::string& worker_id,
                                      const Verdicts& verdicts) {
  if (drafts.MustAsk(verdicts)) {
    return Drafts::Ask(verdicts.questions);
  }
  if (verdicts.awaits_bridge) {
    return absl::UnavailableError(absl::StrCat("the metrics wait for ", kBridgeWaitedFor));
  }
  v1::Refusal refusal;
  refusal.set_job_id(job.id);
  refusal.set_worker_id(worker_id);
  refusal.set_round(job.evaluation->opened.round());
  refusal.mutable_decisions()->Add(verdicts.decisions.begin(), verdicts.decisions.end());
  const std::uint64_t index = AddRefusal(&drafts, refusal);
  CARNET_ASSIGN_OR_RETURN(
      Decided decided,
      DecideOn(std::move(drafts), AbandonEvaluation{job.id, reasons::kRefused, {}}));
  decided.answer = RefusedByPolicy(refusal, index);
  return decided;
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const SubmitEvaluation& command) {
  CARNET_RETURN_IF_ERROR(LiveWorker(drafts.state(), command.worker_id));
  const v1::Evaluation& evaluation = command.evaluation;
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), evaluation.job_id()));
  if (!job->evaluation.has_value()) {
    return absl::FailedPreconditionError("no evaluation is open");
  }
  const EvaluationTask& task = *job->evaluation;
  if (task.opened.member().worker_id() != command.worker_id ||
      evaluation.worker_id() != command.worker_id ||
      evaluation.evaluation_opened_index() != task.opened_index ||
      evaluation.model_sha256() != task.opened.model_sha256() ||
      evaluation.round() != task.opened.round()) {
    return absl::FailedPreconditionError("another evaluation is open");
  }
  CARNET_RETURN_IF_ERROR(CheckNotHeld(drafts.state(), *job));
  if (!command.signed_by_worker) {
    return absl::InvalidArgumentError(reasons::kWrongSignature);
  }
  if (!command.seen_in_log) {
    return absl::InvalidArgumentError(reasons::kSeenContradicts);
  }
  const std::set<std::string> named(job->submitted.spec().metrics().begin(),
                                    job->submitted.spec().metrics().end());
  for (const auto& [name, value] : evaluation.metrics()) {
    if (named.count(name) == 0 || !std::isfinite(value)) {
      return absl::InvalidArgumentError(reasons::kUnnamedMetric);
    }
  }
  const Verdicts verdicts = DecideFlows(
      drafts.state(),
      SendMetricsFlows(drafts.state(), *job, drafts.state().workers.at(command.worker_id)),
      drafts.now(), drafts.entropy(), drafts.counter());
  if (!verdicts.allowed) {
    return RefuseFigures(std::move(drafts), *job, command.worker_id, verdicts);
  }
  const std::uint64_t index = drafts.AddSigned(evaluation, command.record);
  OrderDestruction(&drafts, job->id, task.opened.round(), task.opened.attempt(), "evaluation",
                   "evaluation-ended");
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const AbandonEvaluation& command) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, RunningJob(drafts.state(), command.job_id));
  if (!job->evaluation_due) {
    return absl::FailedPreconditionError("no evaluation is due");
  }
  if (command.reason == reasons::kRefused) {
    AddRefusals(&drafts,
                PlanEvaluation(drafts.state(), *job, command.live, drafts.now(), drafts.entropy())
                    .refusals);
  }
  v1::EvaluationAbandoned record;
  record.set_job_id(job->id);
  record.set_round(job->rounds_done);
  record.set_attempt(std::max<std::uint32_t>(job->evaluation_attempts, 1));
  record.set_reason(command.reason);
  drafts.Add(record, {DigestSubject("model", AsText(job->model_sha256))});
  if (job->evaluation.has_value()) {
    OrderDestruction(&drafts, job->id, job->evaluation->opened.round(),
                     job->evaluation->opened.attempt(), "evaluation", "evaluation-ended");
  }
  return std::move(drafts).Done();
}

}  // namespace carnet::coordinator
