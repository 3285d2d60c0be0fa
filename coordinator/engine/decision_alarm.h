// Tells whoever watches the coordinator that a flow was denied because something went wrong while
// it was decided, and not because a rule said no.
#ifndef CARNET_COORDINATOR_ENGINE_DECISION_ALARM_H_
#define CARNET_COORDINATOR_ENGINE_DECISION_ALARM_H_

#include "base/metrics.h"
#include "coordinator/core/decide.h"

namespace carnet::coordinator {

inline constexpr MetricSpec kDecisionsInError{
    MetricKind::kCounter,
    "carnet_decisions_in_error_total",
    "Flows denied because their facts could not be gathered or the policies not be evaluated, by "
    "reason.",
    {"reason"}};

// Of each decision in a refusal or cut that was taken in error (core/judge.h): counts it, and logs
// `policy.decision-in-error` as an error. Any thread.
void AlarmOfErrors(const NewRecord& record, Metrics& metrics);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_ENGINE_DECISION_ALARM_H_
