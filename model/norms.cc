#include "model/norms.h"

#include <array>
#include <cmath>
#include <cstddef>

#include "base/status.h"

namespace carnet::model {
namespace {

// Value i goes to lane i mod kLanes: a fixed order of additions that compilers may still run side
// by side.
constexpr std::size_t kLanes = 8;

}  // namespace

double SumOfSquares(std::span<const float> values) {
  std::array<double, kLanes> lanes{};
  const float* value = values.data();
  const std::size_t whole = values.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double x = value[i + lane];
      lanes[lane] += x * x;
    }
  }
  for (std::size_t i = whole; i < values.size(); ++i) {
    const double x = value[i];
    lanes[i - whole] += x * x;
  }
  double sum = 0;
  for (const double lane : lanes) {
    sum += lane;
  }
  return sum;
}

bool AllFinite(std::span<const float> values) {
  bool finite = true;
  for (const float value : values) {
    // x - x is 0 for every finite x and NaN for NaN and the infinities.
    finite &= value - value == 0.0F;
  }
  return finite;
}

double NormOfBlocks(std::span<const double> sums_of_squares) {
  double sum = 0;
  for (const double block : sums_of_squares) {
    sum += block;
  }
  return std::sqrt(sum);
}

double ClipFactor(double norm, double clip) {
  CARNET_CHECK(std::isfinite(norm) && norm >= 0 && clip > 0);
  return norm > clip ? clip / norm : 1.0;
}

}  // namespace carnet::model
