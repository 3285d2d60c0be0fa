// Collects findings, at most kFindingsMax of them. Not thread-safe.
#ifndef CARNET_COORDINATOR_AUDIT_FINDINGS_H_
#define CARNET_COORDINATOR_AUDIT_FINDINGS_H_

#include <string>
#include <vector>

#include "coordinator/audit/report.h"

namespace carnet::coordinator::audit {

class Findings {
 public:
  void Add(Finding finding);
  // The gravest severity of all, those beyond the bound included; kNote for none.
  Severity worst() const { return worst_; }
  bool any() const { return any_; }
  // Moves them into the report, the gravest first.
  void MoveInto(Report& report);

 private:
  std::vector<Finding> list_;
  std::uint64_t left_out_ = 0;
  Severity worst_ = Severity::kNote;
  bool any_ = false;
};

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_FINDINGS_H_
