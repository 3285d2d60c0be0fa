#include "base/backoff.h"

#include <catch2/catch.hpp>
#include <limits>

namespace carnet {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

BackoffOptions Options() {
  return {.first = absl::Seconds(1), .max = absl::Seconds(10), .factor = 2};
}

TEST_CASE("Backoff: doubles up to its maximum") {
  CHECK(BackoffDelay(Options(), 0, 0) == absl::Milliseconds(500));
  CHECK(BackoffDelay(Options(), 1, 0) == absl::Seconds(1));
  CHECK(BackoffDelay(Options(), 2, 0) == absl::Seconds(2));
  CHECK(BackoffDelay(Options(), 3, 0) == absl::Seconds(4));
  CHECK(BackoffDelay(Options(), 4, 0) == absl::Seconds(5));
  CHECK(BackoffDelay(Options(), std::numeric_limits<int>::max(), 0) == absl::Seconds(5));
}

TEST_CASE("Backoff: random bits spread the delay over its upper half") {
  for (int attempt = 0; attempt < 8; ++attempt) {
    const absl::Duration least = BackoffDelay(Options(), attempt, 0);
    const absl::Duration middle = BackoffDelay(Options(), attempt, kMost / 2);
    const absl::Duration most = BackoffDelay(Options(), attempt, kMost);
    CHECK(least < middle);
    CHECK(middle < most);
    CHECK(most <= 2 * least);
  }
}

TEST_CASE("Backoff: a factor of one keeps the delay") {
  BackoffOptions options = Options();
  options.factor = 1;
  CHECK(BackoffDelay(options, std::numeric_limits<int>::max(), 0) == absl::Milliseconds(500));
}

}  // namespace
}  // namespace carnet
