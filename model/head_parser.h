// The JSON of a safetensors head, read event by event: memory is bounded by the text, no tree is
// built, and repeated keys (which a tree would fold) are seen. Inside model/ only; others use
// safetensors.h and layout.h.
#ifndef CARNET_MODEL_HEAD_PARSER_H_
#define CARNET_MODEL_HEAD_PARSER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/layout.h"

namespace carnet::model {

struct HeadTensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // In bytes from the start of the data; end exclusive.
  std::uint64_t end = 0;
};

// The tensors in the order of the text, each with the dtype F32. Errors INVALID_ARGUMENT as
// ParseHead, apart from those about offsets.
absl::StatusOr<std::vector<HeadTensor>> ParseHeadJson(absl::string_view json);

struct PlacedLayout {
  Layout layout;
  std::vector<std::uint64_t>
      begins;  // Of layout.tensors()[i], in bytes from the start of the data.
};

// Checks offsets against shapes and each other. data_bytes: the size that they must fill exactly;
// nullopt takes what they fill. Errors INVALID_ARGUMENT as ParseHead.
absl::StatusOr<PlacedLayout> PlaceTensors(std::vector<HeadTensor> tensors,
                                          std::optional<std::uint64_t> data_bytes);

}  // namespace carnet::model

#endif  // CARNET_MODEL_HEAD_PARSER_H_
