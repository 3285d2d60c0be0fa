#include "worker/trainers/shuffle.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

namespace carnet::trainers {
namespace {

TEST_CASE("Shuffle: SplitMix64 gives the published first outputs") {
  // Seed 1234567, from the reference C by Sebastiano Vigna (https://prng.di.unimi.it/splitmix64.c),
  // as listed at https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64.
  CHECK(SplitMix64At(1234567, 0) == 6457827717110365317u);
  CHECK(SplitMix64At(1234567, 1) == 3203168211198807973u);
  CHECK(SplitMix64At(1234567, 2) == 9817491932198370423u);
  CHECK(SplitMix64At(1234567, 3) == 4593380528125082431u);
  CHECK(SplitMix64At(1234567, 4) == 16408922859458223821u);
}

TEST_CASE("Shuffle: every epoch is a permutation, another one for another seed or epoch") {
  const auto order = ShuffledRows(1000, 7, 0);
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::int64_t> all(1000);
  std::iota(all.begin(), all.end(), 0);
  CHECK(sorted == all);
  CHECK(order == ShuffledRows(1000, 7, 0));
  CHECK(order != ShuffledRows(1000, 8, 0));
  CHECK(order != ShuffledRows(1000, 7, 1));
  CHECK(order != all);
}

TEST_CASE("Shuffle: batches cut each epoch in order, the last one smaller") {
  Batches batches(10, 4, 3);
  const auto first = ShuffledRows(10, 3, 0);
  const auto second = ShuffledRows(10, 3, 1);
  CHECK(batches.Next() == std::vector<std::int64_t>(first.begin(), first.begin() + 4));
  CHECK(batches.Next() == std::vector<std::int64_t>(first.begin() + 4, first.begin() + 8));
  CHECK(batches.Next() == std::vector<std::int64_t>(first.begin() + 8, first.end()));
  CHECK(batches.Next() == std::vector<std::int64_t>(second.begin(), second.begin() + 4));
}

TEST_CASE("Shuffle: batch size 0, or one not below the rows, takes all rows in their own order") {
  const std::int64_t size = GENERATE(0, 3, 100);
  Batches batches(3, size, 99);
  CHECK(batches.Next() == std::vector<std::int64_t>{0, 1, 2});
  CHECK(batches.Next() == std::vector<std::int64_t>{0, 1, 2});
}

}  // namespace
}  // namespace carnet::trainers
