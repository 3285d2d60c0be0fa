#include "coordinator/audit/replay.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/audit/decisions.h"
#include "coordinator/audit/impact_again.h"
#include "coordinator/audit/owed.h"
#include "coordinator/core/apply.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/core/keys.h"
#include "ledger/record.h"

namespace carnet::coordinator::audit {
namespace {

using ledger::verifier::VerifiedRecord;

// Effects follow their order within seconds; after this long without them something is missing.
constexpr absl::Duration kEffectLagMax = absl::Hours(1);

ledger::Predicate ToPredicate(const VerifiedRecord& record) {
#define CARNET_AUDIT_CASE(message, signer)                              \
  if (const auto* found = record.As<v1::message>(); found != nullptr) { \
    return *found;                                                      \
  }
  CARNET_RECORD_TYPES(CARNET_AUDIT_CASE)
#undef CARNET_AUDIT_CASE
  return {};
}

// How far an assessor's clock may be ahead.
constexpr absl::Duration kAssessedSkewMax = absl::Minutes(5);

// Whose clock `at` is: the coordinator's drives the state, others carry their own.
bool IsCoordinators(const ledger::Predicate& predicate) {
  return !predicate.Is<v1::Contribution>() && !predicate.Is<v1::Evaluation>() &&
         !predicate.Is<v1::JobSubmitted>() && !predicate.Is<v1::Approval>() &&
         !predicate.Is<v1::PolicyProposed>() && !predicate.Is<v1::ModelAssessed>();
}

// The person who signs a record of that type; null: it is no person's.
const std::string* PersonOf(const ledger::Predicate& predicate) {
  if (const auto* job = predicate.As<v1::JobSubmitted>(); job != nullptr) {
    return &job->submitter();
  }
  if (const auto* approval = predicate.As<v1::Approval>(); approval != nullptr) {
    return &approval->approver();
  }
  if (const auto* assessed = predicate.As<v1::ModelAssessed>(); assessed != nullptr) {
    return &assessed->assessor();
  }
  const auto* proposed = predicate.As<v1::PolicyProposed>();
  return proposed != nullptr ? &proposed->author() : nullptr;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_full, time, absl::UTCTimeZone());
}

}  // namespace

void Replay::CheckCommon(const Step& step, const ledger::Predicate& predicate) const {
  const v1::Common& common = ledger::CommonOf(predicate);
  if (IsCoordinators(predicate)) {
    step.Expect(ToTime(common.at()) >= state_.last, "time",
                absl::StrCat("a time not before ", TimeText(state_.last)),
                TimeText(ToTime(common.at())));
    if (const absl::Time by = ToTime(common.at()) + kAssessedSkewMax; memory_.assessed > by) {
      step.Expect(false, "assessment",
                  absl::StrCat("assessments before this record signed by ", TimeText(by)),
                  absl::StrCat("one of ", TimeText(memory_.assessed)));
    }
    memory_.assessed = absl::InfinitePast();
  }
  const std::string& id = common.request_id();
  if (!id.empty() && id != memory_.last_request_id) {
    const auto first = state_.requests.find(id);
    step.Expect(first == state_.requests.end(), "request-once", "one command for a request id",
                first == state_.requests.end()
                    ? ""
                    : absl::StrCat("the id of the command at record ", first->second));
  }
  memory_.last_request_id = id;
}

void Replay::CheckSigner(const Step& step, const VerifiedRecord& record,
                         const ledger::Predicate& predicate) const {
  std::string who = "the coordinator";
  Bytes key = ToBytes(state_.StatementKey());
  if (const auto* genesis = predicate.As<v1::Genesis>(); genesis != nullptr) {
    key = ToBytes(genesis->statement_public_key());
  } else if (const std::string* const person = PersonOf(predicate); person != nullptr) {
    const auto user = state_.users.find(*person);
    who = *person;
    key = user == state_.users.end() ? Bytes() : user->second.public_key;
  } else if (!IsCoordinators(predicate)) {
    const auto* contribution = predicate.As<v1::Contribution>();
    who = contribution != nullptr ? contribution->worker_id()
                                  : predicate.As<v1::Evaluation>()->worker_id();
    const Worker* const worker = state_.FindWorker(who);
    key = worker == nullptr ? Bytes() : ToBytes(worker->terms.statement_public_key());
  }
  if (step.Expect(record.public_key == key, "signer",
                  absl::StrCat(record.type, " signed by ", who, ", key ", Hex(key)),
                  absl::StrCat("key ", Hex(record.public_key)))) {
    ++numbers_.signers;
  }
}

void Replay::CheckSeen(const Step& step, const v1::Seen& seen) const {
  if (!step.Expect(seen.origin() == state_.genesis.origin(), "seen",
                   absl::StrCat("a head of ", state_.genesis.origin()), seen.origin())) {
    return;
  }
  if (seen.size() < roots_.size() && AsText(roots_[seen.size()]) == seen.root()) {
    ++numbers_.seen;
    return;
  }
  step.Add(
      Severity::kMisbehaviour, "seen",
      seen.size() < roots_.size()
          ? absl::StrCat("root ", HexEncode(roots_[seen.size()]), " at ", seen.size(), " records")
          : absl::StrCat("a head of at most ", step.index(), " records"),
      absl::StrCat("the worker was shown root ", Hex(seen.root()), " at ", seen.size(),
                   " records: another history"));
}

bool Replay::CheckFoldable(const Step& step, const ledger::Predicate& predicate) const {
  if (step.index() == 0 && !predicate.Is<v1::Genesis>()) {
    return step.Expect(false, "fold", "genesis as record 0", "another record");
  }
  if (predicate.kind() == ledger::RecordKind::kNone) {
    step.Add(Severity::kGap, "fold", "a record of a type that this program knows", "another type");
    return false;
  }
  const auto* job = predicate.As<v1::JobSubmitted>();
  if (job == nullptr) {
    return true;
  }
  // The rules for jobs may have grown since; what they say now is no proof against then.
  if (const absl::Status valid = ValidateJob(job->spec()); !valid.ok()) {
    step.Add(Severity::kNote, "job", "a job that this program would take",
             std::string(valid.message()));
  }
  return step.Expect(!job->spec().has_evaluate() || job->spec().evaluate().every() > 0, "job",
                     "evaluate.every of at least 1", "0");
}

void Replay::Fold(const Step& step, const ledger::Predicate& predicate) {
  if (!IsIndecisive(predicate)) {
    memory_.decisive_size = step.index() + 1;
  }
  NoteWeighed(step, predicate, IsCoordinators(predicate));
  const absl::Status folded = Apply(state_, step.index(), predicate);
  if (!step.Expect(folded.ok(), "fold", "a record that follows from those before it",
                   std::string(folded.message()))) {
    stopped_ = true;
    return;
  }
  ++numbers_.replayed;
  if (state_.bundle != nullptr &&
      (bundles_.empty() || bundles_.back().sha256 != state_.bundle->sha256())) {
    bundles_.push_back({step.index(), state_.bundle->revision(), state_.bundle->sha256(), 0});
  }
}

void Replay::Add(const VerifiedRecord& record) {
  const std::uint64_t index = roots_.size() - 1;
  tree_.Add(record.leaf_hash);
  const Step step(state_, index, memory_, numbers_, findings_);
  const ledger::Predicate predicate = ToPredicate(record);
  if (!stopped_ && !CheckFoldable(step, predicate)) {
    stopped_ = true;
  }
  if (!stopped_) {
    CheckCommon(step, predicate);
    CheckSigner(step, record, predicate);
    if (const auto* contribution = predicate.As<v1::Contribution>(); contribution != nullptr) {
      CheckSeen(step, contribution->seen());
    } else if (const auto* evaluation = predicate.As<v1::Evaluation>(); evaluation != nullptr) {
      CheckSeen(step, evaluation->seen());
    }
    ledger::Visit(predicate, [&step](const auto& each) { Check(step, each); });
    NoteDuties(step, predicate);
    const std::uint64_t before = numbers_.decisions;
    DecideAgain(step, predicate);
    if (!bundles_.empty()) {
      bundles_.back().decisions += numbers_.decisions - before;
    }
    if (const auto* aggregate = predicate.As<v1::Aggregate>(); aggregate != nullptr) {
      RecomputeAggregate(step, *aggregate, recomputation_);
    }
    Fold(step, predicate);
  }
  roots_.push_back(tree_.Root());
}

void Replay::FinishKeys() const {
  const auto add = [&](Severity severity, const char* check, std::string expected,
                       std::string actual) {
    findings_.Add({severity, std::nullopt, check, std::move(expected), std::move(actual)});
  };
  for (const auto& [id, ordered] : memory_.destruction_ordered) {
    if (state_.last - ordered > kEffectLagMax) {
      add(Severity::kGap, "key-destroyed", absl::StrCat("key-destroyed of ", id),
          absl::StrCat("ordered at ", TimeText(ordered), " and never done"));
    }
  }
  for (const auto& [id, key] : state_.keys) {
    const Job* const job = state_.FindJob(key.terms.job_id());
    const auto same = [&key_terms = key.terms](const auto& opened) {
      return opened.round() == key_terms.round() && opened.attempt() == key_terms.attempt();
    };
    const bool in_use =
        job != nullptr && ((job->round.has_value() && same(job->round->opened)) ||
                           (job->evaluation.has_value() && same(job->evaluation->opened)));
    bool in_force = state_.KeyIdOf(key.terms.purpose()) == id;
    for (const Rotation& rotation : state_.rotations) {
      in_force = in_force || (rotation.old_key_id == id && state_.last < EndOfOverlap(rotation));
    }
    if (key.phase == KeyPhase::kLive && !in_use && !in_force) {
      add(Severity::kGap, "key-order",
          absl::StrCat("the destruction of ", id, ", whose ", key.terms.purpose(), " has ended"),
          "never ordered");
    }
  }
}

void Replay::FinishJobs(Report& report) const {
  const auto late = [&](absl::Time deadline) { return state_.last - deadline > kEffectLagMax; };
  for (const auto& [id, job] : state_.jobs) {
    const char* const words[] = {"running", "completed", "stopped"};
    report.jobs.push_back({id, job.submitted.spec().job(), words[static_cast<int>(job.phase)],
                           job.rounds_done, ToBytes(job.submitted.model_sha256()), job.model_sha256,
                           job.refusals});
    if (job.round.has_value() && late(ToTime(job.round->opened.deadline()))) {
      findings_.Add({Severity::kGap, job.round->opened_index, "round-end",
                     "a round that ends at its deadline", "nothing says how it ended"});
    }
    if (job.evaluation.has_value() && late(ToTime(job.evaluation->opened.deadline()))) {
      findings_.Add({Severity::kGap, job.evaluation->opened_index, "evaluation-end",
                     "an evaluation that ends at its deadline", "nothing says how it ended"});
    }
  }
  for (const auto& [id, staging] : state_.stagings) {
    if (staging.phase == StagingPhase::kOrdered && late(ToTime(staging.ordered.expires()))) {
      findings_.Add({Severity::kGap, staging.ordered_index, "staging-end",
                     absl::StrCat("the end of staging ", id), "nothing says how it ended"});
    }
  }
}

void Replay::FinishRecomputation(Report& report) const {
  report.recomputed = memory_.recomputed;
  for (const auto& [why, count] : memory_.not_recomputed) {
    report.not_recomputed += count;
  }
  if (state_.retained_keys.empty() && recomputation_.compute == nullptr) {
    return;
  }
  for (const auto& [why, count] : memory_.not_recomputed) {
    findings_.Add({Severity::kNote, std::nullopt, "recompute", "every aggregation computed again",
                   absl::StrCat("not recomputed: ", count, ", because ", why)});
  }
}

void Replay::Finish(Report& report) const {
  if (state_.size == 0) {
    return;
  }
  report.federation = state_.genesis.federation();
  report.organisation = state_.genesis.organisation();
  report.home_jurisdiction = state_.genesis.home_jurisdiction();
  report.newest = state_.last;
  report.bundles = bundles_;
  report.retaken = memory_.retaken;
  FinishJobs(report);
  FinishRecomputation(report);
  if (!stopped_) {
    FinishKeys();
    FinishDuties(state_, memory_, findings_);
  }
}

}  // namespace carnet::coordinator::audit
