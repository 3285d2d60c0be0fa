// Time as a parameter. Pure code takes absl::Time values; only edges hold a Clock, so that tests
// and simulations decide what time it is.
#ifndef CARNET_BASE_CLOCK_H_
#define CARNET_BASE_CLOCK_H_

#include <string>

#include "absl/time/time.h"

namespace carnet {

// Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Wall clock. May step in either direction; never use it to measure how long something took.
  virtual absl::Time Now() const = 0;

  // Time since an origin that is fixed for the life of this machine's boot. Never goes back and
  // counts the time that the machine sleeps, so that it can be held against Now() to notice a
  // stepped clock.
  virtual absl::Duration MonotonicNow() const = 0;
};

// The clocks of this machine (CLOCK_REALTIME and CLOCK_BOOTTIME).
class SystemClock final : public Clock {
 public:
  absl::Time Now() const override;
  absl::Duration MonotonicNow() const override;
};

// RFC 3339 in UTC with a fixed number of digits: 2026-11-21T09:00:00.123456Z (microseconds).
std::string FormatTimestamp(absl::Time time);

}  // namespace carnet

#endif  // CARNET_BASE_CLOCK_H_
