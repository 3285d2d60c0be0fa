// What a reader must know of the lists of places in a bundle before relying on them. Pure;
// thread-safe.
#ifndef CARNET_POLICIES_GROUP_FINDINGS_H_
#define CARNET_POLICIES_GROUP_FINDINGS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "policies/bundle.h"

namespace carnet::policies {

// Groups that list places and do not say all of: where the list comes from (`source`), of which day
// it is (`as_of`), and until when it can be relied on (`review_by`). One sentence for each, in the
// order of the file: "group hk-mo has no source, no review_by". A bundle with one of them decides,
// and is not to be proposed.
std::vector<std::string> UnsourcedGroups(const Bundle& bundle);

// Error FAILED_PRECONDITION: there are some, and which.
absl::Status CheckSourced(const Bundle& bundle);

// Groups whose day of review is over at `at`: "group us-coc was to be reviewed by 2027-01-08". They
// go on to count: a list that is old is still the list that was approved.
std::vector<std::string> OverdueGroups(const Bundle& bundle, absl::Time at);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_GROUP_FINDINGS_H_
