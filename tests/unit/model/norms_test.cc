#include "model/norms.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "model/blocks.h"

namespace carnet::model {
namespace {

TEST_CASE("Norms: known sums") {
  CHECK(SumOfSquares({}) == 0);
  CHECK(SumOfSquares(std::vector<float>{3, 4}) == 25);
  CHECK(SumOfSquares(std::vector<float>(19, 2)) == 76);
  CHECK(NormOfBlocks(std::vector<double>{9, 16}) == 5);
  CHECK(NormOfBlocks({}) == 0);
}

TEST_CASE(
    "Norms: a block of the largest floats still has a finite sum, one NaN or infinity has not") {
  std::vector<float> values(kBlockParameters, std::numeric_limits<float>::max());
  CHECK(std::isfinite(SumOfSquares(values)));
  CHECK(AllFinite(values));
  for (const std::size_t place : {std::size_t{0}, std::size_t{77}, values.size() - 1}) {
    for (const float bad : {std::nanf(""), -std::numeric_limits<float>::infinity()}) {
      std::vector<float> spoiled = values;
      spoiled[place] = bad;
      CHECK_FALSE(std::isfinite(SumOfSquares(spoiled)));
      CHECK_FALSE(AllFinite(spoiled));
    }
  }
}

TEST_CASE("Norms: the lanes agree with a plain sum") {
  const auto seed = GENERATE(take(20, random(0U, ~0U)));
  CAPTURE(seed);
  std::minstd_rand rng(seed);
  std::vector<float> values(rng() % 1000);
  double plain = 0;
  for (float& value : values) {
    value = static_cast<float>(rng() % 2000) / 100.0F - 10.0F;
    plain += static_cast<double>(value) * value;
  }
  CHECK(SumOfSquares(values) == Approx(plain).epsilon(1e-13));
}

TEST_CASE("Norms: the clip factor shortens what is too long and nothing else") {
  CHECK(ClipFactor(0.0, 1.0) == 1.0);
  CHECK(ClipFactor(1.0, 1.0) == 1.0);
  CHECK(ClipFactor(4.0, 1.0) == 0.25);
}

}  // namespace
}  // namespace carnet::model
