// Column blocks: the flattened parameter vector is cut into blocks of kBlockParameters, the last
// one shorter. A block is the unit of encoding, of work for a thread, and of memory in aggregation.
#ifndef CARNET_MODEL_BLOCKS_H_
#define CARNET_MODEL_BLOCKS_H_

#include <cstdint>
#include <vector>

#include "model/layout.h"

namespace carnet::model {

inline constexpr std::uint64_t kBlockParameters = std::uint64_t{1} << 18;

// A run of parameters of the flattened vector.
struct Block {
  std::uint64_t index = 0;
  std::uint64_t first = 0;  // Parameter, from 0.
  std::size_t count = 0;    // Parameters, 1..kBlockParameters.
};

// Number of blocks of a vector of `parameters`; 0 for none.
std::uint64_t BlockCount(std::uint64_t parameters);

// The block `index` of a vector of `parameters`. REQUIRES: index < BlockCount(parameters).
Block BlockAt(std::uint64_t parameters, std::uint64_t index);

// A run of elements inside one tensor.
struct TensorRange {
  std::size_t tensor = 0;   // Index into layout.tensors().
  std::uint64_t first = 0;  // Element of that tensor, from 0.
  std::uint64_t count = 0;  // At least 1.

  bool operator==(const TensorRange& other) const = default;
};

// The tensors that parameters first..first+count-1 of the flattened vector stand in, in order.
// Their counts sum to `count`. REQUIRES: first + count <= layout.parameter_count().
std::vector<TensorRange> TensorRanges(const Layout& layout, std::uint64_t first,
                                      std::uint64_t count);

}  // namespace carnet::model

#endif  // CARNET_MODEL_BLOCKS_H_
