// Tells whoever watches the coordinator that its bundle of policies, or evidence, ends soon.
#ifndef CARNET_COORDINATOR_EXPIRY_ALARM_H_
#define CARNET_COORDINATOR_EXPIRY_ALARM_H_

#include "absl/time/time.h"
#include "base/metrics.h"
#include "coordinator/core/expiry.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

inline constexpr MetricSpec kBundleExpires{
    MetricKind::kGauge,
    "carnet_policy_bundle_expires_seconds",
    "Until the bundle of policies in force ends; at 0 and below nothing crosses.",
    {}};
inline constexpr MetricSpec kEvidenceExpires{MetricKind::kGauge,
                                             "carnet_policy_evidence_expires_seconds",
                                             "Until the first of the evidence on record ends.",
                                             {}};

// How often the coordinator looks.
inline constexpr absl::Duration kExpiryEvery = absl::Seconds(30);

// On the engine's strand.
class ExpiryAlarm {
 public:
  // Sets both gauges, and logs each warning of core/expiry.h once: `policy.bundle-expires`,
  // `policy.bundle-expired` and `policy.evidence-expires`.
  void Look(const State& state, absl::Time now, Metrics& metrics);

 private:
  ExpiryWatch watch_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_EXPIRY_ALARM_H_
