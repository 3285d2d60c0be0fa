// The second half of policies/difference.h: which flows pass under one bundle and not under
// another. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_DIFFERENCE_OF_FLOWS_H_
#define CARNET_POLICIES_DIFFERENCE_OF_FLOWS_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "policies/bundle.h"

namespace carnet::policies {

// Sentences, as policies/difference.h describes them.
void CompareFlows(const Bundle& before, const Bundle& after, absl::Time at,
                  std::vector<std::string>* gains, std::vector<std::string>* losses);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_DIFFERENCE_OF_FLOWS_H_
