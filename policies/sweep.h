// What a change of rules changes in every situation that the changed rules can tell apart, whether
// or not it was ever on record. Pure; thread-safe.
#ifndef CARNET_POLICIES_SWEEP_H_
#define CARNET_POLICIES_SWEEP_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "policies/bundle.h"

namespace carnet::policies {

// Situations that are decided for one change, shared evenly by its policies (half, where a
// permission is tried both ways); of a policy with more, every k-th, evenly spread.
inline constexpr std::uint64_t kSweepClassesMax = 200'000;
// Examples of each kind.
inline constexpr std::size_t kSweepExamplesMax = 10;
// Moments of one policy at which everything is decided; further ones are left out.
inline constexpr std::size_t kSweepMomentsMax = 8;

struct SweptPolicy {
  std::string policy;
  std::uint64_t classes = 0;  // situations that its changed rules can tell apart; saturates
  std::uint64_t decided = 0;  // of them
  std::uint64_t deny_to_allow = 0;
  std::uint64_t allow_to_deny = 0;
  // "send_delta; to.jurisdiction = FR; evidence = [tia]": the facts that the changed rules read.
  std::vector<std::string> opened;
  std::vector<std::string> closed;
  // Places for whose people the policy speaks now and did not before, and the other way round:
  // codes, or "no personal data".
  std::vector<std::string> newly_covered;
  std::vector<std::string> no_longer_covered;
  // Not everything was tried: paths of facts of which not every set of values was, "at" for moments
  // beyond the bound. Empty, and decided == classes: every situation that the rules can tell apart.
  std::vector<std::string> cut;
  bool whole() const { return cut.empty() && decided == classes; }
};

// Called now and then while a policy is swept: how many of its situations are decided, and how many
// will be (rounded). May be empty.
using SweepProgress =
    std::function<void(const std::string& policy, std::uint64_t decided, std::uint64_t of)>;

// One entry for each policy with a changed rule, by name. Each is decided by itself, before and
// after, with everything that did not change passing: every other policy, and every other rule of
// this one. For each operation, every combination of what the changed rules can tell apart of the
// facts that they read (one representative each: a place of each side of a group, each word, a
// number on each side of a bound and between two, sets of the papers that are named, unknown), with
// nobody's approval, with those that the old rules ask for, that the new ones do, and all; all
// other facts are the best that they can be. A regime's permission is tried both as given by
// nothing else and as given already: a flip of either is one. At `at`, and at each moment after it
// and before `after` ends at which something changed begins or ends. HOLD counts as not allowed.
// About 20 microseconds a situation.
std::vector<SweptPolicy> SweepChange(const Bundle& before, const Bundle& after, absl::Time at,
                                     const SweepProgress& progress = {});

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_SWEEP_H_
