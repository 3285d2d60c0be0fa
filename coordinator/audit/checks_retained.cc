// Keys that are kept for an auditor, and what he computes again with them.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/core/retained.h"

namespace carnet::coordinator::audit {
namespace {

constexpr char kCheck[] = "retained";
constexpr char kRecompute[] = "recompute";

// Why a round of the log cannot be computed again, in the words of the report.
constexpr char kKeptForNobody[] = "the round's key was kept for nobody";
constexpr char kNobodyOpens[] = "the person for whom the round's key is kept does not audit";

std::vector<AggregatedDelta> DeltasOf(const State& state, const Round& round,
                                      const v1::Aggregate& record) {
  std::vector<AggregatedDelta> deltas;
  for (const auto& [worker_id, contribution] : round.contributions) {
    const auto at =
        std::find(record.included().begin(), record.included().end(), contribution.index);
    const auto i = at - record.included().begin();
    if (at != record.included().end() && i < record.weights_size()) {
      // One that was never enrolled was reported at its contribution.
      const auto worker = state.workers.find(worker_id);
      deltas.push_back({worker == state.workers.end() ? std::string() : worker->second.path,
                        ToBytes(contribution.sealed_sha256), record.weights(static_cast<int>(i))});
    }
  }
  std::sort(deltas.begin(), deltas.end(),
            [](const AggregatedDelta& a, const AggregatedDelta& b) { return a.path < b.path; });
  return deltas;
}

std::string DigestText(const AggregationResult& result) {
  return absl::StrCat(
      "model ", HexEncode(result.model_sha256),
      result.optimizer_state_sha256.empty()
          ? ""
          : absl::StrCat(", optimizer state ", HexEncode(result.optimizer_state_sha256)));
}

}  // namespace

void Check(const Step& step, const v1::KeyRetained& record) {
  const State& state = step.state();
  const Job* const job = RunningJobOf(step, record.job_id(), kCheck);
  const Round* const round =
      job == nullptr ? nullptr : OpenRoundOf(step, *job, record.round(), record.attempt(), kCheck);
  if (round == nullptr ||
      !step.Expect(round->closed.has_value(), kCheck, "round-closed before it", "none")) {
    return;
  }
  step.Expect(record.key_id() == round->opened.round_key_id() &&
                  record.public_key() == round->opened.round_public_key(),
              kCheck, absl::StrCat("the round's key ", round->opened.round_key_id()),
              absl::StrCat(record.key_id(), ", public key ", Hex(record.public_key())));
  step.Expect(state.retained_keys.count(record.key_id()) == 0, kCheck, "a key that is kept once",
              "a second record");
  const auto retention = RetentionFor(state, *round);
  if (!step.Expect(retention.ok() && retention->has_value(), kCheck,
                   "a rule that asks to keep the round's deltas",
                   retention.ok() ? "none" : std::string(retention.status().message()))) {
    return;
  }
  const policies::DeltaRetention& asked = **retention;
  step.Expect(record.kept_for() == asked.person && record.rule() == asked.rule, kCheck,
              absl::StrCat("kept for ", asked.person, " by ", asked.rule),
              absl::StrCat("kept for ", record.kept_for(), " by ", record.rule()));
  const auto user = state.users.find(asked.person);
  const Bytes key = user == state.users.end() ? Bytes() : user->second.wrapping_public_key;
  step.Expect(record.kept_for_public_key() == AsText(key), kCheck,
              absl::StrCat("wrapped for ", Hex(key)),
              absl::StrCat("wrapped for ", Hex(record.kept_for_public_key())));
  const absl::Time until = ToTime(record.common().at()) + absl::Hours(24 * asked.days);
  step.Expect(ToTime(record.until()) == until, kCheck,
              absl::StrCat("kept until ", absl::FormatTime(until, absl::UTCTimeZone())),
              absl::FormatTime(ToTime(record.until()), absl::UTCTimeZone()));
}

void CheckKept(const Step& step, const Round& round) {
  if (step.state().retained_keys.count(round.opened.round_key_id()) != 0) {
    // It was checked at its record; whoever it is kept for may have left since.
    return;
  }
  const auto retention = RetentionFor(step.state(), round);
  if (!step.Expect(retention.ok(), kCheck, "rules about the round's deltas that can be met",
                   std::string(retention.status().message()))) {
    return;
  }
  step.Expect(!retention->has_value(), kCheck,
              retention->has_value() ? absl::StrCat("key-retained for ", (*retention)->person) : "",
              "none");
}

void RecomputeAggregate(const Step& step, const v1::Aggregate& record,
                        const Recomputation& recomputation) {
  const Job* const job = step.state().FindJob(record.job_id());
  if (job == nullptr || !job->round.has_value() ||
      (!recomputation.job.empty() && recomputation.job != record.job_id())) {
    return;
  }
  const Round& round = *job->round;
  Aggregation aggregation;
  aggregation.index = step.index();
  aggregation.job_id = job->id;
  aggregation.round = record.round();
  aggregation.spec = &job->submitted.spec();
  const auto kept = step.state().retained_keys.find(round.opened.round_key_id());
  if (kept != step.state().retained_keys.end()) {
    aggregation.key = &kept->second.terms;
  }
  aggregation.base_model_sha256 = job->model_sha256;
  aggregation.optimizer_state_sha256 = job->optimizer_state_sha256;
  aggregation.deltas = DeltasOf(step.state(), round, record);
  const absl::StatusOr<AggregationResult> result =
      aggregation.key == nullptr         ? absl::NotFoundError(kKeptForNobody)
      : recomputation.compute == nullptr ? absl::NotFoundError(kNobodyOpens)
                                         : recomputation.compute(aggregation);
  const std::string expected =
      absl::StrCat("round ", record.round(), " of ", job->id, " computed again from ",
                   aggregation.deltas.size(), " deltas");
  if (absl::IsNotFound(result.status())) {
    ++step.memory().not_recomputed[std::string(result.status().message())];
    return;
  }
  if (!result.ok()) {
    const bool contradicts = absl::IsDataLoss(result.status()) ||
                             absl::IsInvalidArgument(result.status()) ||
                             absl::IsFailedPrecondition(result.status());
    step.Add(contradicts ? Severity::kBadEvidence : Severity::kGap, kRecompute, expected,
             std::string(result.status().message()));
    return;
  }
  const AggregationResult recorded{ToBytes(record.model_sha256()),
                                   ToBytes(record.optimizer_state_sha256())};
  if (step.Expect(result->model_sha256 == recorded.model_sha256 &&
                      result->optimizer_state_sha256 == recorded.optimizer_state_sha256,
                  kRecompute, absl::StrCat(expected, ": ", DigestText(*result)),
                  DigestText(recorded))) {
    ++step.numbers().aggregations;
    step.memory().recomputed.push_back({step.index(), job->id, record.round()});
  }
}

}  // namespace carnet::coordinator::audit
