// What a changed bundle would change: the report that approvers sign together with the bundle.
// Pure.
#ifndef CARNET_COORDINATOR_CORE_IMPACT_H_
#define CARNET_COORDINATOR_CORE_IMPACT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "coordinator/core/state.h"
#include "policies/sweep.h"
#include "policies/test_runner.h"

namespace carnet::coordinator {

inline constexpr std::size_t kReportBytesMax = std::size_t{256} * 1024;
// Examples of each kind in a report.
inline constexpr std::size_t kImpactExamplesMax = 50;

// What two bundles alone say of the change.
struct Examination {
  std::shared_ptr<const policies::Bundle> before;  // in force
  std::shared_ptr<const policies::Bundle> after;
  std::size_t tests_passed = 0;
  std::size_t tests_failed = 0;
  absl::Time at;  // when it was made; whole microseconds
  std::vector<policies::SweptPolicy> situations;
};

// Sweeps every situation that the changed rules can tell apart (policies/sweep.h), at `at` or when
// `after` would come into force if that is later. Seconds. `progress` may be empty.
Examination ExamineChange(std::shared_ptr<const policies::Bundle> before,
                          std::shared_ptr<const policies::Bundle> after,
                          const policies::TestReport& tests, absl::Time at,
                          const policies::SweepProgress& progress = {});

enum class ReportKind {
  kProposal,  // names the bundle: its digest is what approvers sign
  kDraft,     // names a draft instead: no approval can be of it
};

// Canonical JSON (docs/formats.md): the change, its tests, its situations and, with a state whose
// bundle is `before`, the flows on record that it decides otherwise (core/impact_flows.h), DENY to
// ALLOW first. `records`: the log size that the state is said to be of. Null: no flows are weighed,
// and it says nothing of them. Nothing but these arguments goes into it, so whoever has the same
// state makes the same bytes. Two Evaluate a flow: not on the
// strand. Error RESOURCE_EXHAUSTED: over kReportBytesMax.
absl::StatusOr<std::string> ImpactReport(const Examination& examination, const State* state,
                                         std::uint64_t records, ReportKind kind);

// What a recorded report says that it was made from.
struct ReportBasis {
  std::uint64_t records = 0;  // log size
  absl::Time at;
  std::uint32_t evaluator = 0;
};
// nullopt: it is no report of a form that ImpactReport makes with a state.
std::optional<ReportBasis> BasisOfReport(absl::string_view report_json);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_IMPACT_H_
