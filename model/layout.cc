#include "model/layout.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/head_parser.h"

namespace carnet::model {
namespace {

absl::Status CheckName(const std::string& name) {
  if (name.empty() || name.size() > kNameBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("layout: a tensor name must have 1..", kNameBytesMax, " bytes"));
  }
  if (name == "__metadata__") {
    return absl::InvalidArgumentError("layout: __metadata__ is no tensor name");
  }
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      return absl::InvalidArgumentError("layout: a tensor name holds a control character");
    }
  }
  return absl::OkStatus();
}

// The number of elements, at least 1 and at most kParametersMax.
absl::StatusOr<std::uint64_t> CountElements(const std::vector<std::uint64_t>& shape) {
  if (shape.size() > kDimsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("layout: a tensor has more than ", kDimsMax, " dimensions"));
  }
  std::uint64_t count = 1;
  for (const std::uint64_t dim : shape) {
    if (dim == 0) {
      return absl::InvalidArgumentError("layout: a dimension is 0");
    }
    if (dim > kParametersMax / count) {
      return absl::InvalidArgumentError("layout: more than 2^40 parameters");
    }
    count *= dim;
  }
  return count;
}

// The name as a JSON text. Error INVALID_ARGUMENT: not UTF-8.
absl::StatusOr<std::string> QuoteName(const std::string& name) {
  try {
    return nlohmann::json(name).dump();
  } catch (const std::exception&) {
    return absl::InvalidArgumentError("layout: a tensor name is not UTF-8");
  }
}

absl::Status AppendJson(const Tensor& tensor, std::string& json) {
  CARNET_ASSIGN_OR_RETURN(const std::string name, QuoteName(tensor.name));
  absl::StrAppend(&json, json.size() > 1 ? "," : "", name, ":{\"dtype\":\"F32\",\"shape\":[");
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    absl::StrAppend(&json, i > 0 ? "," : "", tensor.shape[i]);
  }
  absl::StrAppend(&json, "],\"data_offsets\":[", tensor.offset * kParameterBytes, ",",
                  (tensor.offset + tensor.count) * kParameterBytes, "]}");
  // One byte is left for the closing brace and seven for the padding of a file's head.
  if (json.size() + 8 > kHeaderBytesMax) {
    return absl::InvalidArgumentError("layout: its text is larger than 16 MiB");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Layout> Layout::Create(std::vector<TensorShape> tensors) {
  if (tensors.empty() || tensors.size() > kTensorsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("layout: a model must have 1..", kTensorsMax, " tensors"));
  }
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorShape& a, const TensorShape& b) { return a.name < b.name; });
  Layout layout;
  layout.tensors_.reserve(tensors.size());
  layout.json_ += '{';
  for (TensorShape& shape : tensors) {
    CARNET_RETURN_IF_ERROR(CheckName(shape.name));
    if (!layout.tensors_.empty() && layout.tensors_.back().name == shape.name) {
      return absl::InvalidArgumentError("layout: a tensor name is repeated");
    }
    CARNET_ASSIGN_OR_RETURN(const std::uint64_t count, CountElements(shape.shape));
    if (count > kParametersMax - layout.parameter_count_) {
      return absl::InvalidArgumentError("layout: more than 2^40 parameters");
    }
    layout.tensors_.push_back(
        {std::move(shape.name), std::move(shape.shape), layout.parameter_count_, count});
    layout.parameter_count_ += count;
    CARNET_RETURN_IF_ERROR(AppendJson(layout.tensors_.back(), layout.json_));
  }
  layout.json_ += '}';
  return layout;
}

absl::StatusOr<Layout> Layout::FromJson(absl::string_view json) {
  CARNET_ASSIGN_OR_RETURN(std::vector<HeadTensor> tensors, ParseHeadJson(json));
  CARNET_ASSIGN_OR_RETURN(PlacedLayout placed, PlaceTensors(std::move(tensors), std::nullopt));
  return std::move(placed.layout);
}

const Tensor* Layout::Find(absl::string_view name) const {
  const auto found = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const Tensor& tensor, absl::string_view wanted) { return tensor.name < wanted; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

}  // namespace carnet::model
