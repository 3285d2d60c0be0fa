#include "worker/private_dir.h"

#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/status.h"

namespace carnet::worker {
namespace {

namespace fs = std::filesystem;

constexpr char kMemoryRoot[] = "/dev/shm";
constexpr char kPrefix[] = "carnet-trainer-";
constexpr std::size_t kNameRandomBytes = 8;

}  // namespace

bool MemoryBackedAvailable(std::uint64_t bytes_wanted) {
  struct statfs info = {};
  if (::statfs(kMemoryRoot, &info) != 0 || info.f_type != TMPFS_MAGIC ||
      ::access(kMemoryRoot, W_OK | X_OK) != 0) {
    return false;
  }
  const auto free_bytes = FreeBytes(kMemoryRoot);
  return free_bytes.ok() && *free_bytes >= bytes_wanted;
}

absl::StatusOr<PrivateDir> PrivateDir::Create(const fs::path& fallback, std::uint64_t bytes_wanted,
                                              Rng& rng) {
  const bool memory_backed = MemoryBackedAvailable(bytes_wanted);
  const fs::path root = memory_backed ? fs::path(kMemoryRoot) : fallback;
  if (!memory_backed) {
    CARNET_RETURN_IF_ERROR(MakeDirs(root));
  }
  const fs::path path =
      root / absl::StrCat(kPrefix, ::getpid(), "-", HexEncode(RandomBytes(rng, kNameRandomBytes)));
  if (::mkdir(path.c_str(), kPrivateDirMode) != 0) {
    return FileError(errno, "make", path);
  }
  return PrivateDir(path, memory_backed);
}

PrivateDir::PrivateDir(PrivateDir&& other) noexcept
    : path_(std::exchange(other.path_, fs::path())), memory_backed_(other.memory_backed_) {}

PrivateDir::~PrivateDir() {
  if (!path_.empty()) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
}

void SweepPrivateDirs() {
  std::vector<fs::path> stale;
  std::error_code error;
  for (fs::directory_iterator entry(kMemoryRoot, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.rfind(kPrefix, 0) != 0) {
      continue;
    }
    const std::vector<std::string> parts = absl::StrSplit(name.substr(sizeof(kPrefix) - 1), '-');
    int pid = 0;
    struct stat info = {};
    if (parts.size() == 2 && absl::SimpleAtoi(parts[0], &pid) && pid > 0 &&
        ::lstat(entry->path().c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
        info.st_uid == ::geteuid() && ::kill(pid, 0) != 0 && errno == ESRCH) {
      stale.push_back(entry->path());
    }
  }
  for (const fs::path& path : stale) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
}

}  // namespace carnet::worker
