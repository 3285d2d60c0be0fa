// Whole verification of one sealed delta at receipt, before its contribution is recorded: every
// chunk opens, every block decodes, every value is finite, the L2 norm is within the clip, the
// ciphertext is the one that was announced. Plaintext lives in one strip per thread and is wiped.
#ifndef CARNET_COORDINATOR_AGGREGATION_VERIFY_H_
#define CARNET_COORDINATOR_AGGREGATION_VERIFY_H_

#include <atomic>
#include <cstdint>
#include <limits>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "coordinator/aggregation/sealed_delta.h"
#include "coordinator/aggregation/verdict.h"
#include "model/codec.h"

namespace carnet::aggregation {

// How far the norm of what we decode may stand above the clip, as a factor.
//   fp32  The worker rounds clip/norm x value to fp32, which moves each value by at most 2^-24 of
//   itself, so
//         the norm by at most 6e-8 of itself; sums in double add far less.
//   int8  The worker clips by the norm of what will be decoded (model/codec.h, DecodedSumOfSquares)
//   by scaling
//         the blocks' scales; rounding those to fp32 moves each block by at most 2^-24. Stochastic
//         rounding needs no slack of its own: it is inside the norm that was clipped.
inline constexpr double kNormSlackFp32 = 1 + 1e-6;
inline constexpr double kNormSlackInt8 = 1 + 1e-6;
constexpr double NormSlack(model::Codec codec) {
  return codec == model::Codec::kFp32 ? kNormSlackFp32 : kNormSlackInt8;
}

inline constexpr double kNoClip = std::numeric_limits<double>::infinity();

struct VerifyOptions {
  DeltaFormat format;
  Digest sealed_sha256{};                        // Announced by the worker's signed statement.
  double clip = kNoClip;                         // L2 norm; above 0.
  int threads = 1;                               // 1..kThreadsMax (parallel.h).
  const std::atomic<bool>* cancelled = nullptr;  // Polled between blocks; may be null.
};

struct Verification {
  DeltaVerdict verdict = DeltaVerdict::kOk;
  double norm = 0;          // L2; set for kOk and kNormExceeded.
  std::uint64_t block = 0;  // Set for kBadChunk, kBadBlock, kNotFinite: the first such block.
};

// Verifies `delta`. The result, bits of the norm included, does not depend on `threads`. Blocks the
// caller's thread; call it on an executor. Memory: one strip (at most 1.3 MiB) per thread, 8 bytes
// per block. Errors, which say nothing about the contribution: INVALID_ARGUMENT options or key of a
// wrong size; UNAVAILABLE or those of base/files.h: the file cannot be read; CANCELLED; INTERNAL
// OpenSSL failed.
absl::StatusOr<Verification> VerifyDelta(const SealedDelta& delta, const VerifyOptions& options);

}  // namespace carnet::aggregation

#endif  // CARNET_COORDINATOR_AGGREGATION_VERIFY_H_
