// A shard as one stream of bytes, for staging: "carnet-shard-v1\n", then for each file in ascending
// order of its path: path length (4 bytes, big endian), path, size (8 bytes, big endian), bytes. A
// shard that is a single file has one entry with an empty path. No names of users, times or modes
// travel.
#ifndef CARNET_WORKER_SHARD_ARCHIVE_H_
#define CARNET_WORKER_SHARD_ARCHIVE_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/files.h"
#include "exchange/spool.h"

namespace carnet::worker {

inline constexpr std::size_t kArchivePathBytesMax = 1024;

// Reads a shard as its archive. The shard must not change meanwhile; the receiver's digest check
// finds out if it did.
class ArchiveReader {
 public:
  // Errors: those of exchange/data_digest.h; INVALID_ARGUMENT a path over kArchivePathBytesMax.
  static absl::StatusOr<ArchiveReader> Open(const std::filesystem::path& shard);
  std::uint64_t size_bytes() const { return size_bytes_; }
  // For exchange::SealToFile.
  absl::Status ReadAt(std::uint64_t offset, std::span<std::uint8_t> out);

 private:
  // Bytes of the archive that follow each other: a head in memory, then a file.
  struct Part {
    std::uint64_t begin = 0;
    Bytes head;
    std::filesystem::path path;
    std::uint64_t file_bytes = 0;
  };
  ArchiveReader() = default;
  absl::Status ReadPart(const Part& part, std::uint64_t within, std::span<std::uint8_t> out);

  std::vector<Part> parts_;
  std::uint64_t size_bytes_ = 0;
  std::filesystem::path open_path_;
  std::optional<exchange::SendFile> open_;
};

// Takes an archive as a stream and makes the shard at `to`, which must not exist.
class ArchiveWriter {
 public:
  explicit ArchiveWriter(std::filesystem::path to) : to_(std::move(to)) {}
  // Errors: INVALID_ARGUMENT not an archive: a path that is not plain and relative, out of order,
  // or twice; too many files. Those of base/files.h. What was written stays; the caller removes it.
  absl::Status Append(ByteView bytes);
  // Error INVALID_ARGUMENT: the archive ended too early, or holds nothing.
  absl::Status Finish();

 private:
  enum class State { kMagic, kPathSize, kPath, kFileSize, kFile };
  absl::Status Step();
  absl::Status OpenFile();
  absl::Status CloseFile();
  std::size_t Wanted() const;

  const std::filesystem::path to_;
  State state_ = State::kMagic;
  Bytes field_;
  std::size_t path_bytes_ = 0;
  std::string path_;
  std::optional<std::string> last_path_;
  std::uint64_t left_bytes_ = 0;
  std::uint64_t written_bytes_ = 0;
  std::size_t files_ = 0;
  std::optional<SpoolFile> file_;
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_SHARD_ARCHIVE_H_
