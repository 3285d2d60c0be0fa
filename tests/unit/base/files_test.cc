#include "base/files.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>

#include "base/list_dir.h"
#include "base/status.h"
#include "temp_dir.h"

namespace carnet {
namespace {

namespace fs = std::filesystem;
using Code = absl::StatusCode;

std::string ReadText(const fs::path& path) {
  const auto bytes = ReadFile(path, 1 << 20);
  return bytes.ok() ? ToString(*bytes) : "<" + std::string(bytes.status().message()) + ">";
}

std::size_t EntryCount(const fs::path& directory) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

mode_t ModeOf(const fs::path& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
}

// Runs `body` in a child process and returns its exit status, or -1 if it was killed.
template <typename Body>
int InChild(Body body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    _exit(body());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("ListDir: names what is there, sorted, and says why it cannot") {
  const TempDir dir;
  REQUIRE(MakeDirs(dir / "b" / "below").ok());
  REQUIRE(WriteFileAtomic(dir / "a", AsBytes("x")).ok());
  const auto paths = ListDir(dir.path());
  REQUIRE(paths.ok());
  CHECK(*paths == std::vector<fs::path>{dir / "a", dir / "b"});
  CHECK(ListDir(dir / "b" / "below")->empty());
  CHECK(ListDir(dir / "none").status().code() == Code::kNotFound);
  CHECK(ListDir(dir / "a").status().code() == Code::kFailedPrecondition);
}

TEST_CASE("WriteFileAtomic: writes, replaces and leaves nothing else") {
  const TempDir dir;
  const fs::path path = dir / "file";
  REQUIRE(WriteFileAtomic(path, AsBytes("one")).ok());
  CHECK(ReadText(path) == "one");
  CHECK(ModeOf(path) == kPrivateFileMode);
  REQUIRE(WriteFileAtomic(path, AsBytes("second"), 0644).ok());
  CHECK(ReadText(path) == "second");
  CHECK(ModeOf(path) == 0644);
  REQUIRE(WriteFileAtomic(path, AsBytes("")).ok());
  CHECK(ReadText(path).empty());
  CHECK(EntryCount(dir.path()) == 1);
}

TEST_CASE("WriteFileAtomic: a failure keeps the old file and no temporary one") {
  const TempDir dir;
  REQUIRE(MakeDirs(dir / "taken" / "inside").ok());
  const absl::Status status = WriteFileAtomic(dir / "taken", AsBytes("x"));
  CHECK(status.code() == Code::kFailedPrecondition);
  CHECK(EntryCount(dir.path()) == 1);
  CHECK(WriteFileAtomic(dir / "missing" / "file", AsBytes("x")).code() == Code::kNotFound);
}

TEST_CASE("CreateFileAtomic: never replaces") {
  const TempDir dir;
  REQUIRE(CreateFileAtomic(dir / "file", AsBytes("one")).ok());
  CHECK(CreateFileAtomic(dir / "file", AsBytes("two")).code() == Code::kAlreadyExists);
  CHECK(ReadText(dir / "file") == "one");
  CHECK(EntryCount(dir.path()) == 1);
}

TEST_CASE("RemoveTemporaryFiles: sweeps what a crash left and nothing else") {
  const TempDir dir;
  std::ofstream(dir / ".file.0011223344556677.tmp") << "half";
  std::ofstream(dir / "file.tmp") << "kept";
  std::ofstream(dir / ".hidden") << "kept";
  REQUIRE(RemoveTemporaryFiles(dir.path()).ok());
  CHECK(EntryCount(dir.path()) == 2);
  CHECK(RemoveTemporaryFiles(dir / "missing").code() == Code::kNotFound);
}

TEST_CASE("ReadFile: is bounded, and only for regular files") {
  const TempDir dir;
  REQUIRE(WriteFileAtomic(dir / "file", AsBytes("12345")).ok());
  CHECK(ReadFile(dir / "file", 5).ok());
  CHECK(ReadFile(dir / "file", 4).status().code() == Code::kResourceExhausted);
  CHECK(ReadFile(dir / "none", 4).status().code() == Code::kNotFound);
  CHECK(ReadFile(dir.path(), 4).status().code() == Code::kFailedPrecondition);
  REQUIRE(mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK(ReadFile(dir / "fifo", 4).status().code() == Code::kFailedPrecondition);
  // Its size reads as zero, yet it has bytes: the limit holds while reading too.
  CHECK(ReadFile("/proc/self/status", 16).status().code() == Code::kResourceExhausted);
  CHECK(ReadFile("/proc/self/status", 1 << 20).ok());
}

TEST_CASE("File errors: the message has fixed words, the detail the path, the remedy what to do") {
  const auto missing = ReadFile("/nonexistent/secret-name", 4);
  CHECK(missing.status().message() == "file: does not exist");
  CHECK(OperatorDetail(missing.status()).find("/nonexistent/secret-name") != std::string::npos);
  CHECK_FALSE(Remedy(missing.status()).empty());
  CHECK(FileError(ENOSPC, "write", "/p").code() == Code::kResourceExhausted);
  CHECK(FileError(EDQUOT, "write", "/p").code() == Code::kResourceExhausted);
  CHECK(FileError(EROFS, "write", "/p").code() == Code::kFailedPrecondition);
  CHECK(FileError(EACCES, "write", "/p").code() == Code::kPermissionDenied);
  CHECK(FileError(EIO, "fsync", "/p").code() == Code::kDataLoss);
  CHECK(FileError(ENOTSUP, "fsync", "/p").code() == Code::kInternal);
}

TEST_CASE("MakeDirs: makes all parents, and is content with what exists") {
  const TempDir dir;
  REQUIRE(MakeDirs(dir / "a" / "b" / "c").ok());
  CHECK(fs::is_directory(dir / "a" / "b" / "c"));
  CHECK(ModeOf(dir / "a") == kPrivateDirMode);
  CHECK(MakeDirs(dir / "a" / "b" / "c").ok());
  CHECK(MakeDirs(dir / "a" / "d" / "").ok());
  CHECK(fs::is_directory(dir / "a" / "d"));
  CHECK(MakeDirs("/").ok());
  REQUIRE(WriteFileAtomic(dir / "file", AsBytes("")).ok());
  CHECK_FALSE(MakeDirs(dir / "file").ok());
  CHECK_FALSE(MakeDirs(dir / "file" / "below").ok());
}

TEST_CASE("RemoveFileDurably: is idempotent") {
  const TempDir dir;
  REQUIRE(WriteFileAtomic(dir / "file", AsBytes("x")).ok());
  CHECK(RemoveFileDurably(dir / "file").ok());
  CHECK(RemoveFileDurably(dir / "file").ok());
  CHECK(RemoveFileDurably(dir / "none" / "file").ok());
  CHECK_FALSE(RemoveFileDurably(dir.path()).ok());
}

TEST_CASE("OverwriteAndRemove: the bytes are gone from the file before its name goes") {
  const TempDir dir;
  const fs::path path = dir / "secret";
  const std::string secret(10'000, 's');
  REQUIRE(WriteFileAtomic(path, AsBytes(secret)).ok());
  // A second name shows what is left in the file itself.
  REQUIRE(link(path.c_str(), (dir / "other").c_str()) == 0);
  REQUIRE(OverwriteAndRemove(path).ok());
  CHECK_FALSE(fs::exists(path));
  CHECK(ReadText(dir / "other") == std::string(secret.size(), '\0'));
  CHECK(OverwriteAndRemove(path).ok());
}

TEST_CASE("OverwriteAndRemove: does not follow a link to another file") {
  const TempDir dir;
  REQUIRE(WriteFileAtomic(dir / "kept", AsBytes("kept")).ok());
  REQUIRE(symlink("kept", (dir / "link").c_str()) == 0);
  CHECK_FALSE(OverwriteAndRemove(dir / "link").ok());
  CHECK(ReadText(dir / "kept") == "kept");
}

TEST_CASE("RenameDurably: replaces the target") {
  const TempDir dir;
  REQUIRE(MakeDirs(dir / "sub").ok());
  REQUIRE(WriteFileAtomic(dir / "from", AsBytes("new")).ok());
  REQUIRE(WriteFileAtomic(dir / "sub" / "to", AsBytes("old")).ok());
  REQUIRE(RenameDurably(dir / "from", dir / "sub" / "to").ok());
  CHECK(ReadText(dir / "sub" / "to") == "new");
  CHECK(RenameDurably(dir / "from", dir / "x").code() == Code::kNotFound);
}

TEST_CASE("FileLock: a second process is refused, with the holder's process id") {
  const TempDir dir;
  const fs::path path = dir / "lock";
  auto held = FileLock::Acquire(path);
  REQUIRE(held.ok());
  const std::string pid = std::to_string(getpid());
  CHECK(InChild([&] {
          // The lock belongs to the open file, which a forked child shares; a new open does not.
          const auto second = FileLock::Acquire(path);
          const bool clear = second.status().message() == "lock: another process holds it" &&
                             Remedy(second.status()).find("pid " + pid) != std::string::npos;
          return !second.ok() && clear ? 0 : 1;
        }) == 0);
}

TEST_CASE("FileLock: is free again when its holder ends in any way") {
  const TempDir dir;
  const fs::path path = dir / "lock";
  CHECK(InChild([&]() -> int {
          const auto held = FileLock::Acquire(path);
          if (held.ok()) {
            raise(SIGKILL);
          }
          return 1;
        }) == -1);
  {
    const auto again = FileLock::Acquire(path);
    REQUIRE(again.ok());
    CHECK_FALSE(FileLock::Acquire(path).ok());
  }
  CHECK(FileLock::Acquire(path).ok());
}

TEST_CASE("SpoolFile: writes and reads by offset and outlives its handle") {
  const TempDir dir;
  {
    auto spool = SpoolFile::Open(dir / "spool");
    REQUIRE(spool.ok());
    REQUIRE(spool->WriteAt(0, AsBytes("hello")).ok());
    REQUIRE(spool->WriteAt(8, AsBytes("world")).ok());
    REQUIRE(spool->Sync().ok());
  }
  auto spool = SpoolFile::Open(dir / "spool");
  REQUIRE(spool.ok());
  CHECK(*spool->SizeBytes() == 13);
  Bytes bytes(13);
  REQUIRE(spool->ReadAt(0, bytes).ok());
  CHECK(ToString(bytes) == std::string("hello\0\0\0world", 13));
  CHECK(spool->ReadAt(1, bytes).code() == Code::kOutOfRange);
  REQUIRE(spool->Truncate(5).ok());
  CHECK(*spool->SizeBytes() == 5);
  CHECK_FALSE(spool->WriteAt(~std::uint64_t{0}, AsBytes("x")).ok());
  CHECK_FALSE(spool->ReadAt(~std::uint64_t{0}, bytes).ok());
  CHECK_FALSE(spool->Truncate(~std::uint64_t{0}).ok());
}

TEST_CASE("SpoolFile: does not follow a link") {
  const TempDir dir;
  REQUIRE(WriteFileAtomic(dir / "kept", AsBytes("kept")).ok());
  REQUIRE(symlink("kept", (dir / "link").c_str()) == 0);
  CHECK(SpoolFile::Open(dir / "link").status().code() == Code::kFailedPrecondition);
}

TEST_CASE("UniqueFd: closes once and can be moved") {
  UniqueFd first(open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE(first.valid());
  const int number = first.get();
  UniqueFd second = std::move(first);
  CHECK(second.get() == number);
  second.Reset();
  CHECK_FALSE(second.valid());
  CHECK(fcntl(number, F_GETFD) == -1);
}

// A small file system of its own, unmounted when the test ends.
class SmallDisk {
 public:
  SmallDisk() {
    mounted_ = mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=256k,nr_inodes=64") == 0;
  }
  ~SmallDisk() {
    if (mounted_) {
      umount(dir_.path().c_str());
    }
  }
  bool mounted() const { return mounted_; }
  fs::path operator/(const char* name) const { return dir_ / name; }
  bool MakeReadOnly() {
    return mount("tmpfs", dir_.path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=256k") == 0;
  }

 private:
  const TempDir dir_;
  bool mounted_ = false;
};

#define REQUIRE_SMALL_DISK(disk)                                            \
  if (!(disk).mounted()) {                                                  \
    WARN("skipped: this user may not mount a tmpfs (needs CAP_SYS_ADMIN)"); \
    SUCCEED("skipped");                                                     \
    return;                                                                 \
  }

TEST_CASE("Full disk: a write says so and the old file stays whole") {
  SmallDisk disk;
  REQUIRE_SMALL_DISK(disk);
  REQUIRE(WriteFileAtomic(disk / "file", AsBytes("old")).ok());
  REQUIRE(FreeBytes(disk / "file").ok());
  CHECK(*FreeBytes(disk / "file") <= 256 * 1024);
  const Bytes large(512 * 1024, 1);
  const absl::Status status = WriteFileAtomic(disk / "file", large);
  CHECK(status.code() == Code::kResourceExhausted);
  CHECK(status.message() == "file: no space left");
  CHECK(OperatorDetail(status).find("file") != std::string::npos);
  CHECK(Remedy(status).find("Free space") != std::string::npos);
  CHECK(ReadText(disk / "file") == "old");
  CHECK(EntryCount((disk / "file").parent_path()) == 1);

  auto spool = SpoolFile::Open(disk / "spool");
  REQUIRE(spool.ok());
  CHECK(spool->WriteAt(0, large).code() == Code::kResourceExhausted);
  // Once there is room it goes on.
  REQUIRE(spool->Truncate(0).ok());
  CHECK(spool->WriteAt(0, AsBytes("small")).ok());
}

TEST_CASE("Read-only file system: a write says so") {
  SmallDisk disk;
  REQUIRE_SMALL_DISK(disk);
  REQUIRE(WriteFileAtomic(disk / "file", AsBytes("old")).ok());
  REQUIRE(disk.MakeReadOnly());
  const absl::Status status = WriteFileAtomic(disk / "file", AsBytes("new"));
  CHECK(status.code() == Code::kFailedPrecondition);
  CHECK(status.message() == "file: the file system is read-only");
  CHECK(ReadText(disk / "file") == "old");
  CHECK(MakeDirs(disk / "dir").code() == Code::kFailedPrecondition);
}

TEST_CASE("Read-only directory: an unprivileged user is told that permission is missing") {
  const TempDir dir;
  REQUIRE(WriteFileAtomic(dir / "file", AsBytes("old"), 0644).ok());
  REQUIRE(chmod(dir.path().c_str(), 0555) == 0);
  constexpr uid_t kNobody = 65534;
  CHECK(InChild([&] {
          if (getuid() == 0 && setuid(kNobody) != 0) {
            return 2;
          }
          const absl::Status status = WriteFileAtomic(dir / "file", AsBytes("new"));
          return status.code() == Code::kPermissionDenied ? 0 : 1;
        }) == 0);
  CHECK(ReadText(dir / "file") == "old");
  CHECK(EntryCount(dir.path()) == 1);
  CHECK(chmod(dir.path().c_str(), 0700) == 0);
}

}  // namespace
}  // namespace carnet
