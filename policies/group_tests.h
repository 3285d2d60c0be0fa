// Tests of what groups hold. Internal to policies/. Pure.
#ifndef CARNET_POLICIES_GROUP_TESTS_H_
#define CARNET_POLICIES_GROUP_TESTS_H_

#include <vector>

#include "policies/compiled.h"
#include "policies/test_runner.h"

namespace carnet::policies {

// An outcome for each member that is named and one for every other country together. Their
// decisions are empty.
std::vector<TestOutcome> RunGroupTest(const CompiledBundle& bundle, const TestSuite& suite,
                                      const GroupTest& test);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_GROUP_TESTS_H_
