// What changed rules can tell apart, fact by fact. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_SWEEP_VALUES_H_
#define CARNET_POLICIES_SWEEP_VALUES_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "policies/compiled.h"
#include "policies/facts.h"

namespace carnet::policies {

// One comparison in a rule, and through whose eyes it is made. Points into its bundle.
struct SweptAtom {
  const Condition* condition = nullptr;
  const Policy* policy = nullptr;
  const CompiledBundle* bundle = nullptr;
};

// Every atom that decides about the rules named: theirs, those of their terms, of the conditional
// members of their groups, and those that say whether the policy applies at all. A policy that the
// bundle does not hold has none.
void CollectAtoms(const CompiledBundle& bundle, const std::string& policy,
                  const std::set<std::string>& rules, std::vector<SweptAtom>* atoms);

// By path of a fact: one value for each way in which the atoms that read it can come out, unknown
// among them, the first of each in the order of the table's words or codes. The operation, the kind
// of artifact, the time and approvals are not among them. `cut`: paths of lists, of which not every
// set is tried.
std::map<std::string, std::vector<Value>> RepresentativeValues(const std::vector<SweptAtom>& atoms,
                                                               absl::Time at,
                                                               std::set<std::string>* cut);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_SWEEP_VALUES_H_
