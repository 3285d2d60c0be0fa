// The built-in trainers `softmax` and `mlp`, run by `carnet trainer softmax|mlp` through the same
// protocol as any other trainer (protocol.h).
//
//   softmax  softmax regression: weight [features, classes], bias [classes]
//   mlp      one hidden ReLU layer: layer1.weight [features, hidden], layer1.bias [hidden],
//            layer2.weight [hidden, classes], layer2.bias [classes]
//
// Both minimise the mean cross-entropy by gradient descent. Parameters are float32 in the files and
// double inside; a delta is rounded once, when it is written. The same bits for the same input on
// the same CPU type.
//
// Settings of a job (unknown ones are refused):
//   learning_rate   required, > 0 and finite
//   batch_size      rows a step; 0 or absent takes all rows (then `seed` changes nothing)
//   features_scale  every feature is multiplied by it; default 1
//   features, classes, hidden   optional; refused when the layout says otherwise (hidden: mlp only)
//
// Data: a CSV file, or a directory whose *.csv files are read in the order of their names
// (csv_data.h).
#ifndef CARNET_WORKER_TRAINERS_BUILTIN_H_
#define CARNET_WORKER_TRAINERS_BUILTIN_H_

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/trainers/protocol.h"

namespace carnet::trainers {

// "softmax" or "mlp". Error NOT_FOUND: any other name.
absl::StatusOr<std::unique_ptr<Trainer>> MakeBuiltinTrainer(absl::string_view name);

// Serves the built-in trainer `name` on `in` and `out` until told to stop; returns the exit code of
// the process (TrainerExit, or 2 with an error line when there is no such trainer).
int RunBuiltinTrainer(absl::string_view name, std::istream& in, std::ostream& out);

// Shape of an initial model.
struct InitialModelSettings {
  std::int64_t features = 0;  // 1..2^20
  std::int64_t classes = 0;   // 2..2^20
  std::int64_t hidden = 0;    // mlp: 1..2^20; softmax: 0
  std::uint64_t seed = 0;     // mlp only: the same seed gives the same bytes
};

// Writes the start of a job as a safetensors file (`carnet trainer init softmax --features 64
// --classes 10
// --out base.safetensors`): softmax from zero, mlp from uniform ±sqrt(6 / inputs) weights and zero
// biases. Replaces `path` only when everything is written.
//
// Errors: NOT_FOUND no such trainer; INVALID_ARGUMENT a setting out of its range; the writer's own
// (model/safetensors.h).
absl::Status WriteInitialModel(absl::string_view name, const InitialModelSettings& settings,
                               const std::string& path);

}  // namespace carnet::trainers

#endif  // CARNET_WORKER_TRAINERS_BUILTIN_H_
