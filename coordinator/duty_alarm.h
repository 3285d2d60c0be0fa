// Tells whoever watches the coordinator about duties that nobody met in time.
#ifndef CARNET_COORDINATOR_DUTY_ALARM_H_
#define CARNET_COORDINATOR_DUTY_ALARM_H_

#include <cstdint>

#include "base/metrics.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

inline constexpr MetricSpec kDuties{
    MetricKind::kGauge,
    "carnet_policy_duties",
    "Duties that follow from allowed flows and are not met, by state.",
    {"state"}};

// On the engine's strand, after each commit.
class DutyAlarm {
 public:
  // Sets kDuties (open, late), and logs `policy.duty-late` once for each duty that became late. The
  // first look tells of every one that is late and not met: after a start they are told again.
  void Look(const State& state, Metrics& metrics);

 private:
  std::uint64_t told_below_ = 0;  // records below this index were told
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_DUTY_ALARM_H_
