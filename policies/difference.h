// What changed from one bundle to another, in words. Pure.
#ifndef CARNET_POLICIES_DIFFERENCE_H_
#define CARNET_POLICIES_DIFFERENCE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "policies/bundle.h"

namespace carnet::policies {

struct Difference {
  // Policies, rules and groups: "Rule sg-pdpa/contract is new.", "Group eea loses France (FR)."
  std::vector<std::string> rules;
  // What may move at `at` and could not, then what could and may not any more: "Brazil (BR) gains:
  // send delta of personal data about people in France (FR) and 29 more places, without papers."
  std::vector<std::string> gains;
  std::vector<std::string> losses;
};

// Flows are tried for every kind of operation, destination and place of people that either bundle
// can tell apart, from home to a recipient of the destination about whom nothing else is against
// it: once without any evidence, once with all evidence that no deny rule names. A change that only
// shows with other facts (a chip, a counter, one kind of evidence) stands in `rules` alone; the
// impact report weighs recorded flows. Two bundles of bounds as in policies/bundle.h: seconds at
// most.
Difference DifferenceOf(const Bundle& before, const Bundle& after, absl::Time at);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_DIFFERENCE_H_
