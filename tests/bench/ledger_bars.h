// The bars of the ledger (docs/performance.md): B7, B8, B10. Each returns its figures.
#ifndef CARNET_TESTS_BENCH_LEDGER_BARS_H_
#define CARNET_TESTS_BENCH_LEDGER_BARS_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/report.h"
#include "tests/bench/synthetic_log.h"

namespace carnet::bench {

// B7: durable appends of 64 writers that each wait for their own, with records that were signed
// before, and with making and signing them; beside it SQLite alone with the same bytes, and the
// rates of Ed25519.
absl::StatusOr<std::vector<Figure>> MeasureAppends(const std::filesystem::path& where,
                                                   std::size_t records);

// Fills `log` up to `records`.
absl::Status FillLog(SyntheticLog& log, std::uint64_t records);

// B8: proofs, a cold check of every leaf and tile, and with every statement and signature.
absl::StatusOr<std::vector<Figure>> MeasureProofs(const SyntheticLog& log);

// B10: from nothing to the folded state, beside reading and hashing the same bytes.
absl::StatusOr<std::vector<Figure>> MeasureRestart(const SyntheticLog& log);

}  // namespace carnet::bench

#endif  // CARNET_TESTS_BENCH_LEDGER_BARS_H_
