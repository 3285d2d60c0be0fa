// safetensors files (https://github.com/huggingface/safetensors#format): 8 bytes little-endian
// length n, n bytes of JSON {name: {"dtype", "shape", "data_offsets": [begin, end)}}, then the
// tensors' bytes. Carnet reads files of 32-bit floats only, strictly, and writes one canonical
// form: names sorted, data in the same order, no "__metadata__", header padded with spaces to a
// multiple of 8 bytes.
#ifndef CARNET_MODEL_SAFETENSORS_H_
#define CARNET_MODEL_SAFETENSORS_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/files.h"
#include "model/layout.h"

namespace carnet::model {

// What the head of a file says. Data may stand in any order in a file written elsewhere.
struct FileLayout {
  Layout layout;
  std::uint64_t file_bytes = 0;  // Exactly; a file of another size was refused.
  std::vector<std::uint64_t>
      tensor_begins;  // Of layout.tensors()[i], in bytes from the file's start.

  // The bytes of `layout` are exactly a canonical file's, apart from the header's own text.
  bool DataInNameOrder() const;
};

// Length in bytes of the head (8 + n) from a file's first 8 bytes.
// Errors (never retry): INVALID_ARGUMENT fewer than 8 bytes, n < 2 or n > kHeaderBytesMax.
absl::StatusOr<std::uint64_t> HeadBytes(ByteView first_bytes);

// Parses a whole head (8 + n bytes) of a file of `file_bytes`. "__metadata__" (text to text) is
// accepted and ignored: the standard library writes it. Errors (never retry), naming the tensor by
// its place in the head:
//   INVALID_ARGUMENT  not JSON of this form; a repeated, missing or unknown key; a dtype other than
//   F32;
//                     a negative, fractional or too large number; offsets that do not fit the
//                     shape, overlap, leave a gap, or do not end at the end of the file; anything
//                     Layout::Create refuses.
absl::StatusOr<FileLayout> ParseHead(ByteView head, std::uint64_t file_bytes);

// The canonical head of `layout`, and the size in bytes of the canonical file.
Bytes EncodeHead(const Layout& layout);
std::uint64_t CanonicalFileBytes(const Layout& layout);

// Reads parameters from a file by pread, so that a file which another process cuts short gives an
// error and not a SIGBUS: the right reader for what a trainer or a peer wrote. Movable; Read is
// safe from any thread.
class SafetensorsReader {
 public:
  // Errors: those of base/files.h for the path; INVALID_ARGUMENT not a regular file, or as
  // ParseHead.
  static absl::StatusOr<SafetensorsReader> Open(const std::filesystem::path& path);
  SafetensorsReader(SafetensorsReader&&) = default;
  SafetensorsReader& operator=(SafetensorsReader&&) = default;

  const Layout& layout() const { return file_.layout; }
  const FileLayout& file_layout() const { return file_; }
  // The file's first bytes, up to its data.
  ByteView head() const { return head_; }

  // Parameters first..first+values.size()-1 of the flattened vector (name order), as they are: NaN
  // and infinities included (AllFinite, model/norms.h). REQUIRES: within
  // layout().parameter_count().
  // Errors: DATA_LOSS the file was cut short or cannot be read; `values` is then unspecified.
  absl::Status Read(std::uint64_t first, std::span<float> values) const;

 private:
  SafetensorsReader(UniqueFd fd, FileLayout file, Bytes head);

  UniqueFd fd_;
  FileLayout file_;
  Bytes head_;
};

// A file mapped read-only. Only for files that nobody else can cut short (the process's own
// models): a shortened mapped file is a SIGBUS. Movable; const access from any thread.
class MappedSafetensors {
 public:
  // Errors: as SafetensorsReader::Open; INVALID_ARGUMENT also when the data does not start at a
  // multiple of 4 bytes; RESOURCE_EXHAUSTED the address space is used up.
  static absl::StatusOr<MappedSafetensors> Open(const std::filesystem::path& path);
  ~MappedSafetensors();
  MappedSafetensors(MappedSafetensors&& other) noexcept;
  MappedSafetensors& operator=(MappedSafetensors&& other) noexcept;

  const Layout& layout() const { return file_.layout; }
  // The elements of layout().tensors()[index]; valid while this object lives.
  std::span<const float> Values(std::size_t index) const;
  // By name. Error NOT_FOUND: the layout has no such tensor.
  absl::StatusOr<std::span<const float>> Values(absl::string_view name) const;

 private:
  MappedSafetensors(const std::uint8_t* data, FileLayout file);

  const std::uint8_t* data_ = nullptr;  // file_.file_bytes bytes.
  FileLayout file_;
};

// Writes the canonical file of a layout as a stream: one pass, memory independent of its size.
// Bytes go to `path`.partial, which Finish makes durable (fdatasync), renames to `path` (replacing
// what was there) and makes findable (fsync of the directory). A crash before the rename leaves
// only the .partial file, which the owner of the directory sweeps; after it, the whole file.
// Destroyed before Finish, it removes .partial. One thread at a time.
class SafetensorsWriter {
 public:
  // Sees every byte of the file in order, the head included: callers hash here.
  using Observer = std::function<void(ByteView bytes)>;

  // Errors: those of base/files.h, among them ALREADY_EXISTS `path`.partial exists and
  // RESOURCE_EXHAUSTED the disk is full (retry when there is room); nothing is left.
  static absl::StatusOr<SafetensorsWriter> Create(const std::filesystem::path& path,
                                                  const Layout& layout, Observer observer = {});
  ~SafetensorsWriter();
  SafetensorsWriter(SafetensorsWriter&&) = default;
  SafetensorsWriter& operator=(SafetensorsWriter&&) = delete;

  // The next parameters of the flattened vector. REQUIRES: no more than the layout has, before
  // Finish.
  // Errors: INVALID_ARGUMENT a value is NaN or infinite; those of base/files.h. After an error only
  // the destructor may be called.
  absl::Status Append(std::span<const float> values);

  // Errors: FAILED_PRECONDITION parameters are missing; those of base/files.h: the file at `path`
  // is then as it was before, unless only the directory's fsync failed.
  absl::Status Finish();

 private:
  SafetensorsWriter(UniqueFd fd, std::filesystem::path path, std::uint64_t parameters,
                    Observer observer);
  absl::Status Write(ByteView bytes);
  std::filesystem::path PartialPath() const;

  UniqueFd fd_;  // Not valid once the file is finished.
  std::filesystem::path path_;
  std::uint64_t parameters_left_ = 0;
  std::uint64_t written_bytes_ = 0;
  Observer observer_;
};

// Checks every parameter of an open file, block by block. Error INVALID_ARGUMENT: one is NaN or
// infinite; DATA_LOSS as Read.
absl::Status CheckFinite(const SafetensorsReader& reader);

}  // namespace carnet::model

#endif  // CARNET_MODEL_SAFETENSORS_H_
