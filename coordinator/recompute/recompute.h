// An auditor's recomputation of aggregations: opens the deltas that were kept for him, adds them up
// and applies the server optimizer, round after round, apart from any coordinator. It shares the
// arithmetic with the coordinator (coordinator/aggregation), and neither its files nor its keys.
#ifndef CARNET_COORDINATOR_RECOMPUTE_RECOMPUTE_H_
#define CARNET_COORDINATOR_RECOMPUTE_RECOMPUTE_H_

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/audit/recompute.h"
#include "crypto/x25519.h"

namespace carnet::coordinator {

struct RecomputerOptions {
  // model/, optimizer/ and delta/ as in the coordinator's blobs/; read alone.
  std::filesystem::path blobs;
  int threads = 1;
};

// Not thread-safe. Keeps two plain models and optimizer states a job in a private folder of the
// system's temporary folder, which goes with it.
class Recomputer {
 public:
  // Errors: those of base/files.h.
  static absl::StatusOr<std::unique_ptr<Recomputer>> Make(RecomputerOptions options,
                                                          crypto::X25519KeyPair person);
  ~Recomputer();
  Recomputer(const Recomputer&) = delete;
  Recomputer& operator=(const Recomputer&) = delete;

  // As audit::Recompute says; INVALID_ARGUMENT too where the job's id is none. The base model is
  // what the round before gave, where that was computed again, else a file; both must be what the
  // record names. Blocks.
  absl::StatusOr<audit::AggregationResult> Compute(const audit::Aggregation& aggregation);

 private:
  // What the last round of a job gave.
  struct Chain {
    std::size_t number = 0;  // in the names of its files: no part of a log becomes a path
    audit::AggregationResult result;
    bool odd = false;  // which of the two names the next round writes
  };

  Recomputer(RecomputerOptions options, crypto::X25519KeyPair person, std::filesystem::path folder)
      : options_(std::move(options)), person_(std::move(person)), folder_(std::move(folder)) {}

  std::filesystem::path OutputOf(const Chain& chain, bool odd, const char* what) const;
  // The file of `kind` with that digest: of the chain, or among the blobs. Error NOT_FOUND.
  absl::StatusOr<std::filesystem::path> Find(const audit::Aggregation& aggregation,
                                             const char* kind, const Bytes& sha256) const;

  const RecomputerOptions options_;
  const crypto::X25519KeyPair person_;
  const std::filesystem::path folder_;
  std::map<std::string, Chain> chains_;  // by job
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RECOMPUTE_RECOMPUTE_H_
