// An index over the rules of a bundle: most decisions pass most rules by, without reading them.
// Internal to policies/. Pure.
#ifndef CARNET_POLICIES_RULE_INDEX_H_
#define CARNET_POLICIES_RULE_INDEX_H_

#include "policies/compiled.h"

namespace carnet::policies {

// Makes Policy::index of every policy. To be called when the atoms have their numbers
// (policies/atoms.h), and again whenever rules were changed or added.
void IndexRules(CompiledBundle* bundle);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_RULE_INDEX_H_
