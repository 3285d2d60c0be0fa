#include "coordinator/aggregation/kernels.h"

#include <cstddef>

#include "base/status.h"

namespace carnet::aggregation {

void AddWeighted(double weight, std::span<const float> values, std::span<double> sums) {
  CARNET_CHECK(values.size() == sums.size());
  const float* __restrict value = values.data();
  double* __restrict sum = sums.data();
  const std::size_t count = values.size();
  for (std::size_t i = 0; i < count; ++i) {
    sum[i] += weight * static_cast<double>(value[i]);
  }
}

void SetWeighted(double weight, std::span<const float> values, std::span<double> sums) {
  CARNET_CHECK(values.size() == sums.size());
  const float* __restrict value = values.data();
  double* __restrict sum = sums.data();
  const std::size_t count = values.size();
  for (std::size_t i = 0; i < count; ++i) {
    sum[i] = weight * static_cast<double>(value[i]);
  }
}

void DivideBy(double divisor, std::span<double> values) {
  for (double& value : values) {
    value /= divisor;
  }
}

}  // namespace carnet::aggregation
