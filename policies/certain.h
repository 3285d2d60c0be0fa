// What refuses a flow whatever the facts that nobody knows here turn out to be. For whoever knows
// only a part of the facts and checks the word of somebody who knows them all. Pure; thread-safe.
#ifndef CARNET_POLICIES_CERTAIN_H_
#define CARNET_POLICIES_CERTAIN_H_

#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "policies/bundle.h"
#include "policies/facts.h"

namespace carnet::policies {

// Those failures of Evaluate(bundle, facts, at) that no value of an unknown fact could lift, by
// their reasons, in their order:
//   a deny whose policy applies and whose condition is true, with no exception that may lift it
//   a requirement whose policy applies, whose condition is true and whose check is false
//   <policy>/no-allow and no-policy-applies where no allow can be satisfied any more
//   uncovered/<place> where no regime that may apply can cover people there
//   bundle/*, facts/inconsistent, a review whose grace has ended
// Limits are not among them. Where a declassification may still take place, the labels of the data
// count as unknown. More facts known never make a reason disappear from the list.
std::vector<std::string> CertainFailures(const Bundle& bundle, const FactSet& facts, absl::Time at);

// Whether a rule may take labels of the data away, as far as `facts` tell.
bool MayDeclassify(const Bundle& bundle, const FactSet& facts, absl::Time at);

// The roles in which a requirement of the bundle asks persons for their yes.
std::set<std::string> RolesOfRequirements(const Bundle& bundle);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_CERTAIN_H_
