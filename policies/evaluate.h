// The only evaluator. Pure: the same bundle, facts and time give the same decision, byte for byte,
// for ever. Versions are added, never changed.
#ifndef CARNET_POLICIES_EVALUATE_H_
#define CARNET_POLICIES_EVALUATE_H_

#include <cstdint>

#include "absl/time/time.h"
#include "carnet/v1/policies.pb.h"
#include "policies/bundle.h"
#include "policies/facts.h"

namespace carnet::policies {

inline constexpr std::uint32_t kEvaluatorVersion = 1;

// Whether failures and warnings say more than their reason, mode, hold and the approvals that they
// wait for. Who only looks ahead, and records nothing, leaves it out: to write a refusal out takes
// longer than to decide it. All else of a decision is the same either way.
enum class Words : std::uint8_t { kLeftOut, kWritten };

// Decides one flow at `at`. Never fails: what goes wrong is a denial with a reason of its own.
//
// Every rule that failed is in `failures` (policies by name, rules in their order), with its words,
// the facts that it read and those that are missing, unless `words` leaves them out. `flow` is
// filled from the facts. Left to the caller: id, state_size, other_regions; and the checks that
// need more than the bundle itself, namely its signatures and that its revision is the highest seen
// (reasons bundle/signatures, bundle/revision).
//
// Reasons besides <policy>/<rule>[.<item>]: <policy>/no-allow, <policy>/review, uncovered/<code>,
// uncovered/unknown, no-policy-applies, obligations/conflict, bundle/not-yet-valid, bundle/expired,
// facts/inconsistent.
//
// Thread-safe.
v1::Decision Evaluate(const Bundle& bundle, const FactSet& facts, absl::Time at,
                      Words words = Words::kWritten);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_EVALUATE_H_
