// Single changes of a bundle, to test its tests with.
#ifndef CARNET_TESTS_UNIT_POLICIES_MUTANTS_H_
#define CARNET_TESTS_UNIT_POLICIES_MUTANTS_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"

namespace carnet::policies::testing {

// One change: what it is called, and how it is made in the canonical JSON of a bundle.
struct Mutant {
  std::string name;
  std::string policy;          // its tests are to notice
  bool of_group = false;       // so are those of groups
  std::set<std::string> gone;  // reasons that no rule gives any more
  std::function<void(nlohmann::json&)> apply;
};

// Of policies: every rule, item, exception, condition, atom, alternative, word of a list, mode,
// status and floor taken away once; every effect and mode changed, every operator turned into its
// neighbour, every group that is named replaced by each other group, every whole number and date
// moved by one; of duties, what they ask, of whom and until when. Of groups: every member,
// condition and term of an expression taken away, every sign turned, and beside every member the
// next code of the world added. Texts that say why and what to do, dates of policies, and who
// approves them are left alone: they are in no verdict.
std::vector<Mutant> MutantsOf(const nlohmann::json& bundle);

// Names of the changes that no case noticed.
struct Unnoticed {
  std::vector<std::string> survivors;  // the bundle still loads and all its tests still pass
  std::vector<std::string> refused;    // it does not load any more, so that no case was asked
};

// Without those that are known to change no verdict.
Unnoticed UnnoticedOf(const nlohmann::json& bundle, const std::vector<Mutant>& mutants);

}  // namespace carnet::policies::testing

#endif  // CARNET_TESTS_UNIT_POLICIES_MUTANTS_H_
