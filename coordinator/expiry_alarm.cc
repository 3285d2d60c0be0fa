#include "coordinator/expiry_alarm.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"

namespace carnet::coordinator {

void ExpiryAlarm::Look(const State& state, absl::Time now, Metrics& metrics) {
  metrics.Set(kBundleExpires, {}, absl::ToDoubleSeconds(BundleEnds(state) - now));
  if (const auto ends = EvidenceEnds(state, now); ends.has_value()) {
    metrics.Set(kEvidenceExpires, {}, absl::ToDoubleSeconds(*ends - now));
  }
  for (const Ending& ending : watch_.News(state, now)) {
    if (!ending.evidence_id.empty()) {
      Log(LogLevel::kWarning, "policy.evidence-expires",
          {{"evidence", ending.evidence_id},
           {"kind", ending.kind},
           {"within_days", ending.warning_days},
           {"ends", FormatTimestamp(ending.ends)}});
      continue;
    }
    const bool over = ending.warning_days == 0;
    Log(over ? LogLevel::kError : LogLevel::kWarning,
        over ? "policy.bundle-expired" : "policy.bundle-expires",
        {{"bundle", HexEncode(state.bundle->sha256())},
         {"revision", state.bundle->revision()},
         {"within_days", ending.warning_days},
         {"ends", FormatTimestamp(ending.ends)}});
  }
}

}  // namespace carnet::coordinator
