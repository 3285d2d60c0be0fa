// What a proposed bundle would change: the report that approvers sign together with the bundle.
// Pure.
#ifndef CARNET_COORDINATOR_CORE_IMPACT_H_
#define CARNET_COORDINATOR_CORE_IMPACT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/state.h"
#include "policies/test_runner.h"

namespace carnet::coordinator {

inline constexpr std::size_t kReportBytesMax = std::size_t{256} * 1024;
// Jobs whose flows are decided again: the newest.
inline constexpr std::size_t kImpactJobsMax = 64;
// Examples of each kind in a report.
inline constexpr std::size_t kImpactExamplesMax = 50;

// Every flow that a job on record (running or ended) would need with the workers of today, decided
// with the facts of today under the bundle in force and under `after`: DENY to ALLOW first, then
// ALLOW to DENY, with counts and examples, and the running jobs that would have too few workers.
// Besides, every situation that the changed rules can tell apart (policies/sweep.h).
// Canonical JSON (docs/formats.md). `at`: when it would come into force, or now if that is later.
// Takes Evaluate twice a flow: not on the strand. Error RESOURCE_EXHAUSTED: over kReportBytesMax.
absl::StatusOr<std::string> ImpactReport(State state, std::shared_ptr<const policies::Bundle> after,
                                         const policies::TestReport& tests, absl::Time at);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_IMPACT_H_
