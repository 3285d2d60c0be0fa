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
#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/verifier/erasures.h"
#include "ledger/verifier/record.h"
#include "ledger/verifier/trust_policy.h"

namespace carnet::ledger::verifier {

inline constexpr std::size_t kManifestBytesMax = std::size_t{256} * 1024 * 1024;  // the file
inline constexpr std::size_t kManifestUnpackedBytesMax =
    std::size_t{512} * 1024 * 1024;  // what it unpacks to, which its frame states
inline constexpr std::size_t kManifestRecordsMax = 250'000;  // statements and leaves together

enum class ManifestForm {
  kFull,     // every statement
  kCompact,  // contributions by index and leaf hash alone
};

struct IndexedRecord {
  std::uint64_t index = 0;
  v1::SignedRecord record;
};

// A manifest's parts, not yet believed.
struct Manifest {
  ManifestForm form = ManifestForm::kFull;
  std::string job_id;
  Digest model_sha256{};
  std::string head;
  std::vector<IndexedRecord> records;      // ascending index
  std::map<std::uint64_t, Digest> leaves;  // leaf hashes without a statement, by index
  std::vector<Digest> nodes;               // the shared proof
};
// Error UNAUTHENTICATED: malformed, another version, over the bounds.
absl::StatusOr<Manifest> ParseManifest(ByteView file);

// The records with a proof of their own each, as bundles need them; `tree_size` of the manifest's
// head, which the caller checked or does not believe. The proofs lead to one root, right or wrong.
// Error UNAUTHENTICATED: a record breaks its rules; a node too few or too many.
absl::StatusOr<std::vector<v1::ProvenRecord>> ProveSingly(const Manifest& manifest,
                                                          std::uint64_t tree_size);

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
  std::uint64_t examples = 0;            // as the worker signed them; 0 in the compact form
  std::map<std::string, Digest> shards;  // that its rounds gave it: "dataset/shard" and digest
};

// A shard that the model was trained on and that was withdrawn, before the manifest was made.
struct WithdrawnShard {
  std::string name;
  std::string reason;       // subject-request, licence-ended, …
  std::uint64_t index = 0;  // of shard-withdrawn
};

// The model went, or could go for a day, to somebody.
struct ModelRelease {
  std::uint64_t index = 0;
  std::string to;  // user id
  std::string jurisdiction;
  std::string recipient;  // the organisation that the person works for
  absl::Time at;
  std::uint64_t revision = 0;  // of the policies that allowed it
  Digest bundle_sha256{};
};

// One revision of the policies, and the rounds that were decided under it.
struct PolicyUse {
  Digest bundle_sha256{};
  std::uint64_t revision = 0;
  std::uint32_t first_round = 0;
  std::uint32_t last_round = 0;
};

struct ManifestReport {
  Verdict verdict = Verdict::kBadEvidence;
  ManifestForm form = ManifestForm::kFull;
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
  std::vector<WithdrawnShard> withdrawn;  // by index
  std::vector<ModelRelease> releases;     // that the manifest holds, by index
  // Under which policy
  Digest bundle_sha256{};  // of genesis
  std::uint64_t bundle_revision = 0;
  std::vector<PolicyUse> policies;  // of the rounds, in the order of their first use
  // Privacy
  std::string privacy_mode;  // "trusted": the coordinator opens each delta
  std::string privacy_loss;  // in words; empty before the job was seen
  // Index and head
  std::uint64_t last_index = 0;  // of the record that made the model
  TreeHead head;
  std::vector<std::pair<std::string, absl::Time>> cosigned;
  std::uint64_t records = 0;
  std::vector<Erased> erased;  // what the vault no longer holds of these records
  std::uint64_t leaves = 0;    // contributions that the compact form leaves to the log

  std::vector<Check> checks;         // the last one failed unless the verdict is kGood
  std::vector<std::string> caveats;  // what the verdict does not say
};

// The first failed check ends it.
ManifestReport VerifyManifest(const Digest& model_file_sha256, ByteView manifest_file,
                              const TrustPolicy& policy);

// The compact form of a manifest: contributions by leaf hash, and a proof for what is left. It is
// as good as what it is made of. Errors: UNAUTHENTICATED as ProveSingly.
absl::StatusOr<Manifest> CompactForm(const Manifest& full, std::uint64_t tree_size);

// The policy of a manifest that is held against itself: the log that its own genesis names. It
// shows that the file fits together, not whose log it is. Error UNAUTHENTICATED: it does not begin
// with a genesis.
absl::StatusOr<TrustPolicy> PolicyOfItself(const Manifest& manifest);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_MANIFEST_H_
