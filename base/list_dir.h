// What stands in a directory.
#ifndef CARNET_BASE_LIST_DIR_H_
#define CARNET_BASE_LIST_DIR_H_

#include <filesystem>
#include <vector>

#include "absl/status/statusor.h"

namespace carnet {

// The paths of everything in `directory` but "." and "..", not below, sorted. Errors as in files.h;
// an error in the middle of the list is one, and never thrown.
absl::StatusOr<std::vector<std::filesystem::path>> ListDir(const std::filesystem::path& directory);

}  // namespace carnet

#endif  // CARNET_BASE_LIST_DIR_H_
