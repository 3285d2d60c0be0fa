#include "base/clock.h"

#include <ctime>

#include "base/status.h"

namespace carnet {
namespace {

timespec Read(clockid_t id) {
  timespec value{};
  // It fails only for a clock that this kernel does not have.
  CARNET_CHECK(clock_gettime(id, &value) == 0);
  return value;
}

}  // namespace

absl::Time SystemClock::Now() const {
  return absl::TimeFromTimespec(Read(CLOCK_REALTIME));
}

absl::Duration SystemClock::MonotonicNow() const {
  return absl::DurationFromTimespec(Read(CLOCK_BOOTTIME));
}

std::string FormatTimestamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

}  // namespace carnet
