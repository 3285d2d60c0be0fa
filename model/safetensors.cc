#include "model/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/status.h"
#include "model/blocks.h"
#include "model/head_parser.h"
#include "model/norms.h"

namespace carnet::model {
namespace {

static_assert(std::endian::native == std::endian::little, "parameters are read as they are");

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kPaddingBytes = 8;

absl::Status ReadExactly(int fd, std::uint64_t offset, std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return absl::DataLossError("safetensors: the file cannot be read");
    }
    if (got == 0) {
      return absl::DataLossError("safetensors: the file was cut short");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return absl::OkStatus();
}

struct OpenedFile {
  UniqueFd fd;
  Bytes head;
  FileLayout layout;
};

absl::StatusOr<OpenedFile> OpenAndParse(const std::filesystem::path& path) {
  // O_NONBLOCK: a FIFO in the file's place must not hang us; it has no effect on regular files.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return FileError(errno, "open", path);
  }
  struct stat status = {};
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError("safetensors: not a regular file");
  }
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  Bytes head(std::min(kLengthBytes, file_bytes));
  CARNET_RETURN_IF_ERROR(ReadExactly(fd.get(), 0, head));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t head_bytes, HeadBytes(head));
  if (head_bytes > file_bytes) {
    return absl::InvalidArgumentError("safetensors: the head is longer than the file");
  }
  head.resize(head_bytes);
  CARNET_RETURN_IF_ERROR(ReadExactly(fd.get(), 0, head));
  CARNET_ASSIGN_OR_RETURN(FileLayout layout, ParseHead(head, file_bytes));
  return OpenedFile{std::move(fd), std::move(head), std::move(layout)};
}

}  // namespace

bool FileLayout::DataInNameOrder() const {
  return std::is_sorted(tensor_begins.begin(), tensor_begins.end());
}

absl::StatusOr<std::uint64_t> HeadBytes(ByteView first_bytes) {
  if (first_bytes.size() < kLengthBytes) {
    return absl::InvalidArgumentError("safetensors: the file is shorter than 8 bytes");
  }
  std::uint64_t json_bytes = 0;
  std::memcpy(&json_bytes, first_bytes.data(), kLengthBytes);
  if (json_bytes < 2 || json_bytes > kHeaderBytesMax) {
    return absl::InvalidArgumentError("safetensors: the head's length must be 2 bytes to 16 MiB");
  }
  return kLengthBytes + json_bytes;
}

absl::StatusOr<FileLayout> ParseHead(ByteView head, std::uint64_t file_bytes) {
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t head_bytes, HeadBytes(head));
  if (head_bytes != head.size() || head_bytes > file_bytes) {
    return absl::InvalidArgumentError("safetensors: the head is longer than the file");
  }
  CARNET_ASSIGN_OR_RETURN(std::vector<HeadTensor> tensors,
                          ParseHeadJson(AsText(head.subspan(kLengthBytes))));
  CARNET_ASSIGN_OR_RETURN(PlacedLayout placed,
                          PlaceTensors(std::move(tensors), file_bytes - head_bytes));
  for (std::uint64_t& begin : placed.begins) {
    begin += head_bytes;
  }
  return FileLayout{std::move(placed.layout), file_bytes, std::move(placed.begins)};
}

Bytes EncodeHead(const Layout& layout) {
  const std::string& json = layout.ToJson();
  const std::uint64_t json_bytes =
      (json.size() + kPaddingBytes - 1) / kPaddingBytes * kPaddingBytes;
  Bytes head(kLengthBytes + json_bytes, ' ');
  std::memcpy(head.data(), &json_bytes, kLengthBytes);
  std::memcpy(head.data() + kLengthBytes, json.data(), json.size());
  return head;
}

std::uint64_t CanonicalFileBytes(const Layout& layout) {
  return EncodeHead(layout).size() + layout.parameter_count() * kParameterBytes;
}

absl::StatusOr<SafetensorsReader> SafetensorsReader::Open(const std::filesystem::path& path) {
  CARNET_ASSIGN_OR_RETURN(OpenedFile opened, OpenAndParse(path));
  return SafetensorsReader(std::move(opened.fd), std::move(opened.layout), std::move(opened.head));
}

SafetensorsReader::SafetensorsReader(UniqueFd fd, FileLayout file, Bytes head)
    : fd_(std::move(fd)), file_(std::move(file)), head_(std::move(head)) {}

absl::Status SafetensorsReader::Read(std::uint64_t first, std::span<float> values) const {
  for (const TensorRange& range : TensorRanges(layout(), first, values.size())) {
    const std::uint64_t offset = file_.tensor_begins[range.tensor] + range.first * kParameterBytes;
    CARNET_RETURN_IF_ERROR(ReadExactly(
        fd_.get(), offset,
        {reinterpret_cast<std::uint8_t*>(values.data()), range.count * kParameterBytes}));
    values = values.subspan(range.count);
  }
  return absl::OkStatus();
}

absl::StatusOr<MappedSafetensors> MappedSafetensors::Open(const std::filesystem::path& path) {
  CARNET_ASSIGN_OR_RETURN(OpenedFile opened, OpenAndParse(path));
  if (opened.head.size() % kParameterBytes != 0) {
    return absl::InvalidArgumentError(
        "safetensors: the head is not padded, so the data cannot be mapped");
  }
  void* data = mmap(nullptr, opened.layout.file_bytes, PROT_READ, MAP_PRIVATE, opened.fd.get(), 0);
  if (data == MAP_FAILED) {
    return absl::ResourceExhaustedError("safetensors: the file cannot be mapped");
  }
  return MappedSafetensors(static_cast<const std::uint8_t*>(data), std::move(opened.layout));
}

MappedSafetensors::MappedSafetensors(const std::uint8_t* data, FileLayout file)
    : data_(data), file_(std::move(file)) {}

MappedSafetensors::~MappedSafetensors() {
  if (data_ != nullptr) {
    munmap(const_cast<std::uint8_t*>(data_), file_.file_bytes);
  }
}

MappedSafetensors::MappedSafetensors(MappedSafetensors&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), file_(std::move(other.file_)) {}

MappedSafetensors& MappedSafetensors::operator=(MappedSafetensors&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(file_, other.file_);
  return *this;
}

std::span<const float> MappedSafetensors::Values(std::size_t index) const {
  CARNET_CHECK(index < file_.tensor_begins.size());
  return {reinterpret_cast<const float*>(data_ + file_.tensor_begins[index]),
          layout().tensors()[index].count};
}

absl::StatusOr<std::span<const float>> MappedSafetensors::Values(absl::string_view name) const {
  const Tensor* tensor = layout().Find(name);
  if (tensor == nullptr) {
    return absl::NotFoundError("safetensors: the file has no tensor of that name");
  }
  return Values(static_cast<std::size_t>(tensor - layout().tensors().data()));
}

absl::Status CheckFinite(const SafetensorsReader& reader) {
  const std::uint64_t parameters = reader.layout().parameter_count();
  std::vector<float> values(std::min(parameters, kBlockParameters));
  for (std::uint64_t index = 0; index < BlockCount(parameters); ++index) {
    const Block block = BlockAt(parameters, index);
    const std::span<float> part = std::span<float>(values).first(block.count);
    CARNET_RETURN_IF_ERROR(reader.Read(block.first, part));
    if (!AllFinite(part)) {
      return absl::InvalidArgumentError("safetensors: a parameter is NaN or infinite");
    }
  }
  return absl::OkStatus();
}

}  // namespace carnet::model
