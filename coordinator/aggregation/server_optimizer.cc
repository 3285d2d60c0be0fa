#include "coordinator/aggregation/server_optimizer.h"

#include <cmath>
#include <cstddef>

#include "base/status.h"

namespace carnet::aggregation {

const char* OptimizerName(const ServerOptimizer& optimizer) {
  if (optimizer.kind == ServerOptimizer::Kind::kNone) {
    return "none";
  }
  return optimizer.nesterov ? "momentum(torch-nesterov)" : "momentum(fedavgm)";
}

absl::Status CheckOptimizer(const ServerOptimizer& optimizer) {
  if (optimizer.kind == ServerOptimizer::Kind::kNone) {
    return absl::OkStatus();
  }
  if (!std::isfinite(optimizer.learning_rate) || optimizer.learning_rate <= 0) {
    return absl::InvalidArgumentError("optimizer: the learning rate must be above 0");
  }
  if (!(optimizer.momentum >= 0 && optimizer.momentum < 1)) {
    return absl::InvalidArgumentError("optimizer: the momentum must be at least 0 and below 1");
  }
  return absl::OkStatus();
}

void ApplyOptimizer(const ServerOptimizer& optimizer, const OptimizerStep& step) {
  const std::size_t count = step.mean.size();
  CARNET_CHECK(step.base.size() == count && step.model.size() == count);
  if (optimizer.kind == ServerOptimizer::Kind::kNone) {
    for (std::size_t i = 0; i < count; ++i) {
      step.model[i] = static_cast<float>(static_cast<double>(step.base[i]) + step.mean[i]);
    }
    return;
  }
  CARNET_CHECK(step.velocity_after.size() == count);
  CARNET_CHECK(step.velocity_before.empty() || step.velocity_before.size() == count);
  const double momentum = optimizer.momentum;
  for (std::size_t i = 0; i < count; ++i) {
    const double before = step.velocity_before.empty() ? 0.0 : step.velocity_before[i];
    const double velocity = momentum * before + step.mean[i];
    const double direction = optimizer.nesterov ? step.mean[i] + momentum * velocity : velocity;
    step.velocity_after[i] = static_cast<float>(velocity);
    step.model[i] =
        static_cast<float>(static_cast<double>(step.base[i]) + optimizer.learning_rate * direction);
  }
}

}  // namespace carnet::aggregation
