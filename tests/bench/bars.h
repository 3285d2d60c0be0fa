// The bars that this program measures (docs/performance.md). Each returns its figures.
#ifndef CARNET_TESTS_BENCH_BARS_H_
#define CARNET_TESTS_BENCH_BARS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/report.h"
#include "tests/bench/synthetic.h"

namespace carnet::bench {

struct BenchOptions {
  int threads = 1;
  int repeats = 3;  // The best of so many runs counts, for us and for the limit alike.
};

// B1: the aggregation pass, and the verification at receipt beside it, against opening the same
// bytes with AES-256-GCM and adding them as floats.
absl::StatusOr<std::vector<Figure>> MeasureAggregateSpeed(const SyntheticRound& round,
                                                          const BenchOptions& options);

// B2: peak memory of the pass at 8, 32 and 128 contributions, each in a process of its own. Call it
// while this process has one thread.
absl::StatusOr<std::vector<Figure>> MeasureAggregateMemory(const SyntheticRound& round,
                                                           const BenchOptions& options);

// The limit of B1: seconds that `threads` threads need to open the sealed deltas of `round`, mapped
// into memory, and to add them up strip by strip in fp32. Error DATA_LOSS: a chunk did not open.
absl::StatusOr<double> MeasureGcmLimit(const SyntheticRound& round, int threads);

}  // namespace carnet::bench

#endif  // CARNET_TESTS_BENCH_BARS_H_
