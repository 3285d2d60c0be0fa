// Which rows a training step takes: a pure function of (rows, batch size, seed, step), the same in
// the Python SDK (sdk/python/carnet_trainer/data.py), so that both give the same delta.
#ifndef CARNET_WORKER_TRAINERS_SHUFFLE_H_
#define CARNET_WORKER_TRAINERS_SHUFFLE_H_

#include <cstdint>
#include <vector>

namespace carnet::trainers {

// One step of SplitMix64 (G. Steele, D. Lea, C. Flood: "Fast splittable pseudorandom number
// generators", OOPSLA 2014): the finaliser alone, without the increment.
std::uint64_t SplitMix64Mix(std::uint64_t value);
// The `index`-th output (from 0) of SplitMix64 started at `state`.
std::uint64_t SplitMix64At(std::uint64_t state, std::uint64_t index);

// Rows 0..rows-1 in the order of epoch `epoch`: sorted by the keys SplitMix64At(Mix(seed xor
// Mix(epoch)), row), ties by row.
std::vector<std::int64_t> ShuffledRows(std::int64_t rows, std::uint64_t seed, std::uint64_t epoch);

// Cuts each epoch's order into batches; the last of an epoch may be smaller.
class Batches {
 public:
  // rows ≥ 1; batch_size 0 or ≥ rows: every batch is all rows in their own order.
  Batches(std::int64_t rows, std::int64_t batch_size, std::uint64_t seed);
  // The rows of the next step; valid until the next call.
  const std::vector<std::int64_t>& Next();
  bool full() const { return full_; }

 private:
  const std::int64_t rows_;
  const std::int64_t batch_size_;
  const std::uint64_t seed_;
  const bool full_;
  std::uint64_t epoch_ = 0;
  std::int64_t position_ = 0;
  std::vector<std::int64_t> order_;
  std::vector<std::int64_t> batch_;
};

}  // namespace carnet::trainers

#endif  // CARNET_WORKER_TRAINERS_SHUFFLE_H_
