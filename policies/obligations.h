// What an allowed flow asks of the round it belongs to, and how several such wishes join. Pure.
#ifndef CARNET_POLICIES_OBLIGATIONS_H_
#define CARNET_POLICIES_OBLIGATIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "carnet/v1/policies.pb.h"

namespace carnet::policies {

// Kinds of what `retain_deltas` asks for: "is u-…", and whole days, "at_least 30", "at_most 365".
inline constexpr char kDeltasRetainedFor[] = "deltas.retained_for";
inline constexpr char kDeltasRetainedDays[] = "deltas.retained_days";

struct ObligationConflict {
  std::string kind;
  std::string first_rule;
  std::string second_rule;
};

struct MergedObligations {
  // Sorted by kind and bound; of equal kinds at most one at_least, one at_most and one `in`.
  std::vector<v1::Obligation> obligations;
  std::vector<ObligationConflict> conflicts;  // not empty: nothing satisfies them all
};

// The strictest of each kind: the highest at_least and more_than, the lowest at_most, the
// intersection of `is` and `in`. `bound` is as Evaluate writes it: "at_least 8", "at_most 2.5",
// "more_than 3", "is yes", "in DE FR". An obligation in another form conflicts with itself.
MergedObligations MergeObligations(const std::vector<v1::Obligation>& obligations);

// What a round's merged obligations say about its deltas.
struct DeltaRetention {
  std::string person;  // user id
  int days = 0;        // the shortest span that every rule allows
  std::string rule;    // reason id of the rule that names the person
};
// Nothing when the deltas need not be kept. `merged` is free of conflicts.
std::optional<DeltaRetention> RetentionOf(const std::vector<v1::Obligation>& merged);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_OBLIGATIONS_H_
