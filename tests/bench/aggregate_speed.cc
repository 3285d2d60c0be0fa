#include <algorithm>
#include <chrono>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/aggregation/verify.h"
#include "tests/bench/bars.h"

namespace carnet::bench {
namespace {

constexpr double kAtLeast = 0.6;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

absl::StatusOr<double> TimeCombine(const SyntheticRound& round, int threads) {
  const auto contributions = round.Contributions(round.files());
  const auto start = std::chrono::steady_clock::now();
  CARNET_RETURN_IF_ERROR(aggregation::Combine(contributions, round.CombineOptions(threads)));
  return SecondsSince(start);
}

absl::StatusOr<double> TimeVerify(const SyntheticRound& round, int threads) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < round.files(); ++i) {
    aggregation::VerifyOptions options;
    options.format.parameters = round.parameters();
    options.sealed_sha256 = round.SealedSha256(i);
    options.clip = 1e9;
    options.threads = threads;
    CARNET_ASSIGN_OR_RETURN(const aggregation::Verification verified,
                            aggregation::VerifyDelta(round.Delta(i, i), options));
    if (verified.verdict != aggregation::DeltaVerdict::kOk) {
      return absl::InternalError("bench: an honest delta was refused");
    }
  }
  return SecondsSince(start);
}

}  // namespace

absl::StatusOr<std::vector<Figure>> MeasureAggregateSpeed(const SyntheticRound& round,
                                                          const BenchOptions& options) {
  double limit_s = std::numeric_limits<double>::infinity();
  double combine_s = limit_s;
  double verify_s = limit_s;
  // Taken in turns, so that a busy moment of the machine does not fall on one of them alone.
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    CARNET_ASSIGN_OR_RETURN(const double limit, MeasureGcmLimit(round, options.threads));
    CARNET_ASSIGN_OR_RETURN(const double combine, TimeCombine(round, options.threads));
    CARNET_ASSIGN_OR_RETURN(const double verify, TimeVerify(round, options.threads));
    limit_s = std::min(limit_s, limit);
    combine_s = std::min(combine_s, combine);
    verify_s = std::min(verify_s, verify);
  }
  const double mega_parameters =
      static_cast<double>(round.files()) * static_cast<double>(round.parameters()) / 1e6;
  const std::string work = absl::StrCat(round.files(), " x ", round.parameters(), " fp32, ",
                                        options.threads, " threads");
  Figure combine;
  combine.bar = "B1";
  combine.what = absl::StrCat("aggregate ", work);
  combine.unit = "Mparam/s";
  combine.figure = mega_parameters / combine_s;
  combine.limit = mega_parameters / limit_s;
  combine.at_least = kAtLeast;
  Figure verify = combine;
  verify.bar = "B1 verify";
  verify.what = absl::StrCat("verify at receipt ", work);
  verify.figure = mega_parameters / verify_s;
  verify.at_least.reset();
  return std::vector<Figure>{combine, verify};
}

}  // namespace carnet::bench
