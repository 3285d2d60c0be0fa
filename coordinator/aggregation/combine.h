// Aggregation by column blocks: block b of every contribution is opened, decoded and added, the
// server optimizer makes block b of the new model from the mean, and the block is written. Memory
// is a few blocks per thread, whatever the size of the model or the number of contributions.
//
// Bit-identical on any x86-64 and for any number of threads: per parameter in double, in the order
// of the contributions, weight x value is added; the sum is divided once by the total weight; the
// optimizer's results are rounded once to fp32.
#ifndef CARNET_COORDINATOR_AGGREGATION_COMBINE_H_
#define CARNET_COORDINATOR_AGGREGATION_COMBINE_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "coordinator/aggregation/sealed_delta.h"
#include "coordinator/aggregation/server_optimizer.h"
#include "model/codec.h"

namespace carnet::aggregation {

// Each holds an open file while a pass runs.
inline constexpr std::size_t kContributionsMax = 4096;
// Weights are exact in double, and so is their sum.
inline constexpr std::uint64_t kTotalWeightMax = std::uint64_t{1} << 53;

// A contribution that VerifyDelta found good.
struct Contribution {
  SealedDelta delta;
  std::uint64_t weight = 0;  // At least 1.
};

// A file and the SHA-256 of all of its bytes.
struct DigestedFile {
  std::filesystem::path path;
  Digest sha256{};
};

struct CombineOptions {
  model::Codec codec = model::Codec::kFp32;
  ServerOptimizer optimizer;
  DigestedFile base_model;               // safetensors, data in the order of names.
  std::optional<DigestedFile> velocity;  // The optimizer's state, of the same layout; none: zeros.
  std::filesystem::path model_out;       // Replaced when it exists. So is velocity_out, which is
  std::filesystem::path velocity_out;    // written for an optimizer with state only.
  int threads = 1;                       // 1..kThreadsMax (parallel.h).
  const std::atomic<bool>* cancelled = nullptr;  // Polled between blocks; may be null.
};

struct Combined {
  Digest model_sha256{};
  std::uint64_t model_bytes = 0;
  std::optional<Digest> velocity_sha256;  // Set for an optimizer with state.
  std::uint64_t total_weight = 0;
};

// Combines `contributions`, in ascending order of their contributors. The outputs are durable on
// return; after an error there are none, nor parts of them. A crash leaves at most
// `<output>.partial`, which must be swept before the next call, or the finished model alone, which
// is then replaced. Blocks the caller's thread; call it on an executor. Memory: about 8 MiB per
// thread. Errors:
//   INVALID_ARGUMENT    options, weights or order of contributors out of their rules; a base model
//   or velocity
//                       that is no such file or of another layout. Never retry.
//   FAILED_PRECONDITION no contribution: zero contributions never publish a model; or the new model
//   would not
//                       be finite. Never retry with the same contributions.
//   DATA_LOSS           a storage fault: what is on disk is not what was verified.
//   FaultyContributor names the
//                       contribution: combine again without it. Without a name: base model or
//                       velocity; stop.
//   CANCELLED           as asked.
//   RESOURCE_EXHAUSTED  disk full or too many open files; retry when there is room. Others of
//   base/files.h. INTERNAL            OpenSSL failed.
absl::StatusOr<Combined> Combine(std::span<const Contribution> contributions,
                                 const CombineOptions& options);

// The contributor whose sealed delta `status` is about, if it is about one.
std::optional<std::string> FaultyContributor(const absl::Status& status);

}  // namespace carnet::aggregation

#endif  // CARNET_COORDINATOR_AGGREGATION_COMBINE_H_
