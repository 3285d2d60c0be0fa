// Jobs, keys and evaluations.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/core/keys.h"
#include "coordinator/core/reconcile.h"

namespace carnet::coordinator::audit {
namespace {

// Whether a key still seals something: its round or evaluation is under way.
bool InUse(const Job& job, const v1::KeyCreated& key) {
  const auto same = [&key](const auto& opened) {
    return opened.round() == key.round() && opened.attempt() == key.attempt();
  };
  if (absl::StartsWith(key.purpose(), "evaluation")) {
    return job.evaluation.has_value() && same(job.evaluation->opened);
  }
  return job.round.has_value() && same(job.round->opened);
}

// Both ends of a job name the newest model and the rounds that made it.
void CheckEnd(const Step& step, const Job& job, std::uint32_t rounds, const std::string& model) {
  step.Expect(rounds == job.rounds_done, "chain",
              absl::StrCat(job.rounds_done, " rounds, as aggregated"), absl::StrCat(rounds));
  if (step.Expect(model == AsText(job.model_sha256), "chain",
                  absl::StrCat("model ", Hex(job.model_sha256)),
                  absl::StrCat("model ", Hex(model)))) {
    ++step.numbers().models;
  }
}

void CheckRoundKey(const Step& step, const Job& job, const v1::KeyCreated& record) {
  step.Expect(!job.round.has_value() && record.round() == job.rounds_done + 1 &&
                  record.attempt() == job.attempts_used + 1,
              "key",
              absl::StrCat("a key of round ", job.rounds_done + 1, ", attempt ",
                           job.attempts_used + 1, ", which comes next"),
              absl::StrCat("one of round ", record.round(), ", attempt ", record.attempt()));
}

}  // namespace

void Check(const Step& step, const v1::JobSubmitted& record) {
  step.Expect(IsId("j", record.job_id()), "job", "an id of a job, as every job gets",
              "something else");
  step.Expect(step.state().jobs.count(record.job_id()) == 0, "job",
              absl::StrCat("one submission of ", record.job_id()), "a second one");
  ExpectRole(step, record.submitter(), {"member", "operator"});
  const auto digest = JobSpecDigest(record.spec());
  step.Expect(digest.ok() && AsText(*digest) == record.spec_sha256(), "chain",
              absl::StrCat("job spec ", digest.ok() ? HexEncode(*digest) : "that can be written"),
              absl::StrCat("job spec ", Hex(record.spec_sha256())));
  step.Expect(HexEncode(AsBytes(record.model_sha256())) == record.spec().model().sha256(), "chain",
              absl::StrCat("base model ", record.spec().model().sha256()),
              absl::StrCat("base model ", Hex(record.model_sha256())));
}

void Check(const Step& step, const v1::JobStarted& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "job");
  step.Expect(job == nullptr || job->submitted_index + 1 == step.index(), "job",
              "job-started right after its submission", "elsewhere");
}

void Check(const Step& step, const v1::JobCompleted& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "job");
  if (job == nullptr) {
    return;
  }
  step.Expect(!job->round.has_value() && !job->evaluation.has_value(), "job",
              "a job that has no work left", "a round or an evaluation is under way");
  const std::string reason = EndReason(*job);
  step.Expect(reason == record.reason(), "job",
              absl::StrCat("the end: ", reason.empty() ? "not yet" : reason),
              absl::StrCat("the end: ", record.reason()));
  CheckEnd(step, *job, record.rounds(), record.model_sha256());
}

void Check(const Step& step, const v1::JobStopped& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "job");
  if (job == nullptr) {
    return;
  }
  if (record.stopped_by() != job->submitted.submitter()) {
    ExpectRole(step, record.stopped_by(), {"operator", "admin"});
  }
  CheckEnd(step, *job, record.rounds(), record.model_sha256());
}

// ---- keys ----

void Check(const Step& step, const v1::KeyCreated& record) {
  step.Expect(step.state().keys.count(record.key_id()) == 0, "key",
              absl::StrCat("one key ", record.key_id()), "a second one");
  step.Expect(record.held_in() == step.state().genesis.home_jurisdiction(), "key",
              absl::StrCat("a key held in ", step.state().genesis.home_jurisdiction()),
              absl::StrCat("held in ", record.held_in()));
  const Job* const job = RunningJobOf(step, record.job_id(), "key");
  ++step.numbers().keys;
  if (job == nullptr) {
    return;
  }
  if (record.purpose() == "round" || record.purpose() == "round-model") {
    CheckRoundKey(step, *job, record);
  } else if (step.Expect(record.purpose() == "evaluation-model", "key",
                         "round, round-model or evaluation-model", record.purpose())) {
    step.Expect(job->evaluation_due && record.round() == job->rounds_done, "key",
                "a key of the evaluation that is due", absl::StrCat("round ", record.round()));
  }
}

namespace {

// Of the coordinator's own keys: one that gave way, and whose overlap has ended.
void ExpectGone(const Step& step, const std::string& id, absl::Time at) {
  const State& state = step.state();
  for (const char* kind : {kStatementKind, kLogKind, kCaKind}) {
    step.Expect(state.KeyIdOf(kind) != id, "key",
                absl::StrCat("another ", kind, " key in the place of ", id), "it is in force");
  }
  for (const Rotation& rotation : state.rotations) {
    step.Expect(rotation.old_key_id != id || at >= EndOfOverlap(rotation), "key",
                absl::StrCat("the end of the overlap of ", id), "both keys count");
  }
}

}  // namespace

void Check(const Step& step, const v1::KeyDestructionOrdered& record) {
  for (const std::string& id : record.key_ids()) {
    const auto key = step.state().keys.find(id);
    if (!step.Expect(key != step.state().keys.end(), "key", absl::StrCat("key-created of ", id),
                     "none before")) {
      continue;
    }
    step.Expect(key->second.phase == KeyPhase::kLive, "key", absl::StrCat("live key ", id),
                "its destruction was ordered before");
    const Job* const job = step.state().FindJob(key->second.terms.job_id());
    step.Expect(job == nullptr || !InUse(*job, key->second.terms), "key",
                absl::StrCat("the end of what ", id, " is for"), "it is under way");
    ExpectGone(step, id, ToTime(record.common().at()));
    step.memory().destruction_ordered.emplace(id, ToTime(record.common().at()));
  }
}

void Check(const Step& step, const v1::KeyDestroyed& record) {
  for (const std::string& id : record.key_ids()) {
    const auto key = step.state().keys.find(id);
    step.Expect(
        key != step.state().keys.end() && key->second.phase == KeyPhase::kDestructionOrdered,
        "key-order", absl::StrCat("key-destruction-ordered of ", id),
        key == step.state().keys.end()         ? "no such key"
        : key->second.phase == KeyPhase::kLive ? "none before"
                                               : "destroyed before");
    step.memory().destruction_ordered.erase(id);
    ++step.numbers().keys_destroyed;
  }
}

// ---- evaluations ----

void Check(const Step& step, const v1::EvaluationOpened& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "evaluation");
  if (job == nullptr) {
    return;
  }
  step.Expect(job->evaluation_due && !job->evaluation.has_value(), "evaluation",
              "an evaluation that is due", "none is, or one is under way");
  step.Expect(
      record.round() == job->rounds_done && record.attempt() == job->evaluation_attempts + 1,
      "evaluation",
      absl::StrCat("round ", job->rounds_done, ", attempt ", job->evaluation_attempts + 1),
      absl::StrCat("round ", record.round(), ", attempt ", record.attempt()));
  step.Expect(record.model_sha256() == AsText(job->model_sha256), "chain",
              absl::StrCat("model ", Hex(job->model_sha256)),
              absl::StrCat("model ", Hex(record.model_sha256())));
  const Worker* const worker = LiveWorkerOf(step, record.member().worker_id(), "evaluation");
  step.Expect(worker == nullptr || worker->terms.region() == "home", "evaluation",
              "a worker at home", record.member().worker_id());
  ExpectNotWithdrawn(step, ShardNamesOf(job->versions));
  ExpectNotWithdrawn(step, {record.member().shards().begin(), record.member().shards().end()});
  const auto key = step.state().keys.find(record.model().key_id());
  step.Expect(key != step.state().keys.end() && key->second.phase == KeyPhase::kLive &&
                  key->second.terms.purpose() == "evaluation-model" &&
                  key->second.terms.job_id() == record.job_id() &&
                  key->second.terms.round() == record.round() &&
                  key->second.terms.attempt() == record.attempt(),
              "key", "a live key of this evaluation", record.model().key_id());
  const v1::Ticket& ticket = record.member().download();
  step.Expect(!ticket.ticket_id().empty() && ticket.bytes_max() > 0 &&
                  ToTime(ticket.expires()) <= ToTime(record.deadline()),
              "ticket", "a download ticket that ends with the evaluation", "none, or another");
}

void Check(const Step& step, const v1::Evaluation& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "evaluation");
  if (job == nullptr || !step.Expect(job->evaluation.has_value(), "evaluation",
                                     "an evaluation under way", "none is")) {
    return;
  }
  const v1::EvaluationOpened& opened = job->evaluation->opened;
  step.Expect(record.evaluation_opened_index() == job->evaluation->opened_index, "evaluation",
              absl::StrCat("evaluation-opened at ", job->evaluation->opened_index),
              absl::StrCat("at ", record.evaluation_opened_index()));
  step.Expect(record.worker_id() == opened.member().worker_id(), "evaluation",
              absl::StrCat("worker ", opened.member().worker_id()), record.worker_id());
  step.Expect(record.model_sha256() == opened.model_sha256() && record.round() == opened.round(),
              "chain", absl::StrCat("model ", Hex(opened.model_sha256())),
              absl::StrCat("model ", Hex(record.model_sha256())));
  ExpectNotWithdrawn(step, ShardNamesOf(job->versions));
  ExpectNotWithdrawn(step, {opened.member().shards().begin(), opened.member().shards().end()});
  const Worker* const worker = step.state().FindWorker(record.worker_id());
  if (worker != nullptr && step.state().regions.count(worker->terms.region()) != 0) {
    ExpectMayCome(step, SendMetricsFlows(step.state(), *job, *worker), ToTime(record.common().at()),
                  ToTime(opened.deadline()));
  }
}

void Check(const Step& step, const v1::EvaluationAbandoned& record) {
  const Job* const job = RunningJobOf(step, record.job_id(), "evaluation");
  step.Expect(job == nullptr || job->evaluation_due, "evaluation", "an evaluation that is due",
              "none is");
}

// ---- shared by several ----

const Job* RunningJobOf(const Step& step, const std::string& job_id, const char* check) {
  const Job* const job = step.state().FindJob(job_id);
  if (!step.Expect(job != nullptr, check, "a job on record", job_id)) {
    return nullptr;
  }
  const bool running =
      step.Expect(job->phase == JobPhase::kRunning, check,
                  absl::StrCat("nothing of ", job_id, " after its end"), "a record of it");
  return running ? job : nullptr;
}

}  // namespace carnet::coordinator::audit
