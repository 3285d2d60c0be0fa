#include "coordinator/rpc/jobs_status.h"

#include <algorithm>

#include "base/status.h"

namespace carnet::coordinator {
namespace {

v1::JobState StateOf(const Job& job, bool waits) {
  if (job.phase == JobPhase::kCompleted) {
    return v1::JOB_STATE_COMPLETED;
  }
  if (job.phase == JobPhase::kStopped) {
    return v1::JOB_STATE_STOPPED;
  }
  if (waits) {
    return v1::JOB_STATE_WAITING;
  }
  const bool began = job.round.has_value() || job.rounds_done > 0 || job.attempts_used > 0;
  return began ? v1::JOB_STATE_RUNNING : v1::JOB_STATE_SUBMITTED;
}

bool HasRoleBesidesMember(const State& state, const std::string& user_id) {
  const auto user = state.users.find(user_id);
  return user != state.users.end() &&
         std::any_of(user->second.roles.begin(), user->second.roles.end(),
                     [](const std::string& role) { return role != "member"; });
}

}  // namespace

v1::JobStatus MakeJobStatus(const Job& job, const WaitingReasons& waiting) {
  v1::JobStatus status;
  status.set_job_id(job.id);
  status.set_name(job.submitted.spec().job());
  const auto reason = waiting.find(job.id);
  const bool waits = job.phase == JobPhase::kRunning && reason != waiting.end();
  status.set_state(StateOf(job, waits));
  if (waits) {
    status.set_waiting_for(reason->second);
  }
  status.set_end_reason(job.end_reason);
  status.set_round(job.round.has_value() ? job.round->opened.round() : job.rounds_done);
  status.set_attempt(job.attempts_used);
  status.set_rounds(job.submitted.spec().rounds().count());
  if (job.rounds_done > 0) {
    status.set_model_sha256(ToString(job.model_sha256));
  }
  *status.mutable_submitted_at() = job.submitted.common().at();
  status.set_submitter(job.submitted.submitter());
  for (const auto& [direction, bytes] : job.traffic) {
    if (direction.first != direction.second) {
      v1::BorderTraffic* traffic = status.add_traffic();
      traffic->set_from(direction.first);
      traffic->set_to(direction.second);
      traffic->set_bytes(bytes);
    }
  }
  status.set_refusals(job.refusals);
  const auto evaluated =
      std::find_if(job.results.rbegin(), job.results.rend(),
                   [](const RoundResult& result) { return !result.evaluation.empty(); });
  if (evaluated != job.results.rend()) {
    status.mutable_metrics()->insert(evaluated->evaluation.begin(), evaluated->evaluation.end());
  }
  return status;
}

v1::GetMetricsResponse MakeJobMetrics(const Job& job) {
  v1::GetMetricsResponse response;
  for (const RoundResult& result : job.results) {
    v1::RoundMetrics* round = response.add_rounds();
    round->set_round(result.round);
    round->set_contributions(result.contributions);
    round->mutable_training()->insert(result.training.begin(), result.training.end());
    round->mutable_evaluation()->insert(result.evaluation.begin(), result.evaluation.end());
  }
  return response;
}

bool SeesJob(const State& state, const std::string& user_id, const Job& job) {
  return job.submitted.submitter() == user_id || HasRoleBesidesMember(state, user_id);
}

absl::StatusOr<const Job*> VisibleJob(const State& state, const std::string& user_id,
                                      const std::string& job_id) {
  const Job* job = state.FindJob(job_id);
  if (job == nullptr) {
    return absl::NotFoundError("no such job");
  }
  if (!SeesJob(state, user_id, *job)) {
    return absl::PermissionDeniedError("the job is another member's");
  }
  return job;
}

}  // namespace carnet::coordinator
