// A regime that allows everything, so that one policy can be judged by itself: for policy tests and
// for the impact of a change, never in a bundle that decides. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_BASE_ALLOW_H_
#define CARNET_POLICIES_BASE_ALLOW_H_

#include <memory>
#include <set>
#include <string>

#include "policies/bundle.h"

namespace carnet::policies {

// The bundle with that regime besides its own policies.
std::shared_ptr<const Bundle> WithBaseAllow(const Bundle& bundle);

// What of one policy is at work, as if everything else of it passed.
struct AtWork {
  std::string policy;
  std::set<std::string> rules;  // of its denies, requirements, limits and allows
  // A regime has said yes, whatever its allows say; else nothing but those of them in `rules` can.
  bool permitted = false;
  bool review = false;            // a review that is overdue counts
  bool alone_for_nobody = false;  // nobody else says yes where no personal data is concerned
};
// That policy alone, in a bundle that is valid for ever; nothing, where the bundle does not hold
// it. Beside it a regime that allows everything.
std::shared_ptr<const Bundle> AloneAtWork(const Bundle& bundle, const AtWork& at_work);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_BASE_ALLOW_H_
