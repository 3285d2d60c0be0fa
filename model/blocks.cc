#include "model/blocks.h"

#include <algorithm>

#include "base/status.h"

namespace carnet::model {

std::uint64_t BlockCount(std::uint64_t parameters) {
  return parameters / kBlockParameters + (parameters % kBlockParameters != 0 ? 1 : 0);
}

Block BlockAt(std::uint64_t parameters, std::uint64_t index) {
  CARNET_CHECK(index < BlockCount(parameters));
  const std::uint64_t first = index * kBlockParameters;
  return {index, first, std::min(kBlockParameters, parameters - first)};
}

std::vector<TensorRange> TensorRanges(const Layout& layout, std::uint64_t first,
                                      std::uint64_t count) {
  CARNET_CHECK(first <= layout.parameter_count() && count <= layout.parameter_count() - first);
  const std::vector<Tensor>& tensors = layout.tensors();
  std::vector<TensorRange> ranges;
  auto tensor = std::upper_bound(
      tensors.begin(), tensors.end(), first,
      [](std::uint64_t position, const Tensor& other) { return position < other.offset; });
  while (count > 0) {
    // Tensors have at least one element each, so the one before the upper bound holds `first`.
    const Tensor& current = *(tensor - 1);
    const std::uint64_t skip = first - current.offset;
    const std::uint64_t taken = std::min(count, current.count - skip);
    ranges.push_back({static_cast<std::size_t>(tensor - 1 - tensors.begin()), skip, taken});
    first += taken;
    count -= taken;
    ++tensor;
  }
  return ranges;
}

}  // namespace carnet::model
