// Deltas sealed into files, base models and velocities, for the tests of coordinator/aggregation.
#ifndef CARNET_TESTS_UNIT_COORDINATOR_AGGREGATION_FIXTURE_H_
#define CARNET_TESTS_UNIT_COORDINATOR_AGGREGATION_FIXTURE_H_

#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "coordinator/aggregation/combine.h"
#include "coordinator/aggregation/verify.h"
#include "model/codec.h"
#include "model/safetensors.h"

namespace carnet::aggregation {

// One temporary directory, removed in the end.
class AggregationFixture {
 public:
  AggregationFixture();
  ~AggregationFixture();
  AggregationFixture(const AggregationFixture&) = delete;
  AggregationFixture& operator=(const AggregationFixture&) = delete;

  std::filesystem::path Path(const std::string& name) const { return directory_ / name; }
  std::vector<std::string> FileNames() const;

  // The encoded delta of `values`: int8 draws from a stream that depends on `contributor` alone.
  static Bytes Encode(model::Codec codec, const std::vector<float>& values,
                      const std::string& contributor);
  // Seals `plain` into the file `contributor` (its slashes become dots) under a key of its own.
  SealedDelta Seal(const std::string& contributor, const Bytes& plain) const;
  Contribution Contribute(const std::string& contributor, const std::vector<float>& values,
                          std::uint64_t weight, model::Codec codec = model::Codec::kFp32) const;
  // A canonical file with one tensor "w", and its digest.
  DigestedFile WriteModel(const std::string& name, const std::vector<float>& values) const;

 private:
  std::filesystem::path directory_;
};

Digest FileDigest(const std::filesystem::path& path);
std::vector<float> ReadModel(const std::filesystem::path& path);
// Changes one bit of a file.
void FlipBit(const std::filesystem::path& path, std::uint64_t offset);
// Deterministic values in about [-scale, scale].
std::vector<float> SomeValues(std::uint32_t seed, std::size_t count, float scale);

}  // namespace carnet::aggregation

#endif  // CARNET_TESTS_UNIT_COORDINATOR_AGGREGATION_FIXTURE_H_
