#include "exchange/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace carnet::exchange {
namespace {

constexpr absl::string_view kSpoolSuffix = ".spool";
constexpr absl::string_view kSpecSuffix = ".spec";
constexpr std::size_t kSpecBytesMax = 256;
constexpr std::size_t kReadBytes = std::size_t{1} << 20;

std::filesystem::path PathOf(const std::filesystem::path& directory, const Digest& id,
                             absl::string_view suffix) {
  return directory / absl::StrCat(HexEncode(id), suffix);
}

// The whole text of a .spec file: one spec has one text, so comparing texts compares specs.
std::string SpecText(const TransferSpec& spec) {
  return absl::StrCat("carnet spool v1\n", spec.size_bytes, "\n",
                      spec.sha256.has_value() ? HexEncode(*spec.sha256) : "unknown", "\n");
}

// Makes .spec, or compares with the one that is there.
absl::Status KeepSpec(const std::filesystem::path& directory, const TransferSpec& spec) {
  const std::filesystem::path path = PathOf(directory, spec.id, kSpecSuffix);
  const std::string text = SpecText(spec);
  const auto there = ReadFile(path, kSpecBytesMax);
  if (there.ok()) {
    if (AsText(*there) != text) {
      return absl::AlreadyExistsError("transfer: another size or digest under the same id");
    }
    return absl::OkStatus();
  }
  if (!absl::IsNotFound(there.status())) {
    return there.status();
  }
  return WriteFileAtomic(path, AsBytes(text));
}

absl::Status CheckRoom(const std::filesystem::path& directory, std::uint64_t missing_bytes) {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t free_bytes, FreeBytes(directory));
  if (free_bytes < kSpoolReserveBytes || free_bytes - kSpoolReserveBytes < missing_bytes) {
    return WithRemedy(
        WithOperatorDetail(absl::ResourceExhaustedError("transfer: no room on the disk"),
                           absl::StrCat(directory.string(), ": ", missing_bytes, " bytes needed, ",
                                        free_bytes, " free")),
        "free space on that file system; the transfer goes on by itself");
  }
  return absl::OkStatus();
}

absl::StatusOr<crypto::Sha256Stream> HashFile(const SpoolFile& file, std::uint64_t size_bytes) {
  crypto::Sha256Stream hash;
  Bytes buffer(kReadBytes);
  for (std::uint64_t offset = 0; offset < size_bytes;) {
    const std::size_t take =
        static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, size_bytes - offset));
    const std::span<std::uint8_t> part = std::span(buffer).first(take);
    CARNET_RETURN_IF_ERROR(file.ReadAt(offset, part));
    hash.Update(part);
    offset += take;
  }
  return hash;
}

std::uint64_t ThereBytes(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<std::uint64_t>(size);
}

}  // namespace

std::filesystem::path SpoolPath(const std::filesystem::path& directory, const Digest& id) {
  return PathOf(directory, id, kSpoolSuffix);
}

absl::StatusOr<ReceiveSpool> ReceiveSpool::Open(const std::filesystem::path& directory,
                                                const TransferSpec& spec, absl::Duration now) {
  CARNET_RETURN_IF_ERROR(CheckSpec(spec));
  const std::filesystem::path path = SpoolPath(directory, spec.id);
  const std::uint64_t there_bytes = std::min(ThereBytes(path), spec.size_bytes);
  CARNET_RETURN_IF_ERROR(CheckRoom(directory, spec.size_bytes - there_bytes));
  // A crash after this leaves a spec without a spool: the next Open starts from 0.
  CARNET_RETURN_IF_ERROR(KeepSpec(directory, spec));
  CARNET_ASSIGN_OR_RETURN(SpoolFile file, SpoolFile::Open(path));
  CARNET_ASSIGN_OR_RETURN(std::uint64_t size_bytes, file.SizeBytes());
  if (size_bytes > spec.size_bytes) {
    size_bytes = spec.size_bytes;
    CARNET_RETURN_IF_ERROR(file.Truncate(size_bytes));
  }
  CARNET_ASSIGN_OR_RETURN(crypto::Sha256Stream hash, HashFile(file, size_bytes));
  // What an earlier process wrote but did not sync becomes durable before it is acknowledged.
  CARNET_RETURN_IF_ERROR(file.Sync());
  CARNET_ASSIGN_OR_RETURN(ReceiverState state, ReceiverState::Create(spec, size_bytes, now));
  ReceiveSpool spool(std::move(file), std::move(state), std::move(hash));
  if (spool.state_.whole()) {
    CARNET_RETURN_IF_ERROR(spool.Verify(spool.state_.OnSynced(now)));
  }
  return spool;
}

absl::Status ReceiveSpool::Write(std::uint64_t offset, ByteView data) {
  CARNET_RETURN_IF_ERROR(state_.OnChunk(offset, data.size()));
  CARNET_RETURN_IF_ERROR(file_.WriteAt(offset, data));
  hash_.Update(data);
  state_.OnWritten(data.size());
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Acknowledgement>> ReceiveSpool::Acknowledge(absl::Duration now) {
  if (!state_.SyncDue(now)) {
    return std::optional<Acknowledgement>();
  }
  CARNET_ASSIGN_OR_RETURN(const Acknowledgement acknowledgement, Flush(now));
  return std::optional<Acknowledgement>(acknowledgement);
}

absl::StatusOr<Acknowledgement> ReceiveSpool::Flush(absl::Duration now) {
  if (state_.durable_bytes() != state_.received_bytes()) {
    CARNET_RETURN_IF_ERROR(file_.Sync());
  }
  const Acknowledgement synced = state_.OnSynced(now);
  if (!state_.whole() || state_.complete()) {
    return synced;
  }
  return Verify(synced);
}

absl::StatusOr<Acknowledgement> ReceiveSpool::Verify(const Acknowledgement& synced) {
  CARNET_CHECK(synced.durable_bytes == state_.spec().size_bytes);
  sha256_ = hash_.Finish();
  auto verified = state_.OnVerified(sha256_);
  if (!verified.ok()) {
    CARNET_RETURN_IF_ERROR(DropSpool(file_.path().parent_path(), state_.spec().id));
  }
  return verified;
}

absl::Status DropSpool(const std::filesystem::path& directory, const Digest& id) {
  // The bytes go first: a spec without a spool is a transfer that starts from 0.
  CARNET_RETURN_IF_ERROR(RemoveFileDurably(PathOf(directory, id, kSpoolSuffix)));
  return RemoveFileDurably(PathOf(directory, id, kSpecSuffix));
}

absl::StatusOr<std::vector<Digest>> ListSpools(const std::filesystem::path& directory) {
  std::vector<Digest> ids;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    absl::string_view stem = name;
    // Every spool has a .spec, which comes first and goes last.
    if (!absl::ConsumeSuffix(&stem, kSpecSuffix)) {
      continue;
    }
    const auto id = DigestFromHex(stem);
    if (!id.ok()) {
      continue;
    }
    if (ids.size() == kSpoolsMax) {
      break;
    }
    ids.push_back(*id);
  }
  if (error) {
    return FileError(error.value(), "list", directory);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

absl::StatusOr<SendFile> SendFile::Open(const std::filesystem::path& path,
                                        std::uint64_t size_bytes) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) {
    return FileError(errno, "open", path);
  }
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) {
    return FileError(errno, "stat", path);
  }
  if (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) != size_bytes) {
    return WithOperatorDetail(
        absl::FailedPreconditionError("transfer: the file is not the one to be sent"),
        path.string());
  }
  return SendFile(std::move(fd), path, size_bytes);
}

absl::Status SendFile::ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) const {
  if (offset > size_bytes_ || out.size() > size_bytes_ - offset) {
    return absl::OutOfRangeError("transfer: a read past the end of the file");
  }
  while (!out.empty()) {
    const ssize_t got = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return FileError(errno, "read", path_);
    }
    if (got == 0) {
      return WithOperatorDetail(absl::OutOfRangeError("transfer: the file was cut short"),
                                path_.string());
    }
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace carnet::exchange
