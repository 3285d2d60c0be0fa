#include "coordinator/head_file.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/config_loader.h"
#include "base/files.h"
#include "base/status.h"
#include "coordinator/state_dir.h"
#include "ledger/log.h"

namespace carnet::coordinator {

std::filesystem::path HeadFileOf(const v1::CoordinatorConfig& config,
                                 const std::filesystem::path& state_dir) {
  return config.head_file().empty() ? state_dir / ledger::kHeadFileName
                                    : std::filesystem::path(config.head_file());
}

absl::StatusOr<std::filesystem::path> HeadFileOf(const std::filesystem::path& state_dir) {
  const auto config = LoadYamlFile<v1::CoordinatorConfig>(StateDir{state_dir}.config());
  if (absl::IsNotFound(config.status())) {
    return HeadFileOf(v1::CoordinatorConfig(), state_dir);
  }
  CARNET_RETURN_IF_ERROR(config);
  return HeadFileOf(*config, state_dir);
}

bool IsInUse(const std::filesystem::path& state_dir) {
  const UniqueFd fd(::open((state_dir / ledger::kLockFileName).c_str(), O_RDONLY | O_CLOEXEC));
  // Taken and given back at once.
  return fd.valid() && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

}  // namespace carnet::coordinator
