#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/counters.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/retained.h"

namespace carnet::coordinator {
namespace {

// Backoff before attempt n of a round: 2, 4, 8 … seconds.
constexpr std::int64_t kRetrySecondsFirst = 2;
// Of a round that was refused, though nothing was recorded since: dates in rules are whole days.
constexpr absl::Duration kRefusedRetry = absl::Hours(24);

// A model that could not be evaluated in so many attempts stays without figures.
constexpr std::uint32_t kEvaluationAttemptsMax = 3;

absl::StatusOr<Job*> JobOf(State& state, std::uint64_t index, const std::string& job_id) {
  const auto it = state.jobs.find(job_id);
  if (it == state.jobs.end()) {
    return absl::DataLossError(absl::StrCat("record ", index, " refers to an unknown job"));
  }
  it->second.records.push_back(index);
  return &it->second;
}

template <typename Message>
absl::StatusOr<Round*> RoundOf(State& state, std::uint64_t index, const Message& record) {
  CARNET_ASSIGN_OR_RETURN(Job* const job, JobOf(state, index, record.job_id()));
  if (!job->round.has_value() || job->round->opened.round() != record.round() ||
      job->round->opened.attempt() != record.attempt()) {
    return absl::DataLossError(
        absl::StrCat("record ", index, " refers to a round that is not open"));
  }
  return &*job->round;
}

std::string RegionJurisdiction(const State& state, const std::string& worker_id) {
  const Worker* worker = state.FindWorker(worker_id);
  if (worker == nullptr) {
    return "";
  }
  const auto region = state.regions.find(worker->terms.region());
  return region == state.regions.end() || region->second.terms.jurisdictions().empty()
             ? ""
             : region->second.terms.jurisdictions(0);
}

Lineage LabelsOf(const State& state, const v1::RoundMember& member) {
  Lineage labels;
  for (const std::string& name : member.shards()) {
    if (const auto shard = state.shards.find(name); shard != state.shards.end()) {
      labels.insert(ClassOf(shard->second, member.worker_id()));
    }
  }
  return labels;
}

std::map<std::string, double> MeanMetrics(const Round& round, const v1::RoundClosed& closed) {
  std::map<std::string, double> sums;
  std::map<std::string, double> weights;
  std::map<std::string, double> weight_of;  // by worker id
  for (const v1::RoundMember& member : round.opened.members()) {
    weight_of[member.worker_id()] = static_cast<double>(member.weight());
  }
  for (const v1::Included& included : closed.included()) {
    const auto contribution = round.contributions.find(included.worker_id());
    if (contribution == round.contributions.end()) {
      continue;
    }
    const auto member = weight_of.find(included.worker_id());
    const double weight = member == weight_of.end() ? 0 : member->second;
    for (const auto& [name, value] : contribution->second.metrics) {
      sums[name] += weight * value;
      weights[name] += weight;
    }
  }
  for (auto& [name, sum] : sums) {
    sum = weights[name] > 0 ? sum / weights[name] : 0;
  }
  return sums;
}

}  // namespace

absl::Status Fold(State& state, std::uint64_t index, const v1::JobSubmitted& record) {
  Job job;
  job.id = record.job_id();
  job.submitted = record;
  job.submitted_index = index;
  job.model_sha256 = ToBytes(record.model_sha256());
  job.records.push_back(index);
  // A base model that this ledger made carries what it was trained on; another one carries no
  // labels of ours.
  if (const auto known = state.model_lineage.find(record.model_sha256());
      known != state.model_lineage.end()) {
    job.lineage = known->second;
  }
  if (const auto known = state.model_versions.find(record.model_sha256());
      known != state.model_versions.end()) {
    job.versions = known->second;
  }
  state.jobs[record.job_id()] = std::move(job);
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::JobStarted& record) {
  return JobOf(state, index, record.job_id()).status();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::JobCompleted& record) {
  CARNET_ASSIGN_OR_RETURN(Job* const job, JobOf(state, index, record.job_id()));
  job->phase = JobPhase::kCompleted;
  job->end_reason = record.reason();
  job->evaluation_due = false;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::JobStopped& record) {
  CARNET_ASSIGN_OR_RETURN(Job* const job, JobOf(state, index, record.job_id()));
  job->phase = JobPhase::kStopped;
  job->end_reason = record.reason();
  job->round.reset();
  job->evaluation.reset();
  job->evaluation_due = false;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::RoundOpened& record) {
  CARNET_ASSIGN_OR_RETURN(Job* const job, JobOf(state, index, record.job_id()));
  if (job->round.has_value()) {
    return absl::DataLossError(
        absl::StrCat("record ", index, " opens a round while another is open"));
  }
  Round round;
  round.opened = record;
  round.opened_index = index;
  for (const v1::RoundMember& member : record.members()) {
    round.labels[member.worker_id()] = LabelsOf(state, member);
    round.versions[member.worker_id()] =
        VersionsOf(state, {member.shards().begin(), member.shards().end()});
  }
  job->round = std::move(round);
  job->attempts_used = record.attempt();
  for (const v1::RoundMember& member : record.members()) {
    job->traffic[{state.genesis.home_jurisdiction(),
                  RegionJurisdiction(state, member.worker_id())}] += record.model().sealed_bytes();
  }
  return absl::OkStatus();
}

namespace {

// Receipts of old rounds go, but for those of rounds whose deltas are kept: they name the deltas.
void TrimReceipts(const State& state, Job* job) {
  if (job->receipts.size() <= kReceiptRoundsKept) {
    return;
  }
  const std::set<std::uint32_t> retained = RetainedRounds(state, job->id, state.last);
  std::size_t plain = 0;
  for (const auto& [round, receipts] : job->receipts) {
    plain += retained.count(round) == 0 ? 1 : 0;
  }
  for (auto it = job->receipts.begin(); it != job->receipts.end() && plain > kReceiptRoundsKept;) {
    if (retained.count(it->first) != 0) {
      ++it;
    } else {
      it = job->receipts.erase(it);
      --plain;
    }
  }
}

}  // namespace

absl::Status Fold(State& state, std::uint64_t index, const v1::Contribution& record) {
  CARNET_ASSIGN_OR_RETURN(Round* const round, RoundOf(state, index, record));
  Contribution contribution;
  contribution.index = index;
  contribution.sealed_sha256 = record.sealed_sha256();
  contribution.sealed_bytes = record.sealed_bytes();
  contribution.metrics.insert(record.metrics().begin(), record.metrics().end());
  Job& job = state.jobs.at(record.job_id());
  auto& receipts = job.receipts[record.round()];
  if (receipts.empty()) {
    TrimReceipts(state, &job);
  }
  receipts[record.worker_id()] = {record.attempt(), index, record.sealed_sha256()};
  round->contributions[record.worker_id()] = std::move(contribution);
  job.traffic[{RegionJurisdiction(state, record.worker_id()), state.genesis.home_jurisdiction()}] +=
      record.sealed_bytes();
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::ContributionRejected& record) {
  CARNET_ASSIGN_OR_RETURN(Job* const job, JobOf(state, index, record.job_id()));
  // A rejection may concern a round that has ended; it changes nothing then.
  if (!job->round.has_value() || job->round->opened.round() != record.round() ||
      job->round->opened.attempt() != record.attempt()) {
    return absl::OkStatus();
  }
  Round& round = *job->round;
  ++round.rejections[record.worker_id()];
  if (record.reason() == reasons::kStorageFault) {
    round.storage_faults.insert(record.worker_id());
  } else if (round.contributions.count(record.worker_id()) == 0) {
    // An accepted contribution stays; a second, different one is only put on record.
    round.out[record.worker_id()] = reasons::kRejected;
  }
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::RoundClosed& record) {
  CARNET_ASSIGN_OR_RETURN(Round* const round, RoundOf(state, index, record));
  round->closed = record;
  round->closed_index = index;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::RoundAbandoned& record) {
  CARNET_ASSIGN_OR_RETURN(Round* const round, RoundOf(state, index, record));
  (void)round;
  Job& job = state.jobs.at(record.job_id());
  job.round.reset();
  if (record.reason() == reasons::kRefused) {
    job.refused_by = state.facts_version;
    job.retry_after = state.last + kRefusedRetry;
    return absl::OkStatus();
  }
  const std::int64_t wait = kRetrySecondsFirst
                            << std::min<std::uint32_t>(job.attempts_used - 1, 10);
  job.refused_by.reset();
  job.retry_after = state.last + absl::Seconds(wait);
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::Aggregate& record) {
  CARNET_ASSIGN_OR_RETURN(Round* const round, RoundOf(state, index, record));
  if (!round->closed.has_value()) {
    return absl::DataLossError(
        absl::StrCat("record ", index, " aggregates a round that is not closed"));
  }
  Job& job = state.jobs.at(record.job_id());
  const std::set<std::uint64_t> included(record.included().begin(), record.included().end());
  for (const v1::RoundMember& member : round->opened.members()) {
    const auto contribution = round->contributions.find(member.worker_id());
    if (contribution != round->contributions.end() &&
        included.count(contribution->second.index) != 0) {
      const Lineage& labels = round->labels[member.worker_id()];
      job.lineage.insert(labels.begin(), labels.end());
      const ShardVersions& versions = round->versions[member.worker_id()];
      job.versions.insert(versions.begin(), versions.end());
    }
  }
  job.model_sha256 = ToBytes(record.model_sha256());
  job.optimizer_state_sha256 = ToBytes(record.optimizer_state_sha256());
  state.model_lineage[record.model_sha256()].insert(job.lineage.begin(), job.lineage.end());
  state.model_versions[record.model_sha256()].insert(job.versions.begin(), job.versions.end());
  RoundResult result;
  result.round = record.round();
  result.model_sha256 = job.model_sha256;
  result.aggregate_index = index;
  result.contributions = static_cast<std::uint32_t>(record.included_size());
  result.training = MeanMetrics(*round, *round->closed);
  job.results.push_back(std::move(result));
  job.rounds_done = record.round();
  job.attempts_used = 0;
  job.retry_after = absl::InfinitePast();
  job.refused_by.reset();
  job.round.reset();
  const v1::JobSpec& spec = job.submitted.spec();
  job.evaluation_due = spec.has_evaluate() && (record.round() % spec.evaluate().every() == 0 ||
                                               record.round() == spec.rounds().count());
  job.evaluation_attempts = 0;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::EvaluationOpened& record) {
  CARNET_ASSIGN_OR_RETURN(Job* const job, JobOf(state, index, record.job_id()));
  job->evaluation = EvaluationTask{record, index};
  job->evaluation_attempts = record.attempt();
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::Evaluation& record) {
  CARNET_ASSIGN_OR_RETURN(Job* const job, JobOf(state, index, record.job_id()));
  for (RoundResult& result : job->results) {
    if (result.round == record.round()) {
      result.evaluation.insert(record.metrics().begin(), record.metrics().end());
    }
  }
  job->evaluation.reset();
  job->evaluation_due = false;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::EvaluationAbandoned& record) {
  CARNET_ASSIGN_OR_RETURN(Job* const job, JobOf(state, index, record.job_id()));
  job->evaluation.reset();
  // What policy refuses, it refuses again; a worker that failed may have been unlucky.
  job->evaluation_due =
      record.reason() != reasons::kRefused && job->evaluation_attempts < kEvaluationAttemptsMax;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::TaskFailed& record) {
  CARNET_ASSIGN_OR_RETURN(Job* const job, JobOf(state, index, record.job_id()));
  if (job->round.has_value() && job->round->opened.round() == record.round() &&
      job->round->opened.attempt() == record.attempt()) {
    job->round->out[record.worker_id()] = reasons::kTaskFailed;
  }
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::Refusal& record) {
  state.refusal_keys[RefusalKey(state, record)] = index;
  if (const auto job = state.jobs.find(record.job_id()); job != state.jobs.end()) {
    job->second.records.push_back(index);
    ++job->second.refusals;
  }
  return absl::OkStatus();
}

std::string RefusalKey(const State& state, const v1::Refusal& refusal) {
  // Of a release the round says which model; all rounds of a job are refused alike.
  const bool of_model = !refusal.decisions().empty() &&
                        refusal.decisions(0).flow().operation() == v1::OPERATION_RELEASE_MODEL;
  std::string key =
      absl::StrCat(state.bundle->revision(), "|", refusal.job_id(), "|", refusal.worker_id(), "|",
                   refusal.shard(), "|", of_model ? refusal.round() : 0U);
  for (const v1::Decision& decision : refusal.decisions()) {
    const v1::Flow& flow = decision.flow();
    absl::StrAppend(&key, "|", static_cast<int>(flow.operation()), ",",
                    static_cast<int>(flow.artifact()), ",", flow.from(), ",", flow.to(), ",",
                    flow.recipient(), ",", flow.label_class());
    for (const v1::Failure& failure : decision.failures()) {
      absl::StrAppend(&key, ",", failure.reason());
    }
    if (!decision.bridge().empty()) {
      absl::StrAppend(&key, ",", decision.bridge());
    }
  }
  return key;
}

}  // namespace carnet::coordinator
