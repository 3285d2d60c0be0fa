#include "cli/doctor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "cli/output.h"
#include "crypto/certificates.h"

namespace carnet::cli {
namespace {

constexpr std::uint64_t kSpaceFailBytes = std::uint64_t{64} << 20;  // kept free for the ledger
constexpr std::uint64_t kSpaceWarnBytes = std::uint64_t{2} << 30;
constexpr rlim_t kLockedBytesMin = rlim_t{1} << 20;
constexpr std::size_t kFilesMax = 1'000'000;

std::string Day(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone());
}

// Nothing: private and the user's own.
std::string WhyNotPrivate(const std::filesystem::path& path) {
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0) {
    return "";  // It went meanwhile.
  }
  if (info.st_uid != ::geteuid()) {
    return absl::StrCat(path.string(), " belongs to another user");
  }
  if ((info.st_mode & 077) != 0 && !S_ISLNK(info.st_mode)) {
    return absl::StrCat(path.string(), " can be read or written by others");
  }
  return S_ISLNK(info.st_mode) ? absl::StrCat(path.string(), " is a link") : "";
}

}  // namespace

Finding CheckPrivate(const std::string& check, const std::filesystem::path& folder) {
  std::error_code error;
  std::size_t files = 0;
  std::string why = WhyNotPrivate(folder);
  for (std::filesystem::recursive_directory_iterator item(folder, error), end;
       why.empty() && !error && item != end && files < kFilesMax; item.increment(error)) {
    why = WhyNotPrivate(item->path());
    ++files;
  }
  if (why.empty() && error) {
    why = absl::StrCat(folder.string(), " cannot be listed: ", error.message());
  }
  return why.empty() ? Finding{check, Health::kOk, "private", ""}
                     : Finding{check, Health::kFail, why,
                               "chown it to the user of the daemon; chmod -R go= on the folder"};
}

Finding CheckSpace(const std::filesystem::path& folder) {
  const absl::StatusOr<std::uint64_t> free = FreeBytes(folder);
  if (!free.ok()) {
    return {"space", Health::kFail, "the file system does not answer", "look at the disk"};
  }
  const std::string what = absl::StrCat(FormatBytes(*free), " free");
  if (*free < kSpaceFailBytes) {
    return {"space", Health::kFail, what, "make room: 64 MiB stay free for the ledger"};
  }
  return *free < kSpaceWarnBytes
             ? Finding{"space", Health::kWarn, what, "make room before the next models arrive"}
             : Finding{"space", Health::kOk, what, ""};
}

Finding CheckLockedMemory() {
  struct rlimit limit = {};
  const bool known = ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0;
  if (known && (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= kLockedBytesMin)) {
    return {"locked-memory", Health::kOk, "secrets can be locked in memory", ""};
  }
  return {"locked-memory", Health::kWarn,
          absl::StrCat("at most ", FormatBytes(limit.rlim_cur),
                       " can be locked: secrets may be swapped to disk"),
          "raise it for the daemon: LimitMEMLOCK=64M in its systemd unit, or ulimit -l"};
}

Finding CheckCertificateLife(const std::string& check, const std::string& pem, absl::Time now,
                             absl::Duration ahead, const std::string& remedy) {
  const absl::StatusOr<crypto::CertificateInfo> info = crypto::ParseCertificatePem(pem);
  if (!info.ok()) {
    return {check, Health::kFail, "no certificate", "put it back from a backup"};
  }
  const absl::Time end = info->validity.not_after;
  if (now >= end || now < info->validity.not_before) {
    return {check, Health::kFail, absl::StrCat("not valid now; it ends on ", Day(end)), remedy};
  }
  return now + ahead >= end
             ? Finding{check, Health::kWarn, absl::StrCat("ends on ", Day(end)), remedy}
             : Finding{check, Health::kOk, absl::StrCat("valid until ", Day(end)), ""};
}

Finding CheckLock(const std::filesystem::path& lock) {
  const UniqueFd fd(::open(lock.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return {"lock", Health::kOk, "no daemon has run here", ""};
  }
  // Taken and given back at once: a daemon that starts in this moment says that it is held.
  const bool free = ::flock(fd.get(), LOCK_SH | LOCK_NB) == 0;
  return {"lock", Health::kOk, free ? "no daemon runs on it" : "a daemon runs on it", ""};
}

}  // namespace carnet::cli
