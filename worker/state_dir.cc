#include "worker/state_dir.h"

#include <algorithm>
#include <system_error>

#include "absl/strings/match.h"
#include "base/list_dir.h"
#include "base/status.h"

namespace carnet::worker {

absl::StatusOr<StateDir> StateDir::Open(const std::filesystem::path& root) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(root, error);
  if (error) {
    return FileError(error.value(), "find", root);
  }
  CARNET_RETURN_IF_ERROR(MakeDirs(absolute));
  CARNET_ASSIGN_OR_RETURN(FileLock lock, FileLock::Acquire(absolute / "lock"));
  StateDir state(absolute, std::move(lock));
  for (const std::filesystem::path& directory :
       {state.keys(), state.receipts(), state.tasks(), state.spool(), state.shards(),
        state.trainer(), state.trainer_log().parent_path()}) {
    CARNET_RETURN_IF_ERROR(MakeDirs(directory));
  }
  CARNET_RETURN_IF_ERROR(RemoveTemporaryFiles(absolute));
  CARNET_RETURN_IF_ERROR(RemoveTemporaryFiles(state.receipts()));
  // What trainers of a crashed run left in the clear.
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> left, ListDir(state.trainer()));
  for (const std::filesystem::path& path : left) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  return state;
}

std::optional<std::filesystem::path> StateDir::ForkEvidence() const {
  const auto paths = ListDir(root_);
  if (!paths.ok()) {
    return std::nullopt;
  }
  const auto found = std::find_if(paths->begin(), paths->end(), [](const auto& path) {
    return absl::EndsWith(path.filename().string(), ".tlog-fork");
  });
  return found == paths->end() ? std::nullopt : std::optional(*found);
}

absl::StatusOr<std::optional<std::string>> ReadIfThere(const std::filesystem::path& path,
                                                       std::size_t bytes_max) {
  const auto bytes = ReadFile(path, bytes_max);
  if (absl::IsNotFound(bytes.status())) {
    return std::optional<std::string>();
  }
  if (!bytes.ok()) {
    return bytes.status();
  }
  return std::optional<std::string>(ToString(*bytes));
}

}  // namespace carnet::worker
