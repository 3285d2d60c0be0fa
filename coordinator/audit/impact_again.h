// Making the report on a proposal's impact again. Internal to the audit; pure.
#ifndef CARNET_COORDINATOR_AUDIT_IMPACT_AGAIN_H_
#define CARNET_COORDINATOR_AUDIT_IMPACT_AGAIN_H_

#include "carnet/v1/records.pb.h"
#include "coordinator/audit/step.h"
#include "coordinator/core/state.h"
#include "ledger/predicate.h"

namespace carnet::coordinator::audit {

// Keeps in the memory of `step` which records can change what a later report says. own: the
// coordinator signed it.
void NoteWeighed(const Step& step, const ledger::Predicate& predicate, bool own);

// Adds a finding unless the report in `record`, which names the bundle of `proposal`, is what its
// tests, its sweep and the flows on record give: seconds. Where records came in while the
// coordinator made it that can change it, all of it but `impact` is made again, and a gap says so.
// A report that leaves out what was on record a minute before it was made is bad evidence.
void CheckImpact(const Step& step, const v1::PolicyExamined& record, const Proposal& proposal);

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_IMPACT_AGAIN_H_
