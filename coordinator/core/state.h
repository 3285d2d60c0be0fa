// What the coordinator knows: the fold of the ledger's records, and nothing else. Apply (apply.h)
// is the only writer. Pure values, owned by the engine's strand; copies are snapshots. Maps are
// ordered, so that everything derived from the state has one order.
#ifndef CARNET_COORDINATOR_CORE_STATE_H_
#define CARNET_COORDINATOR_CORE_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/records.pb.h"
#include "policies/loader.h"

namespace carnet::coordinator {

struct User {
  std::string id;
  Bytes public_key;
  std::set<std::string> roles;  // that count
  std::set<std::string> asked;  // that wait for the approval of somebody who holds them
  bool revoked = false;
  std::uint64_t index = 0;    // of user-enrolled
  Bytes tls_spki_sha256;      // of his client key; empty: certificate made at init
  Bytes wrapping_public_key;  // X25519; empty: nothing can be kept for him
  std::string jurisdiction;   // where he works; empty: nobody said
  std::string organisation;   // whom he works for; empty: nobody said
};

struct UserInvitation {
  v1::UserInvited terms;
  std::string user_id;  // who used it; empty: nobody
};

enum class ProposalPhase { kOpen, kActivated, kWithdrawn };
// A bundle that somebody proposed; activated ones stay, so that old decisions can be made again.
struct Proposal {
  v1::PolicyProposed terms;  // without bundle_json
  std::uint64_t index = 0;
  std::shared_ptr<const policies::Bundle> bundle;
  v1::PolicyExamined examined;  // with its report
  ProposalPhase phase = ProposalPhase::kOpen;
  std::uint64_t activated_index = 0;
};

// A person's signed yes (records.proto, Approval). Whether it counts: core/people.h.
struct ApprovalOnRecord {
  std::uint64_t index = 0;
  v1::Approval terms;
};

struct Region {
  v1::RegionConfig terms;
  std::string supplier;  // empty: the home organisation
  // What speaks against its place and nobody cleared, by index (core/location.h).
  std::map<std::uint64_t, v1::LocationContradicted> contradictions = {};
};

// What a person said with a key of his own, in a role that he held then (core/statements.h).
struct StatementOnRecord {
  v1::PersonStatement terms;
  std::uint64_t index = 0;  // of the record that holds it
};

struct Evidence {
  v1::EvidenceRecorded terms;
  bool withdrawn = false;
  std::shared_ptr<const StatementOnRecord> brought;   // null: by nobody whose word counts
  std::shared_ptr<const StatementOnRecord> accepted;  // null: it counts for nothing
  std::uint64_t accepted_index = 0;                   // of evidence-accepted; 0: none
};

// What somebody found out about a model (core/assessments.h).
struct Assessment {
  v1::ModelAssessed terms;
  std::uint64_t index = 0;
  // Approvals of anonymity that followed one another up to `terms`, newest last; of those before,
  // as many as core/assessments.h keeps. Empty: `terms` approves none.
  struct Approval {
    std::uint64_t index = 0;
    absl::Time valid_from;
    absl::Time valid_to;  // exclusive
  };
  std::vector<Approval> anonymity = {};
};

struct Invitation {
  v1::WorkerInvited terms;
  std::string worker_id;  // who used it; empty: nobody
};

struct Worker {
  v1::WorkerEnrolled terms;
  std::string path;  // SPIFFE path, the order of every sum
  bool revoked = false;
  std::uint64_t index = 0;  // of worker-enrolled
};

// A class of labels: shards with equal labels are one class, and classes are never merged.
struct LabelClass {
  std::set<std::string> subjects_in;
  std::set<std::string> categories;
  bool known = false;  // false: nobody vouched for the labels, or a holder's copy differs

  // Text of the class as flows name it, e.g. "DE|personal"; "unknown" when not known.
  std::string Name() const;
  bool operator<(const LabelClass& other) const;
  bool operator==(const LabelClass& other) const = default;
};
using Lineage = std::set<LabelClass>;
// "dataset/shard@<hex of its digest>" (core/counters.h).
using ShardVersions = std::set<std::string>;

struct Shard {
  v1::ShardRegistration terms;
  Bytes sha256;  // registered, or stated by the first claim where it is stored
  std::map<std::string, Bytes> holders;    // worker id -> digest of its copy
  std::map<std::string, int> claims;       // worker id -> how often its copy went on record
  std::optional<std::uint64_t> withdrawn;  // index of shard-withdrawn
  std::shared_ptr<const StatementOnRecord> stated;  // null: labels and counts are unknown
};

enum class KeyPhase { kLive, kDestructionOrdered, kDestroyed };
struct Key {
  v1::KeyCreated terms;
  KeyPhase phase = KeyPhase::kLive;
};

// A round's key that is kept for somebody, with the round's deltas.
struct RetainedKey {
  v1::KeyRetained terms;
  std::uint64_t index = 0;
};

// A model went, or may go, to somebody.
struct ReleaseOnRecord {
  v1::Release terms;
  std::uint64_t index = 0;
};

// Somebody may read statements until it expires.
struct ReadingOnRecord {
  v1::LogRead terms;
  std::uint64_t index = 0;
};

// What the organisation's own policy engine said of a flow (core/bridge.h).
struct BridgeAnswer {
  v1::BridgeVerdict answer;  // the newest that is no error, without its input; outcome empty: none
  std::uint64_t index = 0;   // of `answer`
  std::string error;         // of the newest question, if that came to nothing
  std::uint32_t errors = 0;  // in a row
  absl::Time retry_at = absl::InfinitePast();  // it is not asked before, after an error
};

// A long-lived key (statement, log or ca) that gave way to another.
struct Rotation {
  v1::KeyRotated terms;
  std::uint64_t index = 0;
  std::string old_key_id;  // the old key's file
};

// A value of the vault that is to be destroyed, or is.
struct ErasureOrder {
  v1::Erasure ordered;
  std::uint64_t index = 0;
  bool done = false;
};

struct Contribution {
  std::uint64_t index = 0;
  std::string sealed_sha256;
  std::uint64_t sealed_bytes = 0;
  std::map<std::string, double> metrics;
};

struct Round {
  v1::RoundOpened opened;
  std::uint64_t opened_index = 0;
  std::map<std::string, Contribution> contributions;  // by worker id
  std::map<std::string, std::string> out;         // worker id -> reason: rejected, failed, revoked
  std::map<std::string, Lineage> labels;          // of each member's shards, when the round opened
  std::map<std::string, ShardVersions> versions;  // the same shards
  std::map<std::string, int> rejections;          // on record, by worker id
  std::set<std::string> storage_faults;  // contributions found unreadable while aggregating
  std::optional<v1::RoundClosed> closed;
  std::uint64_t closed_index = 0;
};

struct EvaluationTask {
  v1::EvaluationOpened opened;
  std::uint64_t opened_index = 0;
};

// One finished round.
struct RoundResult {
  std::uint32_t round = 0;
  Bytes model_sha256;
  std::uint64_t aggregate_index = 0;
  std::map<std::string, double> training;    // metrics, mean by weight
  std::map<std::string, double> evaluation;  // of this model; empty: not evaluated
  std::uint32_t contributions = 0;
};

enum class JobPhase { kRunning, kCompleted, kStopped };

// A contribution on record, for its sender that asks again.
struct GivenReceipt {
  std::uint32_t attempt = 0;
  std::uint64_t index = 0;
  std::string sealed_sha256;
};
// Rounds of a job whose receipts are given again after the round has ended.
inline constexpr std::size_t kReceiptRoundsKept = 16;

struct Job {
  std::string id;
  v1::JobSubmitted submitted;
  std::uint64_t submitted_index = 0;
  JobPhase phase = JobPhase::kRunning;
  std::string end_reason;
  Bytes model_sha256;  // newest: the base model, then each aggregate
  Bytes optimizer_state_sha256;
  Lineage lineage;         // labels of everything in model_sha256
  ShardVersions versions;  // the shards themselves
  std::uint32_t rounds_done = 0;
  std::uint32_t attempts_used = 0;  // of the round under way
  absl::Time retry_after = absl::InfinitePast();
  // facts_version when the last attempt was refused at its end: another one waits for a change.
  std::optional<std::uint64_t> refused_by;
  std::optional<Round> round;
  std::optional<EvaluationTask> evaluation;
  bool evaluation_due = false;  // the newest model waits for its golden-set evaluation
  std::uint32_t evaluation_attempts = 0;
  std::map<std::uint32_t, std::map<std::string, GivenReceipt>> receipts;  // by round and worker
  std::vector<RoundResult> results;
  std::map<std::pair<std::string, std::string>, std::uint64_t>
      traffic;  // (from, to) -> sealed bytes
  std::uint64_t refusals = 0;
  std::vector<std::uint64_t> records;      // indexes of every record of this job, in order
  std::set<std::uint64_t> bridge_records;  // those among them that are BridgeVerdicts
};

enum class StagingPhase { kOrdered, kStaged, kAbandoned };
struct Staging {
  v1::StagingOrdered ordered;
  std::uint64_t ordered_index = 0;
  std::uint64_t staged_index = 0;  // of shard-staged, once it is
  StagingPhase phase = StagingPhase::kOrdered;
  std::string reason;
  std::uint64_t sealed_bytes = 0;
};

// What a decision asked for that is to be done afterwards.
struct Duty {
  v1::ObligationDue terms;
  std::uint64_t index = 0;
  std::optional<std::uint64_t> met;   // index of obligation-met
  std::optional<std::uint64_t> late;  // index of obligation-late
};

// What a record was about, as far as an impact report needs it to find its flows again
// (core/recorded.h). Places and organisations, no persons.
struct RecordedUse {
  v1::Operation operation = v1::OPERATION_UNSPECIFIED;  // unspecified: a worker's part in a round
  std::string job_id;                                   // empty outside jobs
  std::string worker_id;       // whom it concerned; stage_data: the receiver
  std::string from_worker_id;  // stage_data, where it was ordered
  std::string shard;           // stage_data: dataset/shard
  std::string model_sha256;    // release_model (raw)
  std::string to;              // release_model, read_log: jurisdiction
  std::string recipient;       // the same: organisation
  bool operator<(const RecordedUse& other) const;
};

struct State {
  std::uint64_t size = 0;  // records folded
  absl::Time last = absl::InfinitePast();
  v1::Genesis genesis;
  std::shared_ptr<const policies::Bundle> bundle;  // in force
  // Every bundle that was ever in force, by digest (raw).
  std::map<std::string, std::shared_ptr<const policies::Bundle>> bundles;
  std::map<std::string, Proposal> proposals;  // by bundle digest (raw)
  std::uint64_t facts_version = 0;            // moves with every record that can change a decision

  std::map<std::string, User> users;
  std::map<std::string, UserInvitation> user_invitations;          // by token digest (hex)
  std::map<std::string, std::vector<ApprovalOnRecord>> approvals;  // by subject digest (raw)
  // With the home organisation, where somebody said more of it than genesis.
  std::map<std::string, v1::SupplierConfig> suppliers;
  std::map<std::string, Region> regions;
  std::map<std::string, Evidence> evidence;
  std::map<std::string, Assessment> assessments;  // the newest by model digest (raw)
  std::map<std::string, Invitation> invitations;  // by token digest (hex)
  std::map<std::string, Worker> workers;
  std::map<std::string, Shard> shards;  // by dataset/shard
  std::map<std::string, Key> keys;
  std::vector<Rotation> rotations;                   // in their order
  std::map<std::string, ErasureOrder> erasures;      // by vault id
  std::map<std::string, RetainedKey> retained_keys;  // by key id
  // The newest by (user id, model digest, raw); each counts until it expires.
  std::map<std::pair<std::string, std::string>, ReleaseOnRecord> releases;
  std::map<std::string, ReadingOnRecord> readings;  // the newest by user id
  std::map<std::string, BridgeAnswer> bridge;       // by the SHA-256 of the facts asked about (raw)
  std::string bridge_engine;  // engine_sha256 of the newest question; no other's answers are kept
  std::string bridge_input;   // of that question
  std::set<std::string> cut_tickets;  // nothing moves under these any more
  // The record in force of each registered name: "supplier/lion", "region/sg", "dataset/digits".
  std::map<std::string, std::uint64_t> registered;
  // Who stands behind "supplier/lion", "region/sg" and "counter/people.US.health"; null or absent:
  // nobody whose word counts.
  std::map<std::string, std::shared_ptr<const StatementOnRecord>> statements;
  std::set<std::string> statement_nonces;  // of those that counted
  // When the newest that counted was signed, by entry; it stays where nobody stands behind it now.
  std::map<std::string, absl::Time> stated_at;
  std::map<std::string, Job> jobs;
  std::map<std::string, Staging> stagings;
  std::map<std::string, Lineage> model_lineage;         // model digest (raw) -> labels
  std::map<std::string, ShardVersions> model_versions;  // model digest (raw) -> shards
  std::map<std::string, v1::CounterOpened> openings;    // by counter, e.g. "people.US.health"
  std::map<std::string, absl::Time> crossed;            // shard version -> last counted
  std::map<std::string, Duty> duties;                   // by id
  std::set<std::string> duty_keys;                      // core/duties.h: what is on record already
  std::map<std::string, std::uint64_t> requests;        // request id -> index of its first record
  std::map<std::string, std::uint64_t> refusal_keys;    // refusal already on record -> its index

  // How often each is on record, by UTC day since 1970: the newest kRecordedDays.
  std::map<std::int64_t, std::map<RecordedUse, std::uint64_t>> recorded;
  // Of those, refusals under the revision in force, however long ago: a repeat is not on record.
  std::map<RecordedUse, std::uint64_t> refused_uses;

  const Worker* FindWorker(const std::string& id) const;
  const Job* FindJob(const std::string& id) const;
  // The newest rotation of `kind`; null: the founding key is in force.
  const Rotation* FindRotation(const std::string& kind) const;
  // The file of the key of `kind` in force: the founding one is named after its kind.
  std::string KeyIdOf(const std::string& kind) const;
  // Public half of the key that signs the next coordinator record.
  const std::string& StatementKey() const;
  // The supplier that runs a region: its own, or the home organisation's name.
  std::string OperatorOf(const std::string& region) const;
};

// "dataset/shard".
std::string ShardKey(const std::string& dataset, const std::string& shard);
// The class of a shard as `worker_id` holds it: unknown when its copy is not the registered one.
LabelClass ClassOf(const Shard& shard, const std::string& worker_id);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_STATE_H_
