// Single changes of a bundle, to test its tests with.
#ifndef CARNET_TESTS_UNIT_POLICIES_MUTANTS_H_
#define CARNET_TESTS_UNIT_POLICIES_MUTANTS_H_

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"

namespace carnet::policies::testing {

// One change: what it is called, and how it is made in the canonical JSON of a bundle.
struct Mutant {
  std::string name;
  std::string policy;  // empty: a group is changed
  std::function<void(nlohmann::json&)> apply;
};

// Every rule, item, exception, condition, atom, alternative and word of a list taken away once,
// every effect flipped, every whole number moved by one, every member of a group taken away, and
// beside every member the next code of the world added.
std::vector<Mutant> MutantsOf(const nlohmann::json& bundle);

// Names of those after which the bundle still loads and all its tests still pass.
std::vector<std::string> Survivors(const nlohmann::json& bundle,
                                   const std::vector<Mutant>& mutants);

}  // namespace carnet::policies::testing

#endif  // CARNET_TESTS_UNIT_POLICIES_MUTANTS_H_
