#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/rng.h"
#include "base/status.h"

namespace carnet {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kTemporarySuffix = ".tmp";
constexpr std::size_t kTemporaryRandomBytes = 8;
constexpr auto kOffsetMax = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());

fs::path ParentOf(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

// open(2) that retries what a signal interrupted.
UniqueFd OpenFd(const fs::path& path, int flags, mode_t mode = 0) {
  int fd = -1;
  do {
    fd = open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return UniqueFd(fd);
}

absl::Status WriteAllAt(int fd, std::uint64_t offset, ByteView bytes, const fs::path& path) {
  if (offset > kOffsetMax || bytes.size() > kOffsetMax - offset) {
    return FileError(EFBIG, "write", path);
  }
  while (!bytes.empty()) {
    const ssize_t count = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) {
      if (errno == EINTR) {
        continue;
      }
      return FileError(errno, "write", path);
    }
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

// Deletes the temporary file of a write that did not get to its rename.
class TemporaryFile {
 public:
  explicit TemporaryFile(fs::path path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    if (!kept_) {
      unlink(path_.c_str());
    }
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  void Keep() { kept_ = true; }

 private:
  const fs::path path_;
  bool kept_ = false;
};

fs::path TemporaryNameFor(const fs::path& path) {
  SystemRng rng;
  return ParentOf(path) / absl::StrCat(".", path.filename().string(), ".",
                                       HexEncode(RandomBytes(rng, kTemporaryRandomBytes)),
                                       kTemporarySuffix);
}

// Writes a whole fsynced file with exactly `mode`, the umask notwithstanding. Errors name `path`,
// for which `temporary` is made.
absl::Status WriteTemporary(const fs::path& temporary, const fs::path& path, ByteView bytes,
                            mode_t mode) {
  const UniqueFd fd = OpenFd(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, kPrivateFileMode);
  if (!fd.valid()) {
    return FileError(errno, "create", path);
  }
  if (fchmod(fd.get(), mode) != 0) {
    return FileError(errno, "set the mode of", path);
  }
  CARNET_RETURN_IF_ERROR(WriteAllAt(fd.get(), 0, bytes, path));
  if (fsync(fd.get()) != 0) {
    return FileError(errno, "fsync", path);
  }
  return absl::OkStatus();
}

absl::Status Write(const fs::path& path, ByteView bytes, mode_t mode, bool replace) {
  if (path.filename().empty()) {
    return FileError(EISDIR, "write", path);
  }
  const fs::path temporary = TemporaryNameFor(path);
  TemporaryFile cleanup(temporary);
  CARNET_RETURN_IF_ERROR(WriteTemporary(temporary, path, bytes, mode));
  if (replace) {
    // A crash before this line leaves the old file; after it, the new one.
    if (rename(temporary.c_str(), path.c_str()) != 0) {
      return FileError(errno, "rename to", path);
    }
    cleanup.Keep();
  } else if (link(temporary.c_str(), path.c_str()) != 0) {
    // link(2) never replaces, unlike rename(2).
    return FileError(errno, "create", path);
  }
  return SyncDirectory(ParentOf(path));
}

}  // namespace

absl::Status WriteFileAtomic(const fs::path& path, ByteView bytes, mode_t mode) {
  return Write(path, bytes, mode, /*replace=*/true);
}

absl::Status CreateFileAtomic(const fs::path& path, ByteView bytes, mode_t mode) {
  return Write(path, bytes, mode, /*replace=*/false);
}

absl::Status RemoveTemporaryFiles(const fs::path& directory) {
  std::error_code error;
  bool removed = false;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!absl::StartsWith(name, ".") || !absl::EndsWith(name, kTemporarySuffix)) {
      continue;
    }
    if (unlink(it->path().c_str()) != 0 && errno != ENOENT) {
      return FileError(errno, "remove", it->path());
    }
    removed = true;
  }
  if (error) {
    return FileError(error.value(), "list", directory);
  }
  return removed ? SyncDirectory(directory) : absl::OkStatus();
}

absl::StatusOr<Bytes> ReadFile(const fs::path& path, std::size_t bytes_max) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer; it means nothing for regular files.
  const UniqueFd fd = OpenFd(path, O_RDONLY | O_NONBLOCK);
  if (!fd.valid()) {
    return FileError(errno, "open", path);
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) {
    return FileError(errno, "stat", path);
  }
  if (!S_ISREG(info.st_mode)) {
    return WithOperatorDetail(absl::FailedPreconditionError("file: not a regular file"),
                              path.string());
  }
  const auto too_large = [&] {
    return WithOperatorDetail(absl::ResourceExhaustedError(absl::StrCat(
                                  "file: larger than the limit of ", bytes_max, " bytes")),
                              path.string());
  };
  if (static_cast<std::uint64_t>(info.st_size) > bytes_max) {
    return too_large();
  }
  // One byte more than stated, so that a file that grows meanwhile is noticed.
  Bytes bytes(static_cast<std::size_t>(info.st_size) + 1);
  std::size_t size = 0;
  while (true) {
    const ssize_t count = read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (count < 0 && errno != EINTR) {
      return FileError(errno, "read", path);
    }
    if (count == 0) {
      break;
    }
    size += count > 0 ? static_cast<std::size_t>(count) : 0;
    if (size > bytes_max) {
      return too_large();
    }
    if (size == bytes.size()) {
      bytes.resize(size + std::min(size, bytes_max - size) + 1);
    }
  }
  bytes.resize(size);
  return bytes;
}

absl::Status MakeDirs(const fs::path& path, mode_t mode) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return absl::OkStatus();
  }
  const fs::path clean = path.filename().empty() ? path.parent_path() : path;
  if (clean.empty() || clean == clean.root_path()) {
    return absl::OkStatus();
  }
  CARNET_RETURN_IF_ERROR(MakeDirs(ParentOf(clean), mode));
  if (mkdir(clean.c_str(), mode) != 0) {
    const int code = errno;
    // Another process may have made it since.
    if (code == EEXIST && fs::is_directory(clean, error)) {
      return absl::OkStatus();
    }
    return FileError(code, "make the directory", clean);
  }
  return SyncDirectory(ParentOf(clean));
}

absl::Status SyncDirectory(const fs::path& path) {
  const UniqueFd fd = OpenFd(path, O_RDONLY | O_DIRECTORY);
  if (!fd.valid()) {
    return FileError(errno, "open the directory", path);
  }
  return fsync(fd.get()) == 0 ? absl::OkStatus() : FileError(errno, "fsync the directory", path);
}

absl::Status SyncFile(const fs::path& path) {
  const UniqueFd fd = OpenFd(path, O_RDONLY | O_NONBLOCK);
  if (!fd.valid()) {
    return FileError(errno, "open", path);
  }
  return fsync(fd.get()) == 0 ? absl::OkStatus() : FileError(errno, "fsync", path);
}

absl::Status RenameDurably(const fs::path& from, const fs::path& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return FileError(errno, "rename", from);
  }
  CARNET_RETURN_IF_ERROR(SyncDirectory(ParentOf(to)));
  return ParentOf(from) == ParentOf(to) ? absl::OkStatus() : SyncDirectory(ParentOf(from));
}

absl::Status RemoveFileDurably(const fs::path& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return FileError(errno, "remove", path);
  }
  // Also when it was gone: a crash may have come between the unlink and its fsync.
  const absl::Status synced = SyncDirectory(ParentOf(path));
  return absl::IsNotFound(synced) ? absl::OkStatus() : synced;
}

absl::Status OverwriteAndRemove(const fs::path& path) {
  const UniqueFd fd = OpenFd(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd.valid()) {
    return errno == ENOENT ? RemoveFileDurably(path) : FileError(errno, "open", path);
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) {
    return FileError(errno, "stat", path);
  }
  if (!S_ISREG(info.st_mode)) {
    return WithOperatorDetail(absl::FailedPreconditionError("file: not a regular file"),
                              path.string());
  }
  const std::array<std::uint8_t, 4096> zeros{};
  const auto size_bytes = static_cast<std::uint64_t>(info.st_size);
  for (std::uint64_t offset = 0; offset < size_bytes; offset += zeros.size()) {
    const std::uint64_t count = std::min<std::uint64_t>(zeros.size(), size_bytes - offset);
    CARNET_RETURN_IF_ERROR(
        WriteAllAt(fd.get(), offset, ByteView(zeros).first(static_cast<std::size_t>(count)), path));
  }
  // A crash from here on leaves a file of zeros, which the next call removes.
  if (fsync(fd.get()) != 0) {
    return FileError(errno, "fsync", path);
  }
  return RemoveFileDurably(path);
}

absl::StatusOr<std::uint64_t> FreeBytes(const fs::path& path) {
  struct statvfs info {};
  if (statvfs(path.c_str(), &info) != 0) {
    return FileError(errno, "ask for free space at", path);
  }
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

absl::StatusOr<SpoolFile> SpoolFile::Open(const fs::path& path, mode_t mode) {
  UniqueFd fd = OpenFd(path, O_RDWR | O_NOFOLLOW);
  if (!fd.valid() && errno == ENOENT) {
    fd = OpenFd(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode);
    if (!fd.valid()) {
      return FileError(errno, "create", path);
    }
    CARNET_RETURN_IF_ERROR(SyncDirectory(ParentOf(path)));
  }
  if (!fd.valid()) {
    return FileError(errno, "open", path);
  }
  return SpoolFile(std::move(fd), path);
}

absl::Status SpoolFile::WriteAt(std::uint64_t offset, ByteView bytes) {
  CARNET_RETURN_IF_ERROR(WriteAllAt(fd_.get(), offset, bytes, path_));
  // On its way to the disk while the next bytes come, so that Sync has little to wait for. A hint:
  // what it returns says nothing of durability.
  (void)sync_file_range(fd_.get(), static_cast<off64_t>(offset), static_cast<off64_t>(bytes.size()),
                        SYNC_FILE_RANGE_WRITE);
  return absl::OkStatus();
}

absl::Status SpoolFile::ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) const {
  if (offset > kOffsetMax || out.size() > kOffsetMax - offset) {
    return FileError(EINVAL, "read", path_);
  }
  while (!out.empty()) {
    const ssize_t count = pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno != EINTR) {
      return FileError(errno, "read", path_);
    }
    if (count == 0) {
      return WithOperatorDetail(absl::OutOfRangeError("file: ends before the bytes asked for"),
                                path_.string());
    }
    const auto got = count > 0 ? static_cast<std::size_t>(count) : 0;
    offset += got;
    out = out.subspan(got);
  }
  return absl::OkStatus();
}

absl::Status SpoolFile::Sync() {
  return fdatasync(fd_.get()) == 0 ? absl::OkStatus() : FileError(errno, "fdatasync", path_);
}

absl::Status SpoolFile::Truncate(std::uint64_t size_bytes) {
  if (size_bytes > kOffsetMax) {
    return FileError(EFBIG, "truncate", path_);
  }
  return ftruncate(fd_.get(), static_cast<off_t>(size_bytes)) == 0
             ? absl::OkStatus()
             : FileError(errno, "truncate", path_);
}

absl::StatusOr<std::uint64_t> SpoolFile::SizeBytes() const {
  struct stat info {};
  if (fstat(fd_.get(), &info) != 0) {
    return FileError(errno, "stat", path_);
  }
  return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace carnet
