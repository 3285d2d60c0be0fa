// The settings of a job as the built-in trainers read them (builtin.h lists them).
#ifndef CARNET_WORKER_TRAINERS_SETTINGS_H_
#define CARNET_WORKER_TRAINERS_SETTINGS_H_

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "worker/trainers/network_files.h"

namespace carnet::trainers {

inline constexpr std::int64_t kBatchSizeMax = std::int64_t{1} << 30;

struct Settings {
  double learning_rate = 0;     // > 0, finite
  std::int64_t batch_size = 0;  // 0: all rows
  double features_scale = 1;    // finite, not 0
};

// Reads `object` strictly against a network of `kind` and `shape`.
// Error (TrainerError): kSettings an unknown setting, no learning_rate, a value of another type or
// out of its range, or features, classes or hidden that are not those of the layout. Integers may
// be written as 32.0.
absl::StatusOr<Settings> ParseSettings(const nlohmann::json& object, NetworkKind kind,
                                       const NetworkShape& shape);

}  // namespace carnet::trainers

#endif  // CARNET_WORKER_TRAINERS_SETTINGS_H_
