#include "crypto/key_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/status.h"

namespace carnet::crypto {
namespace {

constexpr char kSuffix[] = ".key";
// `carnet bearer-token v1`, a line feed, base64 of the largest secret, a line feed, with room to
// spare.
constexpr std::size_t kFileBytesMax = 64 + (kKeySecretBytesMax + 2) / 3 * 4;

constexpr std::array kKinds = {KeyKind::kEd25519, KeyKind::kX25519, KeyKind::kP256,
                               KeyKind::kDataKey, KeyKind::kBearerToken};

struct KindForm {
  absl::string_view name;
  std::size_t bytes_min;
  std::size_t bytes_max;
};

KindForm FormOf(KeyKind kind) {
  switch (kind) {
    case KeyKind::kEd25519:
      return {"ed25519", 32, 32};
    case KeyKind::kX25519:
      return {"x25519", 32, 32};
    case KeyKind::kP256:
      return {"p256", 1, kKeySecretBytesMax};
    case KeyKind::kDataKey:
      return {"data-key", 32, 32};
    case KeyKind::kBearerToken:
      break;
  }
  return {"bearer-token", 16, 64};
}

bool IsKeyId(absl::string_view id) {
  return !id.empty() && id.size() <= kKeyIdBytesMax &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

absl::Status CheckId(absl::string_view id) {
  return IsKeyId(id) ? absl::OkStatus()
                     : absl::InvalidArgumentError("key file: an id is [a-z0-9-]{1,64}");
}

std::string FirstLine(KeyKind kind) {
  return absl::StrCat("carnet ", FormOf(kind).name, " v1\n");
}

bool SizeFits(KeyKind kind, std::size_t size_bytes) {
  const KindForm form = FormOf(kind);
  return size_bytes >= form.bytes_min && size_bytes <= form.bytes_max;
}

// Secrets stay out of plain strings, hence libsodium's base64 into secret memory.
SecretBytes Encode(KeyKind kind, const SecretBytes& secret) {
  const std::string first_line = FirstLine(kind);
  // The size counts a NUL at the end, which gives way to a line feed.
  const std::size_t text_size =
      sodium_base64_ENCODED_LEN(secret.size(), sodium_base64_VARIANT_ORIGINAL);
  SecretBytes file(first_line.size() + text_size);
  const std::span<std::uint8_t> out = file.Mutable();
  std::copy(first_line.begin(), first_line.end(), out.begin());
  sodium_bin2base64(reinterpret_cast<char*>(out.data()) + first_line.size(), text_size,
                    secret.View().data(), secret.size(), sodium_base64_VARIANT_ORIGINAL);
  out.back() = '\n';
  return file;
}

absl::StatusOr<SecretBytes> Decode(KeyKind kind, const SecretBytes& file) {
  const absl::Status malformed = absl::DataLossError("key file: malformed");
  absl::string_view text = AsText(file.View());
  if (!absl::ConsumePrefix(&text, FirstLine(kind))) {
    const bool other_kind = std::any_of(kKinds.begin(), kKinds.end(), [&](KeyKind other) {
      return absl::StartsWith(text, FirstLine(other));
    });
    return other_kind ? absl::InvalidArgumentError("key file: it holds a key of another kind")
                      : malformed;
  }
  if (!absl::ConsumeSuffix(&text, "\n")) {
    return malformed;
  }
  SecretBytes decoded(text.size() / 4 * 3 + 3);
  std::size_t size = 0;
  // Canonical base64 with padding and nothing else.
  if (sodium_base642bin(decoded.Mutable().data(), decoded.size(), text.data(), text.size(), nullptr,
                        &size, nullptr, sodium_base64_VARIANT_ORIGINAL) != 0 ||
      !SizeFits(kind, size)) {
    return malformed;
  }
  return SecretBytes::Copy(decoded.View().first(size));
}

// What the file system says of a file or directory that must be the user's own and nobody else's.
absl::Status CheckPrivate(const struct stat& status, bool directory) {
  const bool right_type = directory ? S_ISDIR(status.st_mode) : S_ISREG(status.st_mode);
  if (!right_type) {
    return absl::FailedPreconditionError("key file: not a plain file in a directory");
  }
  if (status.st_uid != geteuid()) {
    return absl::FailedPreconditionError("key file: it belongs to another user");
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return WithRemedy(absl::FailedPreconditionError("key file: other users may read or write it"),
                      directory ? "chmod 700 the directory, and replace its keys"
                                : "chmod 600 the file, and replace the key");
  }
  return absl::OkStatus();
}

// Reads straight into secret memory.
absl::StatusOr<SecretBytes> ReadPrivateFile(const std::string& path) {
  // No link is followed, and a pipe does not block.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) {
    return errno == ELOOP ? absl::FailedPreconditionError("key file: not a plain file")
                          : FileError(errno, "open", path);
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) {
    return FileError(errno, "stat", path);
  }
  CARNET_RETURN_IF_ERROR(CheckPrivate(status, /*directory=*/false));
  if (status.st_size <= 0 || static_cast<std::size_t>(status.st_size) > kFileBytesMax) {
    return absl::DataLossError("key file: malformed");
  }
  SecretBytes file(static_cast<std::size_t>(status.st_size));
  std::size_t filled = 0;
  while (filled < file.size()) {
    const ssize_t got = read(fd.get(), file.Mutable().data() + filled, file.size() - filled);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return got < 0 ? FileError(errno, "read", path)
                     : absl::DataLossError("key file: it shrank while it was read");
    }
    filled += static_cast<std::size_t>(got);
  }
  return file;
}

struct DirectoryCloser {
  void operator()(DIR* directory) const noexcept { closedir(directory); }
};

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& path) {
  const std::unique_ptr<DIR, DirectoryCloser> directory(opendir(path.c_str()));
  if (directory == nullptr) {
    return FileError(errno, "open", path);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* const entry = readdir(directory.get())) {
    if (names.size() == kKeyFilesMax) {
      return absl::ResourceExhaustedError("key file: too many files in the directory");
    }
    names.emplace_back(entry->d_name);
    errno = 0;
  }
  if (errno != 0) {
    return FileError(errno, "read", path);
  }
  return names;
}

}  // namespace

KeyFiles::KeyFiles(std::string directory) : directory_(std::move(directory)) {}

std::string KeyFiles::PathOf(absl::string_view id) const {
  return absl::StrCat(directory_, "/", id, kSuffix);
}

absl::StatusOr<KeyFiles> KeyFiles::Open(absl::string_view directory) {
  std::string path(directory);
  CARNET_RETURN_IF_ERROR(MakeDirs(path, kPrivateDirMode));
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    return FileError(errno, "stat", path);
  }
  CARNET_RETURN_IF_ERROR(CheckPrivate(status, /*directory=*/true));
  return KeyFiles(std::move(path));
}

absl::Status KeyFiles::Create(absl::string_view id, KeyKind kind, const SecretBytes& secret) const {
  CARNET_RETURN_IF_ERROR(CheckId(id));
  if (!SizeFits(kind, secret.size())) {
    return absl::InvalidArgumentError("key file: a secret of this kind has another size");
  }
  return CreateFileAtomic(PathOf(id), Encode(kind, secret).View(), kPrivateFileMode);
}

absl::StatusOr<SecretBytes> KeyFiles::Read(absl::string_view id, KeyKind kind) const {
  CARNET_RETURN_IF_ERROR(CheckId(id));
  CARNET_ASSIGN_OR_RETURN(const SecretBytes file, ReadPrivateFile(PathOf(id)));
  return Decode(kind, file);
}

absl::StatusOr<bool> KeyFiles::Exists(absl::string_view id) const {
  CARNET_RETURN_IF_ERROR(CheckId(id));
  const std::string path = PathOf(id);
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0) {
    return true;
  }
  if (errno == ENOENT) {
    return false;
  }
  return FileError(errno, "stat", path);
}

absl::Status KeyFiles::Destroy(absl::string_view id) const {
  CARNET_RETURN_IF_ERROR(CheckId(id));
  return OverwriteAndRemove(PathOf(id));
}

absl::StatusOr<std::vector<std::string>> KeyFiles::List() const {
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(directory_));
  std::vector<std::string> ids;
  for (const std::string& name : names) {
    absl::string_view id = name;
    if (absl::ConsumeSuffix(&id, kSuffix) && IsKeyId(id)) {
      ids.emplace_back(id);
    }
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

absl::Status KeyFiles::RemoveLeftovers() const {
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(directory_));
  for (const std::string& name : names) {
    // The form of base/files.h.
    if (!absl::StartsWith(name, ".") || !absl::EndsWith(name, ".tmp")) {
      continue;
    }
    const std::string path = absl::StrCat(directory_, "/", name);
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) {
      return FileError(errno, "stat", path);
    }
    // A second name means that Create got as far as linking the key under its own: overwriting
    // would destroy a live key.
    CARNET_RETURN_IF_ERROR(status.st_nlink > 1 ? RemoveFileDurably(path)
                                               : OverwriteAndRemove(path));
  }
  return absl::OkStatus();
}

}  // namespace carnet::crypto
