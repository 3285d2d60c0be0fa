#include "worker/trainers/network_files.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/norms.h"
#include "model/safetensors.h"
#include "worker/trainers/protocol.h"

namespace carnet::trainers {
namespace {

// Where a tensor of the layout lives in a network.
struct Place {
  std::size_t layer = 0;
  bool is_bias = false;
};

std::string TensorName(NetworkKind kind, std::size_t layer, bool is_bias) {
  const char* name = is_bias ? "bias" : "weight";
  return kind == NetworkKind::kSoftmax ? name : absl::StrCat("layer", layer + 1, ".", name);
}

std::size_t LayersCount(NetworkKind kind) {
  return kind == NetworkKind::kSoftmax ? 1 : 2;
}

Place PlaceOf(NetworkKind kind, const std::string& name) {
  for (std::size_t layer = 0; layer < LayersCount(kind); ++layer) {
    for (const bool is_bias : {false, true}) {
      if (name == TensorName(kind, layer, is_bias)) {
        return {layer, is_bias};
      }
    }
  }
  CARNET_CHECK(false);
  return {};
}

NetworkKind KindOf(const DenseNetwork& network) {
  return network.layers().size() == 1 ? NetworkKind::kSoftmax : NetworkKind::kMlp;
}

// Inputs and outputs of each layer.
std::vector<std::pair<std::int64_t, std::int64_t>> LayerSizes(NetworkKind kind,
                                                              const NetworkShape& shape) {
  if (kind == NetworkKind::kSoftmax) {
    return {{shape.features, shape.classes}};
  }
  return {{shape.features, shape.hidden}, {shape.hidden, shape.classes}};
}

absl::Status CheckShape(NetworkKind kind, const NetworkShape& shape) {
  const auto within = [](std::int64_t value, std::int64_t min) {
    return value >= min && value <= kNetworkDimensionMax;
  };
  if (!within(shape.features, 1)) {
    return TrainerError(ErrorCode::kSettings,
                        absl::StrCat("features: expected 1 to ", kNetworkDimensionMax));
  }
  if (!within(shape.classes, 2)) {
    return TrainerError(ErrorCode::kSettings,
                        absl::StrCat("classes: expected 2 to ", kNetworkDimensionMax));
  }
  if (kind == NetworkKind::kSoftmax ? shape.hidden != 0 : !within(shape.hidden, 1)) {
    return TrainerError(
        ErrorCode::kSettings,
        absl::StrCat("hidden: expected 1 to ", kNetworkDimensionMax, " for mlp, none for softmax"));
  }
  std::int64_t parameters = 0;
  for (const auto& [inputs, outputs] : LayerSizes(kind, shape)) {
    parameters += inputs * outputs + outputs;
  }
  if (parameters > kNetworkParametersMax) {
    return TrainerError(ErrorCode::kSettings, absl::StrCat("the network has more than ",
                                                           kNetworkParametersMax, " parameters"));
  }
  return absl::OkStatus();
}

// A dimension of a tensor, or 0 when the tensor has none or too large a one.
std::int64_t Dimension(const model::Layout& layout, const std::string& name, std::size_t index) {
  const model::Tensor* tensor = layout.Find(name);
  if (tensor == nullptr || tensor->shape.size() <= index ||
      tensor->shape[index] > static_cast<std::uint64_t>(kNetworkDimensionMax)) {
    return 0;
  }
  return static_cast<std::int64_t>(tensor->shape[index]);
}

absl::Status ReadTensor(const model::SafetensorsReader& reader, const model::Tensor& tensor,
                        double* to) {
  std::vector<float> values(tensor.count);
  if (!reader.Read(tensor.offset, values).ok()) {
    return TrainerError(ErrorCode::kParameters, "the parameter file cannot be read");
  }
  if (!model::AllFinite(values)) {
    return TrainerError(ErrorCode::kNotFinite,
                        absl::StrCat("the parameter ", tensor.name, " is not finite"));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    to[i] = static_cast<double>(values[i]);
  }
  return absl::OkStatus();
}

const double* Values(const DenseNetwork& network, const Place& place) {
  const DenseLayer& layer = network.layers()[place.layer];
  return place.is_bias ? layer.bias.data() : layer.weight.data();
}

absl::Status ToTrainerError(const absl::Status& status) {
  if (status.ok()) {
    return status;
  }
  return TrainerError(ErrorCode::kIo, status.message());
}

}  // namespace

absl::StatusOr<model::Layout> LayoutOf(NetworkKind kind, const NetworkShape& shape) {
  CARNET_RETURN_IF_ERROR(CheckShape(kind, shape));
  std::vector<model::TensorShape> tensors;
  for (const auto& [inputs, outputs] : LayerSizes(kind, shape)) {
    const std::size_t layer = tensors.size() / 2;
    const auto rows = static_cast<std::uint64_t>(inputs);
    const auto columns = static_cast<std::uint64_t>(outputs);
    tensors.push_back({TensorName(kind, layer, false), {rows, columns}});
    tensors.push_back({TensorName(kind, layer, true), {columns}});
  }
  return model::Layout::Create(std::move(tensors));
}

absl::StatusOr<NetworkShape> ShapeOf(NetworkKind kind, const model::Layout& layout) {
  const std::size_t last = LayersCount(kind) - 1;
  NetworkShape shape;
  shape.features = Dimension(layout, TensorName(kind, 0, false), 0);
  shape.classes = Dimension(layout, TensorName(kind, last, false), 1);
  shape.hidden = last == 0 ? 0 : Dimension(layout, TensorName(kind, last, false), 0);
  const auto expected = LayoutOf(kind, shape);
  if (!expected.ok() || !(*expected == layout)) {
    return TrainerError(
        ErrorCode::kLayout,
        kind == NetworkKind::kSoftmax
            ? "softmax: expected the tensors weight [features, classes] and bias [classes]"
            : "mlp: expected the tensors layer1.weight [features, hidden], layer1.bias "
              "[hidden], layer2.weight [hidden, classes] and layer2.bias [classes]");
  }
  return shape;
}

absl::StatusOr<model::Layout> ReadLayout(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(model::kHeaderBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.eof() || file.bad()) {
    return TrainerError(ErrorCode::kLayout, "the layout file is missing, unreadable or too large");
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  auto layout = model::Layout::FromJson(text);
  if (!layout.ok()) {
    return TrainerError(ErrorCode::kLayout,
                        absl::StrCat("the layout file: ", layout.status().message()));
  }
  return layout;
}

absl::StatusOr<DenseNetwork> ReadNetwork(const std::string& path, NetworkKind kind,
                                         const model::Layout& layout) {
  CARNET_ASSIGN_OR_RETURN(const NetworkShape shape, ShapeOf(kind, layout));
  const auto reader = model::SafetensorsReader::Open(path);
  if (!reader.ok()) {
    return TrainerError(ErrorCode::kParameters,
                        absl::StrCat("the parameter file: ", reader.status().message()));
  }
  if (!(reader->layout() == layout)) {
    return TrainerError(ErrorCode::kLayout, "the parameter file has another layout than the job");
  }
  std::vector<DenseLayer> layers;
  for (const auto& [inputs, outputs] : LayerSizes(kind, shape)) {
    layers.push_back({RowMatrix(inputs, outputs), Eigen::RowVectorXd(outputs)});
  }
  for (const model::Tensor& tensor : layout.tensors()) {
    const Place place = PlaceOf(kind, tensor.name);
    DenseLayer& layer = layers[place.layer];
    CARNET_RETURN_IF_ERROR(
        ReadTensor(*reader, tensor, place.is_bias ? layer.bias.data() : layer.weight.data()));
  }
  return DenseNetwork(std::move(layers));
}

absl::Status WriteNetwork(const std::string& path, const model::Layout& layout,
                          const DenseNetwork& network, const DenseNetwork* base) {
  // Everything is rounded and checked before the first byte is written.
  std::vector<float> values(layout.parameter_count());
  for (const model::Tensor& tensor : layout.tensors()) {
    const Place place = PlaceOf(KindOf(network), tensor.name);
    const double* local = Values(network, place);
    const double* start = base == nullptr ? nullptr : Values(*base, place);
    for (std::uint64_t i = 0; i < tensor.count; ++i) {
      const double value = start == nullptr ? local[i] : local[i] - start[i];
      if (!(std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()))) {
        return TrainerError(ErrorCode::kNotFinite,
                            absl::StrCat(tensor.name, " is not finite after training"));
      }
      values[tensor.offset + i] = static_cast<float>(value);
    }
  }
  auto writer = model::SafetensorsWriter::Create(path, layout);
  CARNET_RETURN_IF_ERROR(ToTrainerError(writer.status()));
  CARNET_RETURN_IF_ERROR(ToTrainerError(writer->Append(values)));
  return ToTrainerError(writer->Finish());
}

}  // namespace carnet::trainers
