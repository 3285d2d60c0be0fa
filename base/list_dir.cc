#include "base/list_dir.h"

#include <algorithm>
#include <system_error>

#include "base/files.h"

namespace carnet {

absl::StatusOr<std::vector<std::filesystem::path>> ListDir(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  // A range-for would throw where the next entry cannot be read.
  for (std::filesystem::directory_iterator entry(directory, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    paths.push_back(entry->path());
  }
  if (error) {
    return FileError(error.value(), "list", directory);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace carnet
