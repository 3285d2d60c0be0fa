#include "exchange/data_digest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "crypto/hash.h"

namespace carnet::exchange {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = std::size_t{1} << 20;

bool IsPlainName(const std::string& path) {
  return path.find_first_of("\n\r\\") == std::string::npos;
}

absl::Status NotPlain(const fs::path& path) {
  return WithOperatorDetail(
      absl::FailedPreconditionError("data: neither a regular file nor a folder of them"),
      path.string());
}

// Hands on the bytes of a regular file in order.
absl::Status ReadInOrder(const fs::path& path, const std::function<void(ByteView)>& sink) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return FileError(errno, "open", path);
  }
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) {
    return FileError(errno, "stat", path);
  }
  if (!S_ISREG(info.st_mode)) {
    return NotPlain(path);
  }
  Bytes buffer(kReadBytes);
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return FileError(errno, "read", path);
    }
    if (got == 0) {
      return absl::OkStatus();
    }
    sink(ByteView(buffer).first(static_cast<std::size_t>(got)));
  }
}

absl::StatusOr<std::uint64_t> CountLines(const fs::path& path) {
  std::uint64_t rows = 0;
  bool in_line = false;
  CARNET_RETURN_IF_ERROR(ReadInOrder(path, [&](ByteView bytes) {
    for (const std::uint8_t byte : bytes) {
      if (byte == '\n') {
        rows += in_line ? 1 : 0;
        in_line = false;
      } else if (byte != '\r') {
        in_line = true;
      }
    }
  }));
  return rows + (in_line ? 1 : 0);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ListFiles(const fs::path& directory) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::recursive_directory_iterator entry(directory, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const fs::file_status status = entry->symlink_status(error);
    if (error) {
      break;
    }
    if (fs::is_directory(status)) {
      continue;
    }
    const std::string path = entry->path().lexically_relative(directory).string();
    if (!fs::is_regular_file(status) || !IsPlainName(path)) {
      return NotPlain(entry->path());
    }
    if (paths.size() == kDataFilesMax) {
      return WithOperatorDetail(absl::ResourceExhaustedError("data: more files than kDataFilesMax"),
                                directory.string());
    }
    paths.push_back(path);
  }
  if (error) {
    return FileError(error.value(), "list", directory);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

absl::StatusOr<Digest> FileDigest(const fs::path& path) {
  crypto::Sha256Stream hash;
  CARNET_RETURN_IF_ERROR(ReadInOrder(path, [&hash](ByteView bytes) { hash.Update(bytes); }));
  return hash.Finish();
}

absl::StatusOr<Digest> FilesDigest(const fs::path& base, std::vector<std::string> paths) {
  std::sort(paths.begin(), paths.end());
  const bool repeated = std::adjacent_find(paths.begin(), paths.end()) != paths.end();
  if (repeated || !std::all_of(paths.begin(), paths.end(), IsPlainName)) {
    return absl::InvalidArgumentError("data: a path is repeated or cannot be listed");
  }
  crypto::Sha256Stream hash;
  for (const std::string& path : paths) {
    CARNET_ASSIGN_OR_RETURN(const Digest digest, FileDigest(base / path));
    hash.Update(AsBytes(absl::StrCat(HexEncode(digest), "  ", path, "\n")));
  }
  return hash.Finish();
}

absl::StatusOr<Digest> PathDigest(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return FileDigest(path);
  }
  CARNET_ASSIGN_OR_RETURN(std::vector<std::string> paths, ListFiles(path));
  return FilesDigest(path, std::move(paths));
}

absl::StatusOr<std::uint64_t> CountRows(const fs::path& path) {
  std::error_code error;
  std::uint64_t rows = 0;
  if (!fs::is_directory(path, error)) {
    return path.extension() == ".csv" ? CountLines(path) : absl::StatusOr<std::uint64_t>(rows);
  }
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::string> paths, ListFiles(path));
  for (const std::string& file : paths) {
    if (absl::EndsWith(file, ".csv")) {
      CARNET_ASSIGN_OR_RETURN(const std::uint64_t more, CountLines(path / file));
      rows += more;
    }
  }
  return rows;
}

}  // namespace carnet::exchange
