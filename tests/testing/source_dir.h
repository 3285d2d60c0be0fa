// Where the tree stands, for tests that read files of it.
#ifndef CARNET_TESTS_TESTING_SOURCE_DIR_H_
#define CARNET_TESTS_TESTING_SOURCE_DIR_H_

#include <string>

namespace carnet::testing {

// The absolute path of `path`, which is relative to the top of the tree. The top's own path is
// compiled into one file only, so that clones share what ccache holds of all others.
std::string InTree(const std::string& path);

}  // namespace carnet::testing

#endif  // CARNET_TESTS_TESTING_SOURCE_DIR_H_
