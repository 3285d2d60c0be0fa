// When a job has nothing left to do.
#include <optional>

#include "coordinator/core/job_spec.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/reconcile.h"

namespace carnet::coordinator {
namespace {

bool MetricReached(const v1::StopSpec& stop, const Job& job) {
  if (job.results.empty()) {
    return false;
  }
  const auto value = job.results.back().evaluation.find(stop.metric());
  if (value == job.results.back().evaluation.end()) {
    return false;
  }
  return (stop.at_least() > 0 && value->second >= stop.at_least()) ||
         (stop.at_most() > 0 && value->second <= stop.at_most());
}

bool PatienceSpent(const v1::StopSpec& stop, const Job& job) {
  if (stop.patience() == 0) {
    return false;
  }
  const double sign = LowerIsBetter(stop.metric()) ? -1 : 1;
  std::optional<double> best;
  std::uint32_t since_best = 0;
  for (const RoundResult& result : job.results) {
    const auto value = result.evaluation.find(stop.metric());
    if (value == result.evaluation.end()) {
      continue;
    }
    if (!best.has_value() || sign * value->second > *best) {
      best = sign * value->second;
      since_best = 0;
    } else {
      ++since_best;
    }
  }
  return since_best >= stop.patience();
}

}  // namespace

std::string EndReason(const Job& job) {
  const v1::JobSpec& spec = job.submitted.spec();
  if (job.rounds_done >= spec.rounds().count()) {
    return reasons::kRoundsDone;
  }
  if (spec.has_stop() && MetricReached(spec.stop(), job)) {
    return reasons::kMetricReached;
  }
  if (spec.has_stop() && PatienceSpent(spec.stop(), job)) {
    return reasons::kPatience;
  }
  if (spec.budget().egress().bytes() > 0 && job.rounds_done > 0) {
    std::uint64_t crossed = 0;
    for (const auto& [border, bytes] : job.traffic) {
      crossed += border.first == border.second ? 0 : bytes;
    }
    // The next round costs about what the mean round did.
    if (crossed + crossed / job.rounds_done > spec.budget().egress().bytes()) {
      return reasons::kBudget;
    }
  }
  return "";
}

}  // namespace carnet::coordinator
