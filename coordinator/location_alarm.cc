#include "coordinator/location_alarm.h"

#include "coordinator/core/location.h"

namespace carnet::coordinator {

void ShowContradicted(const State& state, Metrics& metrics) {
  metrics.Set(kRegionsContradicted, static_cast<double>(ContradictedRegions(state)));
}

}  // namespace carnet::coordinator
