// Taking every policy decision on record again: facts from the state, the bundle in force then.
// Internal to the audit; pure.
#ifndef CARNET_COORDINATOR_AUDIT_DECISIONS_H_
#define CARNET_COORDINATOR_AUDIT_DECISIONS_H_

#include "coordinator/audit/step.h"
#include "ledger/predicate.h"

namespace carnet::coordinator::audit {

// Adds a finding for each decision in the record that comes out differently, that is missing, or
// that decides what the record does not do. Records without decisions: nothing. What a refusal says
// of other regions is not checked: it is advice, lets nothing cross, and which workers were live
// then is on no record.
void DecideAgain(const Step& step, const ledger::Predicate& predicate);

// Whether a record of this type leaves every decision as it was: decisions of one command share the
// state before its first record, and these may stand between.
bool IsIndecisive(const ledger::Predicate& predicate);

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_DECISIONS_H_
