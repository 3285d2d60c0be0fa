#include "model/blocks.h"

#include <catch2/catch.hpp>
#include <random>

namespace carnet::model {
namespace {

TEST_CASE("Blocks: cover every parameter once, all but the last full") {
  CHECK(BlockCount(0) == 0);
  CHECK(BlockCount(1) == 1);
  CHECK(BlockCount(kBlockParameters) == 1);
  CHECK(BlockCount(kBlockParameters + 1) == 2);
  CHECK(BlockCount(kParametersMax) == kParametersMax / kBlockParameters);
  const Block last = BlockAt(2 * kBlockParameters + 7, 2);
  CHECK(last.first == 2 * kBlockParameters);
  CHECK(last.count == 7);
  CHECK(BlockAt(2 * kBlockParameters + 7, 1).count == kBlockParameters);
}

TEST_CASE("Blocks: a run of parameters maps to the tensors that hold it") {
  const Layout layout = *Layout::Create({{"a", {3}}, {"b", {}}, {"c", {2, 2}}});
  CHECK(TensorRanges(layout, 0, 8) == std::vector<TensorRange>{{0, 0, 3}, {1, 0, 1}, {2, 0, 4}});
  CHECK(TensorRanges(layout, 2, 3) == std::vector<TensorRange>{{0, 2, 1}, {1, 0, 1}, {2, 0, 1}});
  CHECK(TensorRanges(layout, 3, 1) == std::vector<TensorRange>{{1, 0, 1}});
  CHECK(TensorRanges(layout, 6, 2) == std::vector<TensorRange>{{2, 2, 2}});
  CHECK(TensorRanges(layout, 8, 0).empty());
}

TEST_CASE("Blocks: for any layout and run, tensor ranges add up to the run") {
  const auto seed = GENERATE(take(50, random(0U, ~0U)));
  CAPTURE(seed);
  std::minstd_rand rng(seed);
  std::vector<TensorShape> shapes(1 + rng() % 30);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    shapes[i] = {std::to_string(i), {1 + rng() % 20}};
  }
  const Layout layout = *Layout::Create(shapes);
  const std::uint64_t first = rng() % layout.parameter_count();
  const std::uint64_t count = 1 + rng() % (layout.parameter_count() - first);
  std::uint64_t position = first;
  for (const TensorRange& range : TensorRanges(layout, first, count)) {
    const Tensor& tensor = layout.tensors()[range.tensor];
    CHECK(tensor.offset + range.first == position);
    CHECK(range.count >= 1);
    CHECK(range.first + range.count <= tensor.count);
    position += range.count;
  }
  CHECK(position == first + count);
}

}  // namespace
}  // namespace carnet::model
