#include "base/backoff.h"

#include <algorithm>

#include "base/status.h"

namespace carnet {

absl::Duration BackoffDelay(const BackoffOptions& options, int attempt, std::uint64_t random) {
  CARNET_CHECK(options.first > absl::ZeroDuration() && options.max >= options.first &&
               options.factor >= 1 && attempt >= 0);
  absl::Duration delay = options.first;
  // Stops at the limit, so that no number of attempts can overflow.
  for (int i = 0; i < attempt && delay < options.max && options.factor > 1; ++i) {
    delay *= options.factor;
  }
  delay = std::min(delay, options.max);
  // The upper 53 bits as a fraction in [0, 1).
  const double fraction = static_cast<double>(random >> 11U) * 0x1.0p-53;
  return delay * (0.5 + fraction / 2);
}

}  // namespace carnet
