// Shows whoever watches the coordinator that something speaks against the place of a region.
#ifndef CARNET_COORDINATOR_LOCATION_ALARM_H_
#define CARNET_COORDINATOR_LOCATION_ALARM_H_

#include "base/metrics.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

inline constexpr MetricSpec kRegionsContradicted{
    MetricKind::kGauge,
    "carnet_regions_contradicted",
    "Regions whose place something speaks against and nobody cleared; their grade is unknown.",
    {}};

void ShowContradicted(const State& state, Metrics& metrics);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_LOCATION_ALARM_H_
