#include "coordinator/duty_alarm.h"

#include "base/log.h"

namespace carnet::coordinator {

void DutyAlarm::Look(const State& state, Metrics& metrics) {
  double open = 0;
  double late = 0;
  for (const auto& [id, duty] : state.duties) {
    if (duty.met.has_value()) {
      continue;
    }
    ++(duty.late.has_value() ? late : open);
    if (duty.late.has_value() && *duty.late >= told_below_) {
      Log(LogLevel::kError, "policy.duty-late",
          {{"duty", id}, {"rule", duty.terms.rule()}, {"record", *duty.late}});
    }
  }
  told_below_ = state.size;
  metrics.Set(kDuties, {"open"}, open);
  metrics.Set(kDuties, {"late"}, late);
}

}  // namespace carnet::coordinator
