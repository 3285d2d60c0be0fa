// What an audit found: findings, numbers, and what it does not prove. Plain values.
#ifndef CARNET_COORDINATOR_AUDIT_REPORT_H_
#define CARNET_COORDINATOR_AUDIT_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/policies.pb.h"
#include "ledger/verifier/heads.h"
#include "ledger/verifier/manifest.h"

namespace carnet::coordinator::audit {

// Findings that a report lists; those beyond are counted.
inline constexpr std::size_t kFindingsMax = 1000;
// Bytes of `expected` and of `actual`; what is longer is cut, with an ellipsis.
inline constexpr std::size_t kFindingTextBytesMax = 2048;

enum class Severity : int {
  kNote = 0,         // worth knowing; nothing is wrong
  kGap = 1,          // what should be on record is not; exit 3
  kBadEvidence = 2,  // a record contradicts the rules or another record; exit 1
  kMisbehaviour = 3  // the log contradicts what its key signed; exit 4
};
// "note", "gap", "bad evidence", "misbehaviour".
const char* NameOf(Severity severity);

struct Finding {
  Severity severity = Severity::kNote;
  std::optional<std::uint64_t> index;  // the record that shows it; none: the log as a whole
  std::string check;                   // one of docs/verifying.md; stable
  std::string expected;
  std::string actual;
};

// What was looked at.
struct Numbers {
  std::uint64_t records = 0;     // in the log, under its head
  std::uint64_t statements = 0;  // checked against their leaf, and their signature
  std::uint64_t tiles = 0;
  std::uint64_t old_heads = 0;  // earlier heads that are a prefix
  std::uint64_t replayed = 0;   // folded, one by one
  std::uint64_t signers = 0;    // signatures by a key that the records entitle
  std::uint64_t decisions = 0;  // taken again
  std::uint64_t refusals = 0;   // of them denials
  std::uint64_t seen = 0;       // heads in workers' statements that are a prefix of this log
  std::uint64_t models = 0;  // links of the digest chains: base model, aggregate, next base model
  std::uint64_t aggregations = 0;  // recomputed bit for bit
  std::uint64_t keys = 0;          // created
  std::uint64_t keys_destroyed = 0;
};

// One job's chain of models.
struct JobChain {
  std::string id;
  std::string name;
  std::string state;  // running, completed, stopped
  std::uint32_t rounds = 0;
  Bytes base_model_sha256;
  Bytes model_sha256;
  std::uint64_t refusals = 0;
};

// An aggregation that was computed again, with the same model.
struct RecomputedRound {
  std::uint64_t index = 0;  // of `aggregate`
  std::string job_id;
  std::uint32_t round = 0;
};

struct BundleInForce {
  std::uint64_t index = 0;  // of the record that put it into force
  std::uint64_t revision = 0;
  Digest sha256{};
  std::uint64_t decisions = 0;  // under it, taken again
};

// A decision on record, taken again with what it was taken with then.
struct Retaken {
  std::uint64_t index = 0;  // of the record that holds it
  v1::Decision now;         // with the id, and the other regions, of the one on record
  std::string facts_json;   // canonical: SHA-256 of it is now.facts_sha256
  std::string bundle_json;  // of the bundle in force then
};

struct Report {
  ledger::verifier::Verdict verdict = ledger::verifier::Verdict::kBadEvidence;
  absl::Time made;  // when the audit ran
  std::string federation;
  std::string organisation;
  std::string home_jurisdiction;
  ledger::verifier::TreeHead head;
  std::vector<std::pair<std::string, absl::Time>> cosigned;
  bool operator_only = false;
  absl::Time newest;  // time of the newest record; InfinitePast: none was read
  Numbers numbers;
  std::vector<BundleInForce> bundles;
  std::vector<JobChain> jobs;
  std::vector<RecomputedRound> recomputed;  // in the order of the log
  std::uint64_t not_recomputed = 0;         // aggregations
  std::vector<Finding> findings;  // the gravest first, then by index; at most kFindingsMax
  std::uint64_t findings_left_out = 0;
  std::vector<std::string> not_proven;  // never empty
  std::optional<Retaken> retaken;       // of Options::decision; none: no record holds it
};

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_REPORT_H_
