// The errors of base/files.h, its descriptors and its lock.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"

namespace carnet {
namespace {

namespace fs = std::filesystem;

struct Meaning {
  absl::StatusCode code;
  const char* what;
  const char* remedy;
};

Meaning MeaningOf(int error) {
  using Code = absl::StatusCode;
  switch (error) {
    case ENOENT:
      return {Code::kNotFound, "file: does not exist", "Check the path."};
    case EEXIST:
      return {Code::kAlreadyExists, "file: already exists", "Remove it or choose another path."};
    case EACCES:
    case EPERM:
      return {Code::kPermissionDenied, "file: permission denied",
              "Run as the user that owns it, or change its owner or mode."};
    case EROFS:
      return {Code::kFailedPrecondition, "file: the file system is read-only",
              "Mount it for writing, or choose another directory."};
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case ELOOP:
    case EXDEV:
    case ETXTBSY:
      return {Code::kFailedPrecondition, "file: the path is not of the kind that is needed here",
              "Check the path: a directory where a file is expected, or the other way round."};
    case ENOSPC:
    case EDQUOT:
      return {Code::kResourceExhausted, "file: no space left",
              "Free space on this file system, or raise the quota, and try again."};
    case EFBIG:
      return {Code::kResourceExhausted, "file: too large for this file system or user",
              "Raise the limit on file size (ulimit -f)."};
    case EMFILE:
    case ENFILE:
      return {Code::kResourceExhausted, "file: too many open files",
              "Raise the limit on open files (ulimit -n)."};
    case ENAMETOOLONG:
    case EINVAL:
      return {Code::kInvalidArgument, "file: not a name or offset that the file system takes",
              "Choose a shorter or simpler path."};
    case EIO:
      return {Code::kDataLoss, "file: the storage device failed",
              "Check the device and the kernel's log before starting again."};
    default:
      return {Code::kInternal, "file: the operating system refused", "Check the kernel's log."};
  }
}

}  // namespace

absl::Status FileError(int error, absl::string_view action, const fs::path& path) {
  const Meaning meaning = MeaningOf(error);
  return WithRemedy(WithOperatorDetail(absl::Status(meaning.code, meaning.what),
                                       absl::StrCat("cannot ", action, " ", path.string(), ": ",
                                                    std::generic_category().message(error))),
                    meaning.remedy);
}

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = other.Release();
  }
  return *this;
}

int UniqueFd::Release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void UniqueFd::Reset() {
  if (fd_ >= 0) {
    // Never retried: Linux frees the descriptor even when close reports an error.
    close(Release());
  }
}

absl::StatusOr<FileLock> FileLock::Acquire(const fs::path& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivateFileMode));
  if (!fd.valid()) {
    return FileError(errno, "open the lock", path);
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return FileError(errno, "lock", path);
    }
    std::array<char, 16> holder{};
    const ssize_t count = pread(fd.get(), holder.data(), holder.size(), 0);
    std::string pid(holder.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    absl::StripAsciiWhitespace(&pid);
    const bool known = !pid.empty() && pid.find_first_not_of("0123456789") == std::string::npos;
    return WithRemedy(
        WithOperatorDetail(absl::FailedPreconditionError("lock: another process holds it"),
                           absl::StrCat("locked: ", path.string())),
        absl::StrCat("Stop the other process", known ? absl::StrCat(" (pid ", pid, ")") : "",
                     " first."));
  }
  // The number is only for the operator's eyes, so a full disk does not matter.
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd.get(), 0) != 0 || pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    return FileLock(std::move(fd));
  }
  return FileLock(std::move(fd));
}

}  // namespace carnet
