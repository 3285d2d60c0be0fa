#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/status.h"
#include "model/norms.h"
#include "model/safetensors.h"

namespace carnet::model {
namespace {

constexpr char kPartialSuffix[] = ".partial";
// Written pages start on their way to the disk in steps of this size, so that Finish has little
// left to wait for and dirty memory stays small.
constexpr std::uint64_t kWritebackBytes = std::uint64_t{8} << 20;

absl::Status WriteError(int error) {
  return error == ENOSPC || error == EDQUOT || error == EFBIG
             ? absl::ResourceExhaustedError("safetensors: no room to write the file")
             : absl::UnavailableError("safetensors: the file cannot be written");
}

std::string DirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

absl::Status SyncDirectory(const std::string& path) {
  const int fd = open(DirectoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return WriteError(errno);
  }
  const int result = fsync(fd);
  const int error = errno;
  close(fd);
  return result == 0 ? absl::OkStatus() : WriteError(error);
}

}  // namespace

absl::StatusOr<SafetensorsWriter> SafetensorsWriter::Create(const std::string& path,
                                                            const Layout& layout,
                                                            Observer observer) {
  const std::string partial = path + kPartialSuffix;
  const int fd = open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return errno == EEXIST
               ? absl::AlreadyExistsError("safetensors: an unfinished file is in the way")
               : WriteError(errno);
  }
  SafetensorsWriter writer(fd, path, layout.parameter_count(), std::move(observer));
  CARNET_RETURN_IF_ERROR(writer.Write(EncodeHead(layout)));
  return writer;
}

SafetensorsWriter::SafetensorsWriter(int fd, std::string path, std::uint64_t parameters,
                                     Observer observer)
    : fd_(fd),
      path_(std::move(path)),
      parameters_left_(parameters),
      observer_(std::move(observer)) {}

SafetensorsWriter::~SafetensorsWriter() {
  if (fd_ >= 0) {
    close(fd_);
    unlink((path_ + kPartialSuffix).c_str());
  }
}

SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      parameters_left_(other.parameters_left_),
      written_bytes_(other.written_bytes_),
      observer_(std::move(other.observer_)) {}

absl::Status SafetensorsWriter::Append(std::span<const float> values) {
  CARNET_CHECK(fd_ >= 0 && values.size() <= parameters_left_);
  if (!AllFinite(values)) {
    return absl::InvalidArgumentError("safetensors: a parameter is NaN or infinite");
  }
  parameters_left_ -= values.size();
  return Write({reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()});
}

absl::Status SafetensorsWriter::Finish() {
  CARNET_CHECK(fd_ >= 0);
  if (parameters_left_ != 0) {
    return absl::FailedPreconditionError("safetensors: parameters are missing");
  }
  // A crash up to the rename leaves .partial only.
  if (fdatasync(fd_) != 0) {
    return WriteError(errno);
  }
  if (rename((path_ + kPartialSuffix).c_str(), path_.c_str()) != 0) {
    return WriteError(errno);
  }
  // The data is durable and the name is taken: nothing is left to remove.
  close(std::exchange(fd_, -1));
  return SyncDirectory(path_);
}

absl::Status SafetensorsWriter::Write(ByteView bytes) {
  if (observer_) {
    observer_(bytes);
  }
  const std::uint64_t before = written_bytes_;
  while (!bytes.empty()) {
    const ssize_t put = write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put < 0) {
      return WriteError(errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    written_bytes_ += static_cast<std::uint64_t>(put);
  }
  if (before / kWritebackBytes != written_bytes_ / kWritebackBytes) {
    // A hint only; fdatasync in Finish is what counts.
    static_cast<void>(sync_file_range(fd_, 0, 0, SYNC_FILE_RANGE_WRITE));
  }
  return absl::OkStatus();
}

}  // namespace carnet::model
