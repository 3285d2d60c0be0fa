// A regime that allows everything, so that one policy can be judged by itself: for policy tests and
// for the impact of a change, never in a bundle that decides. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_BASE_ALLOW_H_
#define CARNET_POLICIES_BASE_ALLOW_H_

#include <memory>
#include <string>

#include "policies/bundle.h"

namespace carnet::policies {

// The bundle with that regime besides its own policies.
std::shared_ptr<const Bundle> WithBaseAllow(const Bundle& bundle);
// The same with `policy` alone; without it, where the bundle does not hold it.
std::shared_ptr<const Bundle> AloneWithBaseAllow(const Bundle& bundle, const std::string& policy);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_BASE_ALLOW_H_
