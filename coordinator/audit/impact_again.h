// Making the report on a proposal's impact again. Internal to the audit; pure.
#ifndef CARNET_COORDINATOR_AUDIT_IMPACT_AGAIN_H_
#define CARNET_COORDINATOR_AUDIT_IMPACT_AGAIN_H_

#include "carnet/v1/records.pb.h"
#include "coordinator/audit/step.h"
#include "coordinator/core/state.h"
#include "ledger/predicate.h"

namespace carnet::coordinator::audit {

// Whether a record of this type can change what a later report says of the same proposal.
bool ChangesReports(const ledger::Predicate& predicate);

// Adds a finding unless the report in `record`, which names the bundle of `proposal`, is what its
// tests, its sweep and the flows on record give: seconds. Records that came in while the
// coordinator made it, and that can change it, leave a note instead.
void CheckImpact(const Step& step, const v1::PolicyExamined& record, const Proposal& proposal);

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_IMPACT_AGAIN_H_
