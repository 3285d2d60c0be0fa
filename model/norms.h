// L2 norms and clipping. Sums run in double, in one fixed order (lanes inside a block, then blocks
// by index), so every thread count and every x86-64 gives the same bits.
#ifndef CARNET_MODEL_NORMS_H_
#define CARNET_MODEL_NORMS_H_

#include <span>

namespace carnet::model {

// Sum of squares of at most kBlockParameters values. Finite exactly when every value is finite:
// 2^18 squares of the largest float stay far below the largest double, so this is the NaN/Inf check
// of a block too.
double SumOfSquares(std::span<const float> values);

// True when no value is NaN or infinite. Any length.
bool AllFinite(std::span<const float> values);

// The L2 norm of a vector from the sums of squares of its blocks, in ascending block order.
double NormOfBlocks(std::span<const double> sums_of_squares);

// The factor that brings a vector of L2 norm `norm` to at most `clip`: 1 when it is within, else
// clip / norm. REQUIRES: norm >= 0 and finite, clip > 0.
double ClipFactor(double norm, double clip);

}  // namespace carnet::model

#endif  // CARNET_MODEL_NORMS_H_
