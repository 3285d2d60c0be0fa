#include "model/head_parser.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace carnet::model {
namespace {

using Json = nlohmann::json;

constexpr char kMetadataKey[] = "__metadata__";

// One state per place in the text; an event that a state does not name is refused.
class HeadHandler final : public nlohmann::json_sax<Json> {
 public:
  absl::StatusOr<std::vector<HeadTensor>> Take() {
    if (!status_.ok()) {
      return status_;
    }
    if (state_ != State::kEnd) {
      return absl::InvalidArgumentError("safetensors: the head is not JSON");
    }
    return std::move(tensors_);
  }

  bool null() override { return Refuse("null has no place in it"); }
  bool boolean(bool) override { return Refuse("true and false have no place in it"); }
  bool number_integer(number_integer_t) override { return Refuse("a number is negative"); }
  bool number_float(number_float_t, const string_t&) override {
    return Refuse("a number is not an integer of at most 64 bits");
  }
  bool binary(binary_t&) override { return Refuse("binary values have no place in it"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::kShape) {
      if (tensors_.back().shape.size() == kDimsMax) {
        return Refuse(absl::StrCat("a tensor has more than ", kDimsMax, " dimensions"));
      }
      tensors_.back().shape.push_back(value);
      return true;
    }
    if (state_ == State::kOffsets && offsets_seen_ < 2) {
      (offsets_seen_ == 0 ? tensors_.back().begin : tensors_.back().end) = value;
      ++offsets_seen_;
      return true;
    }
    return Refuse("a number stands where none belongs");
  }

  bool string(string_t& value) override {
    if (state_ == State::kDtypeValue) {
      if (value != "F32") {
        return Refuse("its dtype is not F32; convert the model to 32-bit floats");
      }
      state_ = State::kTensor;
      return true;
    }
    if (state_ == State::kMetadataValue) {
      state_ = State::kMetadata;
      return true;
    }
    return Refuse("a text stands where none belongs");
  }

  bool start_object(std::size_t) override {
    switch (state_) {
      case State::kStart:
        state_ = State::kTop;
        return true;
      case State::kTensorValue:
        seen_dtype_ = seen_shape_ = seen_offsets_ = false;
        state_ = State::kTensor;
        return true;
      case State::kMetadataStart:
        state_ = State::kMetadata;
        return true;
      default:
        return Refuse("an object stands where none belongs");
    }
  }

  bool key(string_t& name) override {
    switch (state_) {
      case State::kTop:
        return TopKey(name);
      case State::kTensor:
        return TensorKey(name);
      case State::kMetadata:
        state_ = State::kMetadataValue;
        return metadata_keys_.insert(name).second || Refuse("a key of __metadata__ is repeated");
      default:
        return Refuse("a key stands where none belongs");
    }
  }

  bool end_object() override {
    switch (state_) {
      case State::kTop:
        state_ = State::kEnd;
        return true;
      case State::kTensor:
        if (!seen_dtype_ || !seen_shape_ || !seen_offsets_) {
          return Refuse("dtype, shape and data_offsets must all be there");
        }
        state_ = State::kTop;
        return true;
      case State::kMetadata:
        state_ = State::kTop;
        return true;
      default:
        return Refuse("an object ends too early");
    }
  }

  bool start_array(std::size_t) override {
    if (state_ == State::kShapeValue) {
      state_ = State::kShape;
      return true;
    }
    if (state_ == State::kOffsetsValue) {
      state_ = State::kOffsets;
      offsets_seen_ = 0;
      return true;
    }
    return Refuse("a list stands where none belongs");
  }

  bool end_array() override {
    if (state_ == State::kOffsets && offsets_seen_ != 2) {
      return Refuse("data_offsets must hold two numbers");
    }
    state_ = State::kTensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    return Refuse(absl::StrCat("it is not JSON at byte ", position));
  }

 private:
  enum class State {
    kStart,
    kTop,
    kTensorValue,
    kTensor,
    kDtypeValue,
    kShapeValue,
    kShape,
    kOffsetsValue,
    kOffsets,
    kMetadataStart,
    kMetadata,
    kMetadataValue,
    kEnd,
  };

  bool Refuse(absl::string_view what) {
    if (tensors_.empty()) {
      status_ =
          absl::InvalidArgumentError(absl::StrCat("safetensors: the head is refused: ", what));
    } else {
      status_ = absl::InvalidArgumentError(absl::StrCat(
          "safetensors: the head is refused at tensor ", tensors_.size(), " in its order: ", what));
    }
    return false;
  }

  bool TopKey(const std::string& name) {
    if (name == kMetadataKey) {
      state_ = State::kMetadataStart;
      return !std::exchange(seen_metadata_, true) || Refuse("__metadata__ is repeated");
    }
    if (tensors_.size() == kTensorsMax) {
      return Refuse(absl::StrCat("there are more than ", kTensorsMax, " tensors"));
    }
    tensors_.emplace_back().name = name;
    state_ = State::kTensorValue;
    return names_.insert(name).second || Refuse("a tensor name is repeated");
  }

  bool TensorKey(const std::string& name) {
    bool repeated = false;
    if (name == "dtype") {
      repeated = std::exchange(seen_dtype_, true);
      state_ = State::kDtypeValue;
    } else if (name == "shape") {
      repeated = std::exchange(seen_shape_, true);
      state_ = State::kShapeValue;
    } else if (name == "data_offsets") {
      repeated = std::exchange(seen_offsets_, true);
      state_ = State::kOffsetsValue;
    } else {
      return Refuse("it has a key other than dtype, shape and data_offsets");
    }
    return !repeated || Refuse("a key is repeated");
  }

  State state_ = State::kStart;
  absl::Status status_;
  std::vector<HeadTensor> tensors_;
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> metadata_keys_;
  bool seen_metadata_ = false;
  bool seen_dtype_ = false;
  bool seen_shape_ = false;
  bool seen_offsets_ = false;
  int offsets_seen_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<HeadTensor>> ParseHeadJson(absl::string_view json) {
  if (json.size() > kHeaderBytesMax) {
    return absl::InvalidArgumentError("safetensors: the head is larger than 16 MiB");
  }
  // The format says that the JSON starts at once; white space is allowed after it only.
  if (json.empty() || json.front() != '{') {
    return absl::InvalidArgumentError("safetensors: the head does not start with {");
  }
  HeadHandler handler;
  try {
    // The result is in the handler: a refusal and its reason, or the tensors.
    static_cast<void>(Json::sax_parse(json.begin(), json.end(), &handler));
  } catch (const std::exception&) {
    return absl::InvalidArgumentError("safetensors: the head cannot be parsed as JSON");
  }
  return handler.Take();
}

absl::StatusOr<PlacedLayout> PlaceTensors(std::vector<HeadTensor> tensors,
                                          std::optional<std::uint64_t> data_bytes) {
  std::vector<TensorShape> shapes;
  shapes.reserve(tensors.size());
  for (const HeadTensor& tensor : tensors) {
    shapes.push_back({tensor.name, tensor.shape});
  }
  CARNET_ASSIGN_OR_RETURN(Layout layout, Layout::Create(std::move(shapes)));
  std::sort(tensors.begin(), tensors.end(),
            [](const HeadTensor& a, const HeadTensor& b) { return a.name < b.name; });
  PlacedLayout placed{std::move(layout), {}};
  placed.begins.reserve(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::uint64_t bytes = placed.layout.tensors()[i].count * kParameterBytes;
    if (tensors[i].end < tensors[i].begin || tensors[i].end - tensors[i].begin != bytes) {
      return absl::InvalidArgumentError(absl::StrCat("safetensors: data_offsets of tensor ", i + 1,
                                                     " by name do not fit its shape"));
    }
    placed.begins.push_back(tensors[i].begin);
  }
  std::sort(tensors.begin(), tensors.end(),
            [](const HeadTensor& a, const HeadTensor& b) { return a.begin < b.begin; });
  std::uint64_t position = 0;
  for (const HeadTensor& tensor : tensors) {
    if (tensor.begin != position) {
      return absl::InvalidArgumentError(
          tensor.begin < position ? "safetensors: the data of two tensors overlap"
                                  : "safetensors: there is a gap between two tensors' data");
    }
    position = tensor.end;
  }
  if (data_bytes.has_value() && position != *data_bytes) {
    return absl::InvalidArgumentError(position < *data_bytes
                                          ? "safetensors: there are bytes after the last tensor"
                                          : "safetensors: the file ends before its last tensor");
  }
  return placed;
}

}  // namespace carnet::model
