// The layout of a model: which tensors it has, their shapes, and where each stands in the one
// flattened parameter vector that deltas, codecs and aggregation work on. Tensors stand in
// ascending order of their names' bytes, elements in row-major order. Every parameter is a 32-bit
// float.
#ifndef CARNET_MODEL_LAYOUT_H_
#define CARNET_MODEL_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet::model {

inline constexpr std::size_t kTensorsMax = 65536;
inline constexpr std::size_t kNameBytesMax = 256;
inline constexpr std::size_t kDimsMax = 8;
inline constexpr std::uint64_t kParametersMax = std::uint64_t{1} << 40;
inline constexpr std::uint64_t kParameterBytes = sizeof(float);
// Largest layout.json, and largest header of a safetensors file, in bytes.
inline constexpr std::uint64_t kHeaderBytesMax = std::uint64_t{16} << 20;

struct TensorShape {
  std::string name;
  std::vector<std::uint64_t> shape;  // Empty for a scalar.
};

struct Tensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::uint64_t offset = 0;  // Of its first element in the flattened vector, in elements.
  std::uint64_t count = 0;   // Of its elements: the product of `shape`, at least 1.

  bool operator==(const Tensor& other) const = default;
};

// A value; const after construction, so safe to read from any thread.
class Layout {
 public:
  // Sorts `tensors` by name. Errors (never retry):
  //   INVALID_ARGUMENT  no tensor or more than kTensorsMax; a name that is empty, longer than
  //   kNameBytesMax,
  //                     not UTF-8, repeated, "__metadata__" or holds a control character; more than
  //                     kDimsMax dimensions or one of 0; more than kParametersMax parameters; a
  //                     text form above kHeaderBytesMax.
  static absl::StatusOr<Layout> Create(std::vector<TensorShape> tensors);

  // Reads what ToJson writes, or the header of any safetensors file that holds this layout.
  // Errors: as ParseHeader (model/safetensors.h) and Create.
  static absl::StatusOr<Layout> FromJson(absl::string_view json);

  // `layout.json` of the trainer protocol: the JSON of a safetensors header without "__metadata__",
  // names sorted, no white space. One layout has one text, so it is also what callers hash for its
  // identity.
  const std::string& ToJson() const { return json_; }
  absl::string_view CanonicalBytes() const { return json_; }

  const std::vector<Tensor>& tensors() const { return tensors_; }
  std::uint64_t parameter_count() const { return parameter_count_; }
  // nullptr when there is none; else owned by the layout.
  const Tensor* Find(absl::string_view name) const;

  bool operator==(const Layout& other) const { return tensors_ == other.tensors_; }

 private:
  Layout() = default;

  std::vector<Tensor> tensors_;
  std::uint64_t parameter_count_ = 0;
  std::string json_;
};

}  // namespace carnet::model

#endif  // CARNET_MODEL_LAYOUT_H_
