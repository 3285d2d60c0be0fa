// What rules in mode warn said of an allowed flow, whose record keeps their reason ids alone. Pure.
#ifndef CARNET_POLICIES_WARNINGS_H_
#define CARNET_POLICIES_WARNINGS_H_

#include <optional>
#include <string>

#include "carnet/v1/policies.pb.h"
#include "policies/bundle.h"

namespace carnet::policies {

// The words of `reason` (Authorisation.warnings) in the bundle that it was decided under: reason,
// title, because, fix, cites, mode. Nothing of the facts, which the record does not keep. Absent:
// the rule is in mode shadow, which the record alone shows, or not in this bundle.
std::optional<v1::Failure> WarningOf(const Bundle& bundle, const std::string& reason);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_WARNINGS_H_
