// How long to wait before trying again. Pure: the caller counts attempts and draws the random
// number.
#ifndef CARNET_BASE_BACKOFF_H_
#define CARNET_BASE_BACKOFF_H_

#include <cstdint>

#include "absl/time/time.h"

namespace carnet {

struct BackoffOptions {
  absl::Duration first = absl::Milliseconds(500);  // > 0
  absl::Duration max = absl::Seconds(30);          // >= first
  double factor = 2.0;                             // >= 1
};

// The delay before retry number `attempt` (0 is the first retry): first × factor^attempt, at most
// max, times a factor spread evenly over [0.5, 1) by `random`, so that workers cut off together do
// not return together.
absl::Duration BackoffDelay(const BackoffOptions& options, int attempt, std::uint64_t random);

}  // namespace carnet

#endif  // CARNET_BASE_BACKOFF_H_
