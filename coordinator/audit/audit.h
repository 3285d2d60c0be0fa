// `carnet audit`: a whole log verified, replayed, and every policy decision in it taken again.
// docs/verifying.md lists the checks. Pure: bytes come from a LogSource, the time from the caller.
#ifndef CARNET_COORDINATOR_AUDIT_AUDIT_H_
#define CARNET_COORDINATOR_AUDIT_AUDIT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/audit/recompute.h"
#include "coordinator/audit/report.h"
#include "ledger/verifier/trust_policy.h"
#include "ledger/verifier/whole_log.h"

namespace carnet::coordinator::audit {

struct Options {
  absl::Time now;                      // stands in the report; no finding depends on it
  std::vector<std::string> old_heads;  // notes from earlier; each must be a prefix
  std::string job;                     // the report names this job alone; empty: every job
  // Called after each record with how many are done and how many there are. May be empty.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
  std::string decision = {};  // id of the one to be found in Report::retaken; empty: none
  // For aggregations whose deltas were kept. Empty: none is computed again.
  Recompute recompute = {};
};

// Reads the log once, from its first record to its head. Never fails: what is wrong with the source
// is a finding, and the verdict says so. The source must hold statements.
Report Audit(ledger::verifier::LogSource& source, const ledger::verifier::TrustPolicy& policy,
             const Options& options);

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_AUDIT_H_
