// Durable files. Every function returns only when what it promises survives a power cut, and says
// so in its contract; "durable" means that the file's bytes and its name in its directory are
// fsynced.
//
// Errors of all functions carry the path as operator detail and what to do as remedy
// (base/status.h):
//   NOT_FOUND           no such file or directory
//   ALREADY_EXISTS      a file stands where a new one or a directory was to be made
//   PERMISSION_DENIED   this user may not (EACCES, EPERM)
//   FAILED_PRECONDITION the file system is read-only (EROFS), or a part of the path is no directory
//   RESOURCE_EXHAUSTED  disk full or quota (ENOSPC, EDQUOT), too many open files. Retry once there
//   is room. INVALID_ARGUMENT    a name that the file system does not take DATA_LOSS           the
//   device failed (EIO). Do not retry: after a failed fsync the kernel may have
//                       dropped the pages, so whoever depends on the bytes must stop and start
//                       again.
//   INTERNAL            anything else
#ifndef CARNET_BASE_FILES_H_
#define CARNET_BASE_FILES_H_

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"

namespace carnet {

// Owners only: what a state directory and its files get.
inline constexpr mode_t kPrivateFileMode = 0600;
inline constexpr mode_t kPrivateDirMode = 0700;

// Owns a file descriptor; closes it.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // Gives up the descriptor; the caller closes it.
  int Release();
  void Reset();

 private:
  int fd_ = -1;
};

// The Status for `error` (an errno) while doing `action` ("write", "open") on `path`.
absl::Status FileError(int error, absl::string_view action, const std::filesystem::path& path);

// Writes all of `bytes` to `path` in one step: readers see the old file or the whole new one, also
// after a crash. Durable on return. A failure leaves the old file and no other trace; a crash may
// leave a temporary file `.<name>.<random>.tmp` beside it (RemoveTemporaryFiles).
absl::Status WriteFileAtomic(const std::filesystem::path& path, ByteView bytes,
                             mode_t mode = kPrivateFileMode);

// As WriteFileAtomic, but refuses with ALREADY_EXISTS where `path` exists: what is there stays.
absl::Status CreateFileAtomic(const std::filesystem::path& path, ByteView bytes,
                              mode_t mode = kPrivateFileMode);

// Removes what crashed WriteFileAtomic calls left in `directory`. Only for a directory that no
// other process writes to (take the lock first).
absl::Status RemoveTemporaryFiles(const std::filesystem::path& directory);

// All of a regular file. RESOURCE_EXHAUSTED: it is larger than `bytes_max`, found out before any
// memory is taken and again while reading. FAILED_PRECONDITION: not a regular file.
absl::StatusOr<Bytes> ReadFile(const std::filesystem::path& path, std::size_t bytes_max);

// Makes `path` and its missing parents with `mode`, each durable. A directory that exists is left
// as it is.
absl::Status MakeDirs(const std::filesystem::path& path, mode_t mode = kPrivateDirMode);

// Fsyncs the directory, so that names made or removed in it are durable.
absl::Status SyncDirectory(const std::filesystem::path& path);

// Fsyncs an existing file's bytes.
absl::Status SyncFile(const std::filesystem::path& path);

// Renames within one file system, replacing `to`; durable on return (both directories fsynced). The
// caller has fsynced the bytes.
absl::Status RenameDurably(const std::filesystem::path& from, const std::filesystem::path& to);

// Unlinks and fsyncs the directory. A file that is already gone is fine: removal is idempotent.
absl::Status RemoveFileDurably(const std::filesystem::path& path);

// For secrets: overwrites the file in place with zeros, fsyncs, unlinks, fsyncs the directory.
// Idempotent: a file that is already gone is fine. What SSDs, copy-on-write file systems and
// snapshots keep is beyond reach.
absl::Status OverwriteAndRemove(const std::filesystem::path& path);

// Bytes that an unprivileged user can still write to the file system of `path`, which must exist.
absl::StatusOr<std::uint64_t> FreeBytes(const std::filesystem::path& path);

// An exclusive lock on a file, held by one process (flock(2)); released when destroyed or when the
// process ends in any way. The file stays and holds the holder's process id for the operator's
// eyes.
class FileLock {
 public:
  // Does not wait. FAILED_PRECONDITION: another holder has it; the remedy names its process id if
  // known.
  static absl::StatusOr<FileLock> Acquire(const std::filesystem::path& path);
  FileLock(FileLock&&) = default;
  FileLock& operator=(FileLock&&) = default;

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// A file written by offset and read back: spools of transfers and blobs under construction.
// One thread at a time; move-only.
class SpoolFile {
 public:
  // Opens `path` for reading and writing, making it (and its name durable) where it does not exist.
  static absl::StatusOr<SpoolFile> Open(const std::filesystem::path& path,
                                        mode_t mode = kPrivateFileMode);
  SpoolFile(SpoolFile&&) = default;
  SpoolFile& operator=(SpoolFile&&) = default;

  // Writes all of `bytes` at `offset`. Not durable before Sync. A failed write may have written a
  // part.
  absl::Status WriteAt(std::uint64_t offset, ByteView bytes);
  // Fills all of `out` from `offset`. OUT_OF_RANGE: the file ends before.
  absl::Status ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) const;
  // fdatasync: what was written is durable, the size included.
  absl::Status Sync();
  // Cuts or extends (with zeros) to `size_bytes`. Not durable before Sync.
  absl::Status Truncate(std::uint64_t size_bytes);
  absl::StatusOr<std::uint64_t> SizeBytes() const;
  const std::filesystem::path& path() const { return path_; }

 private:
  SpoolFile(UniqueFd fd, std::filesystem::path path) : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;
  std::filesystem::path path_;
};

}  // namespace carnet

#endif  // CARNET_BASE_FILES_H_
