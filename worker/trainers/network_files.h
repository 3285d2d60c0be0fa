// The networks of the built-in trainers as files: which tensors a layout must have, reading
// parameters, writing a delta or a first model (model/safetensors.h).
#ifndef CARNET_WORKER_TRAINERS_NETWORK_FILES_H_
#define CARNET_WORKER_TRAINERS_NETWORK_FILES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/layout.h"
#include "worker/trainers/dense_network.h"

namespace carnet::trainers {

// Largest features, hidden and classes, and most parameters in all (2 GiB of doubles).
inline constexpr std::int64_t kNetworkDimensionMax = std::int64_t{1} << 20;
inline constexpr std::int64_t kNetworkParametersMax = std::int64_t{1} << 28;

enum class NetworkKind { kSoftmax, kMlp };

struct NetworkShape {
  std::int64_t features = 0;  // 1..kNetworkDimensionMax
  std::int64_t hidden = 0;    // mlp: 1..kNetworkDimensionMax; softmax: 0
  std::int64_t classes = 0;   // 2..kNetworkDimensionMax
};

// The layout that a network of this kind and shape has. Error (TrainerError): kSettings a size out
// of bounds.
absl::StatusOr<model::Layout> LayoutOf(NetworkKind kind, const NetworkShape& shape);

// The shape of the network that `layout` describes. Error (TrainerError): kLayout its names or
// shapes are no network of this kind.
absl::StatusOr<NetworkShape> ShapeOf(NetworkKind kind, const model::Layout& layout);

// Reads layout.json. Errors (TrainerError): kLayout the file is missing, larger than
// model::kHeaderBytesMax or malformed.
absl::StatusOr<model::Layout> ReadLayout(const std::string& path);

// Reads the parameters of a network of `kind` and `layout`. Errors (TrainerError): kParameters the
// file is missing or malformed; kLayout it has another layout; kNotFinite a parameter is NaN or
// infinite.
absl::StatusOr<DenseNetwork> ReadNetwork(const std::string& path, NetworkKind kind,
                                         const model::Layout& layout);

// Writes `network` - `base` (or `network` alone when `base` is null), rounded once to float32, as a
// safetensors file that appears whole or not at all. Errors (TrainerError): kNotFinite a value is
// NaN or beyond float32; kIo the file cannot be written.
absl::Status WriteNetwork(const std::string& path, const model::Layout& layout,
                          const DenseNetwork& network, const DenseNetwork* base);

}  // namespace carnet::trainers

#endif  // CARNET_WORKER_TRAINERS_NETWORK_FILES_H_
