// Which flows on record two bundles decide differently. Pure.
#ifndef CARNET_COORDINATOR_CORE_IMPACT_FLOWS_H_
#define CARNET_COORDINATOR_CORE_IMPACT_FLOWS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/recorded.h"
#include "coordinator/core/state.h"
#include "policies/bundle.h"

namespace carnet::coordinator {

// Jobs whose flows are decided again: the newest.
inline constexpr std::size_t kImpactJobsMax = 64;
// No further job is begun behind so many flows: with two decisions each, seconds.
inline constexpr std::uint64_t kImpactFlowsMax = 100'000;
// Releases, readings of the log and stagings that are: those recorded last.
inline constexpr std::size_t kImpactOperationsMax = 1024;

// Equal changes of several workers, jobs and people are one, counted.
struct FlowChange {
  std::string operation;  // "send_model"
  std::string from;
  std::string to;
  std::string labels;  // empty: none
  std::string reason;  // the first, of the side that does not allow it
  bool operator<(const FlowChange& other) const;
};
struct FlowCount {
  std::uint64_t flows = 0;
  std::uint64_t recorded = 0;  // how often operations with these flows are on record
};
using FlowChanges = std::map<FlowChange, FlowCount>;

struct FlowImpact {
  std::uint64_t jobs = 0;  // that run, or with anything on record in those days
  std::uint64_t jobs_decided = 0;
  std::uint64_t operations = 0;  // distinct releases, readings and stagings of those days
  std::uint64_t operations_decided = 0;
  std::uint64_t flows = 0;
  FlowChanges opened;                 // DENY to ALLOW; HOLD counts as DENY
  FlowChanges closed;                 // ALLOW to DENY
  std::vector<std::string> stopping;  // ids of running jobs that could go on no more
};

// With today's facts, each bundle's own (its counters, the approvals of its exceptions, what the
// policy engine said), under the bundle in force, as if it had no end, and under `after`, at `at`:
// what each job that runs, or is on record in the kRecordedDays up to `now`, needs with today's
// workers (place, send_model, use_key, train, send_delta, send_metrics, aggregate); and each
// release of a model, reading of the log and staging that was recorded, allowed or refused, in
// those days. A staging whose shard or worker is gone is none; a shard that was withdrawn is in no
// round, and one that several workers hold is brought by the first. Two Evaluate a flow.
FlowImpact WeighFlows(const State& state, const policies::Bundle& after, absl::Time now,
                      absl::Time at);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_IMPACT_FLOWS_H_
