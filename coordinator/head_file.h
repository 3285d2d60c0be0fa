// Where a coordinator keeps its newest head a second time, for everybody who holds a state folder
// against it.
#ifndef CARNET_COORDINATOR_HEAD_FILE_H_
#define CARNET_COORDINATOR_HEAD_FILE_H_

#include <filesystem>

#include "absl/status/statusor.h"
#include "carnet/v1/config.pb.h"

namespace carnet::coordinator {

// `head_file` of the configuration, or the file of that name in the state folder.
std::filesystem::path HeadFileOf(const v1::CoordinatorConfig& config,
                                 const std::filesystem::path& state_dir);
// The same by the coordinator.yaml of the folder; without one, the default. Errors: those of
// LoadYamlFile.
absl::StatusOr<std::filesystem::path> HeadFileOf(const std::filesystem::path& state_dir);

// Whether a process holds the lock of the state folder: then the head file may be ahead of what a
// reader sees of the store, for as long as a commit takes.
bool IsInUse(const std::filesystem::path& state_dir);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_HEAD_FILE_H_
