// Equal comparisons of a bundle, found once: rules of different policies ask the same thing of a
// flow again and again, and one decision answers it once. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_ATOMS_H_
#define CARNET_POLICIES_ATOMS_H_

#include "policies/compiled.h"

namespace carnet::policies {

// Gives every atom in the policies of `bundle` the number that all atoms share which compare the
// same fact in the same way under the same aliases, and sets memo_count. Those of conditional
// members of groups have none: a policy reads them with its own aliases.
void NumberAtoms(CompiledBundle* bundle);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_ATOMS_H_
