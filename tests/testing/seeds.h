// Seeds of randomized tests. A test runs over Seeds(n) and CAPTUREs the one at hand; what a failure
// prints is run again alone by CARNET_SEED=<seed> in the environment.
#ifndef CARNET_TESTS_TESTING_SEEDS_H_
#define CARNET_TESTS_TESTING_SEEDS_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"

namespace carnet::testing {

// Only CARNET_SEED when it is set. Otherwise `count` seeds that follow CARNET_COMMIT_NUMBER
// (scripts/test sets it), so that every commit tries others: commit n runs n * count .. n * count +
// count - 1. Neither set: 0 .. count - 1. A value that is no number ends the process: a replay of
// the wrong seed would pass.
inline std::vector<std::uint64_t> Seeds(std::size_t count) {
  const auto number_of = [](const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    std::uint64_t number = otherwise;
    if (text != nullptr && !absl::SimpleAtoi(text, &number)) {
      std::abort();
    }
    return number;
  };
  if (std::getenv("CARNET_SEED") != nullptr) {
    return {number_of("CARNET_SEED", 0)};
  }
  std::vector<std::uint64_t> seeds(count);
  std::uint64_t next = number_of("CARNET_COMMIT_NUMBER", 0) * count;
  for (std::uint64_t& seed : seeds) {
    seed = next++;
  }
  return seeds;
}

}  // namespace carnet::testing

#endif  // CARNET_TESTS_TESTING_SEEDS_H_
