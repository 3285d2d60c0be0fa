// The flows that a refusal about no worker can speak of: what people ask for. Internal to the
// audit.
#ifndef CARNET_COORDINATOR_AUDIT_PEOPLE_FLOWS_H_
#define CARNET_COORDINATOR_AUDIT_PEOPLE_FLOWS_H_

#include <cstdint>
#include <vector>

#include "coordinator/core/flows.h"

namespace carnet::coordinator::audit {

// Of every place and organisation that people on record have, because a refusal does not name the
// person: releases of that round's model, or, without a job (null), readings of the log.
std::vector<FlowContext> PeopleFlows(const State& state, const Job* job, std::uint32_t round);

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_PEOPLE_FLOWS_H_
