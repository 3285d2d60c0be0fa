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

}  // namespace

absl::StatusOr<SafetensorsWriter> SafetensorsWriter::Create(const std::filesystem::path& path,
                                                            const Layout& layout,
                                                            Observer observer) {
  std::filesystem::path partial = path;
  partial += kPartialSuffix;
  UniqueFd fd(open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPrivateFileMode));
  if (!fd.valid()) {
    return FileError(errno, "create", partial);
  }
  SafetensorsWriter writer(std::move(fd), path, layout.parameter_count(), std::move(observer));
  CARNET_RETURN_IF_ERROR(writer.Write(EncodeHead(layout)));
  return writer;
}

SafetensorsWriter::SafetensorsWriter(UniqueFd fd, std::filesystem::path path,
                                     std::uint64_t parameters, Observer observer)
    : fd_(std::move(fd)),
      path_(std::move(path)),
      parameters_left_(parameters),
      observer_(std::move(observer)) {}

SafetensorsWriter::~SafetensorsWriter() {
  if (fd_.valid()) {
    unlink(PartialPath().c_str());
  }
}

absl::Status SafetensorsWriter::Append(std::span<const float> values) {
  CARNET_CHECK(fd_.valid() && values.size() <= parameters_left_);
  if (!AllFinite(values)) {
    return absl::InvalidArgumentError("safetensors: a parameter is NaN or infinite");
  }
  parameters_left_ -= values.size();
  return Write({reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()});
}

absl::Status SafetensorsWriter::Finish() {
  CARNET_CHECK(fd_.valid());
  if (parameters_left_ != 0) {
    return absl::FailedPreconditionError("safetensors: parameters are missing");
  }
  // A crash up to the rename leaves .partial only.
  if (fdatasync(fd_.get()) != 0) {
    return FileError(errno, "sync", PartialPath());
  }
  if (rename(PartialPath().c_str(), path_.c_str()) != 0) {
    return FileError(errno, "rename", PartialPath());
  }
  // The data is durable and has its name: nothing is left to remove.
  fd_.Reset();
  return SyncDirectory(path_.has_parent_path() ? path_.parent_path() : ".");
}

std::filesystem::path SafetensorsWriter::PartialPath() const {
  std::filesystem::path partial = path_;
  partial += kPartialSuffix;
  return partial;
}

absl::Status SafetensorsWriter::Write(ByteView bytes) {
  if (observer_) {
    observer_(bytes);
  }
  const std::uint64_t before = written_bytes_;
  while (!bytes.empty()) {
    const ssize_t put = write(fd_.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put < 0) {
      return FileError(errno, "write", PartialPath());
    }
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    written_bytes_ += static_cast<std::uint64_t>(put);
  }
  if (before / kWritebackBytes != written_bytes_ / kWritebackBytes) {
    // A hint only; fdatasync in Finish is what counts.
    static_cast<void>(sync_file_range(fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE));
  }
  return absl::OkStatus();
}

}  // namespace carnet::model
