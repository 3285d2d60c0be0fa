// One synthetic uploader: a round's base model and sealed deltas, made into a directory.
#ifndef CARNET_TESTS_BENCH_SYNTHETIC_H_
#define CARNET_TESTS_BENCH_SYNTHETIC_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "coordinator/aggregation/combine.h"

namespace carnet::bench {

// Removes its directory in the end.
class SyntheticRound {
 public:
  // Makes `files` different sealed fp32 deltas of `parameters` each, and a base model, in a new
  // directory in `where`. Takes files x 4 x parameters bytes of disk.
  static absl::StatusOr<SyntheticRound> Make(const std::filesystem::path& where,
                                             std::uint64_t parameters, std::size_t files);
  ~SyntheticRound();
  SyntheticRound(SyntheticRound&& other) noexcept;
  SyntheticRound& operator=(SyntheticRound&&) = delete;

  std::uint64_t parameters() const { return parameters_; }
  std::size_t files() const { return sealed_sha256_.size(); }
  std::uint64_t model_bytes() const { return parameters_ * sizeof(float); }

  // Sealed delta number `index` under the name of contributor `contributor`.
  aggregation::SealedDelta Delta(std::size_t index, std::size_t contributor) const;
  const Digest& SealedSha256(std::size_t index) const { return sealed_sha256_[index]; }
  // `count` contributions; beyond files() they stand in the same files again.
  std::vector<aggregation::Contribution> Contributions(std::size_t count) const;
  aggregation::CombineOptions CombineOptions(int threads) const;

 private:
  SyntheticRound(std::filesystem::path directory, std::uint64_t parameters);
  absl::Status WriteBase();
  absl::Status WriteDelta(std::size_t index);
  std::filesystem::path DeltaPath(std::size_t index) const;

  std::filesystem::path directory_;  // Empty once moved from.
  std::uint64_t parameters_;
  Digest base_sha256_{};
  std::vector<Digest> sealed_sha256_;
};

}  // namespace carnet::bench

#endif  // CARNET_TESTS_BENCH_SYNTHETIC_H_
