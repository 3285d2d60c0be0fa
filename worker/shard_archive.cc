#include "worker/shard_archive.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_split.h"
#include "base/status.h"
#include "exchange/data_digest.h"

namespace carnet::worker {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kMagic = "carnet-shard-v1\n";
constexpr std::size_t kPathSizeBytes = 4;
constexpr std::size_t kFileSizeBytes = 8;

void AppendBigEndian(std::uint64_t value, std::size_t size_bytes, Bytes* out) {
  for (std::size_t i = size_bytes; i > 0; --i) {
    out->push_back(static_cast<std::uint8_t>(value >> (8 * (i - 1))));
  }
}

std::uint64_t ReadBigEndian(ByteView bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) {
    value = (value << 8) | byte;
  }
  return value;
}

absl::Status Malformed() {
  return absl::InvalidArgumentError("shard archive: malformed");
}

// A path that stays below the shard and has one spelling.
bool IsPlainRelative(const std::string& path) {
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  return std::all_of(parts.begin(), parts.end(),
                     [](const std::string& part) {
                       return !part.empty() && part != "." && part != "..";
                     }) &&
         path.find_first_of(std::string("\n\r\\\0", 4)) == std::string::npos;
}

}  // namespace

absl::StatusOr<ArchiveReader> ArchiveReader::Open(const fs::path& shard) {
  std::error_code error;
  std::vector<std::string> paths = {""};
  if (fs::is_directory(shard, error)) {
    CARNET_ASSIGN_OR_RETURN(paths, exchange::ListFiles(shard));
  }
  ArchiveReader reader;
  for (const std::string& path : paths) {
    if (path.size() > kArchivePathBytesMax) {
      return absl::InvalidArgumentError("shard archive: a path is too long");
    }
    Part part;
    part.begin = reader.size_bytes_;
    part.path = path.empty() ? shard : shard / path;
    part.file_bytes = fs::file_size(part.path, error);
    if (error) {
      return FileError(error.value(), "examine", part.path);
    }
    if (reader.parts_.empty()) {
      part.head = ToBytes(kMagic);
    }
    AppendBigEndian(path.size(), kPathSizeBytes, &part.head);
    part.head.insert(part.head.end(), path.begin(), path.end());
    AppendBigEndian(part.file_bytes, kFileSizeBytes, &part.head);
    reader.size_bytes_ += part.head.size() + part.file_bytes;
    reader.parts_.push_back(std::move(part));
  }
  return reader;
}

absl::Status ArchiveReader::ReadPart(const Part& part, std::uint64_t within,
                                     std::span<std::uint8_t> out) {
  if (within < part.head.size()) {
    const std::size_t take =
        std::min(out.size(), part.head.size() - static_cast<std::size_t>(within));
    std::copy_n(part.head.begin() + static_cast<std::ptrdiff_t>(within), take, out.begin());
    out = out.subspan(take);
    within += take;
  }
  if (out.empty()) {
    return absl::OkStatus();
  }
  if (!open_.has_value() || open_path_ != part.path) {
    CARNET_ASSIGN_OR_RETURN(exchange::SendFile file,
                            exchange::SendFile::Open(part.path, part.file_bytes));
    open_.emplace(std::move(file));
    open_path_ = part.path;
  }
  return open_->ReadAt(within - part.head.size(), out);
}

absl::Status ArchiveReader::ReadAt(std::uint64_t offset, std::span<std::uint8_t> out) {
  if (offset > size_bytes_ || out.size() > size_bytes_ - offset) {
    return absl::OutOfRangeError("shard archive: a read past its end");
  }
  auto part = std::upper_bound(parts_.begin(), parts_.end(), offset,
                               [](std::uint64_t at, const Part& p) { return at < p.begin; });
  for (--part; !out.empty(); ++part) {
    const std::uint64_t within = offset - part->begin;
    const std::uint64_t part_bytes = part->head.size() + part->file_bytes;
    const std::size_t take =
        static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), part_bytes - within));
    CARNET_RETURN_IF_ERROR(ReadPart(*part, within, out.first(take)));
    out = out.subspan(take);
    offset += take;
  }
  return absl::OkStatus();
}

std::size_t ArchiveWriter::Wanted() const {
  switch (state_) {
    case State::kMagic:
      return kMagic.size();
    case State::kPathSize:
      return kPathSizeBytes;
    case State::kPath:
      return path_bytes_;
    case State::kFileSize:
      return kFileSizeBytes;
    case State::kFile:
      break;
  }
  return 0;
}

absl::Status ArchiveWriter::OpenFile() {
  // The first entry says whether the shard is a file or a folder; the empty path only ever stands
  // alone.
  if (last_path_.has_value() && (last_path_->empty() || path_ <= *last_path_)) {
    return Malformed();
  }
  if (!path_.empty() && !IsPlainRelative(path_)) {
    return Malformed();
  }
  if (++files_ > exchange::kDataFilesMax) {
    return Malformed();
  }
  const fs::path target = path_.empty() ? to_ : to_ / path_;
  CARNET_RETURN_IF_ERROR(MakeDirs(target.parent_path()));
  CARNET_ASSIGN_OR_RETURN(SpoolFile file, SpoolFile::Open(target));
  CARNET_RETURN_IF_ERROR(file.Truncate(0));
  file_.emplace(std::move(file));
  written_bytes_ = 0;
  last_path_ = path_;
  return absl::OkStatus();
}

absl::Status ArchiveWriter::CloseFile() {
  CARNET_RETURN_IF_ERROR(file_->Sync());
  file_.reset();
  state_ = State::kPathSize;
  return absl::OkStatus();
}

// A whole field has come.
absl::Status ArchiveWriter::Step() {
  switch (state_) {
    case State::kMagic:
      if (AsText(field_) != kMagic) {
        return Malformed();
      }
      state_ = State::kPathSize;
      break;
    case State::kPathSize:
      if (ReadBigEndian(field_) > kArchivePathBytesMax) {
        return Malformed();
      }
      path_bytes_ = static_cast<std::size_t>(ReadBigEndian(field_));
      path_.clear();
      state_ = path_bytes_ == 0 ? State::kFileSize : State::kPath;
      break;
    case State::kPath:
      path_ = ToString(field_);
      state_ = State::kFileSize;
      break;
    case State::kFileSize:
      left_bytes_ = ReadBigEndian(field_);
      CARNET_RETURN_IF_ERROR(OpenFile());
      state_ = State::kFile;
      if (left_bytes_ == 0) {
        CARNET_RETURN_IF_ERROR(CloseFile());
      }
      break;
    case State::kFile:
      break;
  }
  field_.clear();
  return absl::OkStatus();
}

absl::Status ArchiveWriter::Append(ByteView bytes) {
  while (!bytes.empty()) {
    if (state_ == State::kFile) {
      const std::size_t take =
          static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_bytes_));
      CARNET_RETURN_IF_ERROR(file_->WriteAt(written_bytes_, bytes.first(take)));
      written_bytes_ += take;
      left_bytes_ -= take;
      bytes = bytes.subspan(take);
      if (left_bytes_ == 0) {
        CARNET_RETURN_IF_ERROR(CloseFile());
      }
      continue;
    }
    const std::size_t take = std::min(bytes.size(), Wanted() - field_.size());
    field_.insert(field_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(take));
    bytes = bytes.subspan(take);
    if (field_.size() == Wanted()) {
      CARNET_RETURN_IF_ERROR(Step());
    }
  }
  return absl::OkStatus();
}

absl::Status ArchiveWriter::Finish() {
  if (state_ != State::kPathSize || !field_.empty() || files_ == 0) {
    return Malformed();
  }
  return absl::OkStatus();
}

}  // namespace carnet::worker
