// Checking a manifest: that a model file is what the records of a trusted log say it is. Pure;
// needs no network, no clock and nothing of the operator's but the manifest.
#ifndef CARNET_LEDGER_VERIFIER_MANIFEST_H_
#define CARNET_LEDGER_VERIFIER_MANIFEST_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/verifier/erasures.h"
#include "ledger/verifier/record.h"
#include "ledger/verifier/trust_policy.h"

namespace carnet::ledger::verifier {

inline constexpr std::size_t kManifestBytesMax = std::size_t{256} * 1024 * 1024;  // the file
inline constexpr std::size_t kManifestJsonBytesMax =
    std::size_t{256} * 1024 * 1024;  // what it unpacks to
inline constexpr std::size_t kManifestRecordsMax = 100'000;

// A manifest's parts, not yet believed.
struct Manifest {
  std::string job_id;
  Digest model_sha256{};
  std::string head;
  std::vector<v1::ProvenRecord> records;                      // ascending index
  std::map<std::uint64_t, v1::ConsistencyProof> consistency;  // by old size, to the head
};
// Error UNAUTHENTICATED: malformed, another form or version, over the bounds.
absl::StatusOr<Manifest> ParseManifest(ByteView file);

enum class Verdict : int { kGood = 0, kBadEvidence = 1, kCannotDecide = 3, kMisbehaviour = 4 };

// One step of the verification, in its order.
struct Check {
  std::string name;
  bool passed = false;
  std::string expected;  // of a check that failed
  std::string actual;
  std::optional<std::uint64_t> index;
};

struct Participant {
  std::string worker_id;
  std::string region;
  std::string supplier;
  std::vector<std::string>
      jurisdictions;  // of the region as registered; empty: not in the manifest
  std::uint64_t contributions = 0;
  std::uint64_t examples = 0;
};

struct ManifestReport {
  Verdict verdict = Verdict::kBadEvidence;
  // Who
  std::string federation;
  std::string organisation;
  std::string home_jurisdiction;
  std::string origin;
  std::string submitter;
  // What
  std::string job_id;
  std::string job_name;
  Digest model_sha256{};
  Digest base_model_sha256{};
  std::uint32_t rounds = 0;
  // Where
  std::vector<Participant> participants;  // by worker id
  // Under which policy
  Digest bundle_sha256{};
  std::uint64_t bundle_revision = 0;
  // Index and head
  std::uint64_t last_index = 0;  // of the record that made the model
  TreeHead head;
  std::vector<std::pair<std::string, absl::Time>> cosigned;
  std::uint64_t records = 0;
  std::vector<Erased> erased;  // what the vault no longer holds of these records

  std::vector<Check> checks;         // the last one failed unless the verdict is kGood
  std::vector<std::string> caveats;  // what the verdict does not say
};

// The first failed check ends it.
ManifestReport VerifyManifest(const Digest& model_file_sha256, ByteView manifest_file,
                              const TrustPolicy& policy);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_MANIFEST_H_
