// The elementwise loops of an aggregation pass. Each element on its own, in double, with + - x /
// only: the same bits however the loop is run. Pure; any thread.
#ifndef CARNET_COORDINATOR_AGGREGATION_KERNELS_H_
#define CARNET_COORDINATOR_AGGREGATION_KERNELS_H_

#include <span>

namespace carnet::aggregation {

// sums[i] += weight * values[i]. REQUIRES: equal sizes, no overlap.
void AddWeighted(double weight, std::span<const float> values, std::span<double> sums);

// sums[i] = weight * values[i]: what a sum starts with. REQUIRES: as AddWeighted.
void SetWeighted(double weight, std::span<const float> values, std::span<double> sums);

// values[i] /= divisor.
void DivideBy(double divisor, std::span<double> values);

}  // namespace carnet::aggregation

#endif  // CARNET_COORDINATOR_AGGREGATION_KERNELS_H_
