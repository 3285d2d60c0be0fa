// What a change of rules changes in every situation that the changed rules can tell apart, whether
// or not it was ever on record. Pure; thread-safe.
#ifndef CARNET_POLICIES_SWEEP_H_
#define CARNET_POLICIES_SWEEP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "policies/bundle.h"

namespace carnet::policies {

// Situations that are decided for one change, shared evenly by its policies; of a policy with more,
// every k-th, evenly spread.
inline constexpr std::uint64_t kSweepClassesMax = 200'000;
// Examples of each kind.
inline constexpr std::size_t kSweepExamplesMax = 10;

struct SweptPolicy {
  std::string policy;
  std::uint64_t classes = 0;  // situations that its changed rules can tell apart; saturates
  std::uint64_t decided = 0;  // of them
  std::uint64_t deny_to_allow = 0;
  std::uint64_t allow_to_deny = 0;
  // "send_delta; to.jurisdiction = FR; evidence = [tia]": the facts that the changed rules read.
  std::vector<std::string> opened;
  std::vector<std::string> closed;
};

// One entry for each policy with a changed rule, by name. Each is decided by itself, before and
// after, with every other policy passing: for each operation, every combination of what the changed
// rules can tell apart of the facts that they read (one representative each: a place of each side
// of a group, each word, a number on each side of a bound, sets of the papers that are named,
// unknown), without papers and with all of them; all other facts are the best that they can be.
// HOLD counts as not allowed. The time is `at` throughout. About 20 microseconds a situation.
std::vector<SweptPolicy> SweepChange(const Bundle& before, const Bundle& after, absl::Time at);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_SWEEP_H_
