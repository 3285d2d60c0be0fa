// Runs the tests that a bundle carries. Pure.
#ifndef CARNET_POLICIES_TEST_RUNNER_H_
#define CARNET_POLICIES_TEST_RUNNER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "carnet/v1/policies.pb.h"
#include "policies/bundle.h"

namespace carnet::policies {

struct TestOutcome {
  std::string suite;  // `tests:` of its file
  std::string name;   // of the case
  std::string place;  // file:line:column
  bool passed = false;
  std::vector<std::string> problems;  // what was expected and what came
  v1::Decision decision;
};

struct TestReport {
  std::vector<TestOutcome> outcomes;
  std::size_t passed = 0;
  std::size_t failed = 0;
};

// Every case of every test file of the bundle. Error INVALID_ARGUMENT: a test file names a policy
// that the bundle does not have, with file, line and column.
absl::StatusOr<TestReport> RunTests(const Bundle& bundle);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_TEST_RUNNER_H_
