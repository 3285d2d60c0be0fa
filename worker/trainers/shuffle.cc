#include "worker/trainers/shuffle.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/status.h"

namespace carnet::trainers {

std::uint64_t SplitMix64Mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

std::uint64_t SplitMix64At(std::uint64_t state, std::uint64_t index) {
  return SplitMix64Mix(state + (index + 1) * 0x9E3779B97F4A7C15u);
}

std::vector<std::int64_t> ShuffledRows(std::int64_t rows, std::uint64_t seed, std::uint64_t epoch) {
  const std::uint64_t state = SplitMix64Mix(seed ^ SplitMix64Mix(epoch));
  std::vector<std::pair<std::uint64_t, std::int64_t>> keyed;
  keyed.reserve(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    keyed.emplace_back(SplitMix64At(state, static_cast<std::uint64_t>(row)), row);
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<std::int64_t> order;
  order.reserve(keyed.size());
  for (const auto& entry : keyed) {
    order.push_back(entry.second);
  }
  return order;
}

Batches::Batches(std::int64_t rows, std::int64_t batch_size, std::uint64_t seed)
    : rows_(rows),
      batch_size_(batch_size),
      seed_(seed),
      full_(batch_size == 0 || batch_size >= rows) {
  CARNET_CHECK(rows >= 1 && batch_size >= 0);
  if (full_) {
    batch_.resize(static_cast<std::size_t>(rows_));
    std::iota(batch_.begin(), batch_.end(), std::int64_t{0});
  } else {
    order_ = ShuffledRows(rows_, seed_, epoch_);
  }
}

const std::vector<std::int64_t>& Batches::Next() {
  if (full_) {
    return batch_;
  }
  if (position_ == rows_) {
    ++epoch_;
    position_ = 0;
    order_ = ShuffledRows(rows_, seed_, epoch_);
  }
  const std::int64_t end = std::min(rows_, position_ + batch_size_);
  batch_.assign(order_.begin() + position_, order_.begin() + end);
  position_ = end;
  return batch_;
}

}  // namespace carnet::trainers
