// Server optimizers: what the coordinator makes of the mean delta of a round. A delta is local -
// base, so the mean points where the model should go (the papers' pseudo-gradient is its negative).
//
//   none                    model = base + mean                                            (FedAvg)
//   momentum, nesterov no   v' = m v + mean;  model = base + lr v'          (FedAvgM, Hsu et al.
//   2019) momentum, nesterov yes  v' = m v + mean;  model = base + lr (mean + m v')   (DiLoCo's
//   outer step: PyTorch
//                           SGD(nesterov=True, dampening=0) on the gradient -mean, whose buffer is
//                           -v)
//
// Per parameter in double with + - x only, each result rounded once to fp32; v' enters the model
// before it is rounded. v is 0 before the first step.
#ifndef CARNET_COORDINATOR_AGGREGATION_SERVER_OPTIMIZER_H_
#define CARNET_COORDINATOR_AGGREGATION_SERVER_OPTIMIZER_H_

#include <cstdint>
#include <span>

#include "absl/status/status.h"

namespace carnet::aggregation {

struct ServerOptimizer {
  enum class Kind : std::uint8_t { kNone, kMomentum };

  Kind kind = Kind::kNone;
  // The rest is for kMomentum.
  bool nesterov = false;
  double learning_rate = 1;  // > 0, finite.
  double momentum = 0;       // 0 <= momentum < 1.

  bool has_state() const { return kind == Kind::kMomentum; }
};

// The name with its convention, as the aggregate record carries it: "none", "momentum(fedavgm)" or
// "momentum(torch-nesterov)".
const char* OptimizerName(const ServerOptimizer& optimizer);

// Error INVALID_ARGUMENT: a number is out of its range.
absl::Status CheckOptimizer(const ServerOptimizer& optimizer);

// A run of parameters. All of one size; `model` and `velocity` may not overlap what is read.
struct OptimizerStep {
  std::span<const double> mean;
  std::span<const float> base;
  std::span<const float> velocity_before;  // Empty: zeros, or an optimizer without state.
  std::span<float> model;
  std::span<float> velocity_after;  // Empty for an optimizer without state.
};

// Pure; any thread. REQUIRES: CheckOptimizer(optimizer).ok().
void ApplyOptimizer(const ServerOptimizer& optimizer, const OptimizerStep& step);

}  // namespace carnet::aggregation

#endif  // CARNET_COORDINATOR_AGGREGATION_SERVER_OPTIMIZER_H_
