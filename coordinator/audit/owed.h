// Records that others ask for: what crossed is counted, and what a decision asks for afterwards is
// due, and ends. A log without them holds together byte by byte. Internal to the audit; pure.
#ifndef CARNET_COORDINATOR_AUDIT_OWED_H_
#define CARNET_COORDINATOR_AUDIT_OWED_H_

#include "coordinator/audit/findings.h"
#include "coordinator/audit/step.h"
#include "ledger/predicate.h"

namespace carnet::coordinator::audit {

// Remembers the duties that the decisions in the record ask for, and those that it makes due.
void NoteDuties(const Step& step, const ledger::Predicate& predicate);
// A gap for each duty that never became due, and for each that is over and has no end.
void FinishDuties(const State& state, const Memory& memory, Findings& findings);

// A gap for each shard whose people a member's delta took over a border and that no record counts,
// though a counter that stood when the round opened may hold them.
void ExpectCounted(const Step& step, const Job& job, const Round& round,
                   const v1::RoundMember& member);

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_OWED_H_
