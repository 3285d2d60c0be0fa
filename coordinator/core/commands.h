// What the world asks of the core. Everything that comes from outside (time, random bytes,
// measurements, what is live) is in the command, and so in the record before it counts; Decide
// (decide.h) is a function of state and command alone.
#ifndef CARNET_COORDINATOR_CORE_COMMANDS_H_
#define CARNET_COORDINATOR_CORE_COMMANDS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/federation.pb.h"
#include "carnet/v1/jobs.pb.h"
#include "carnet/v1/records.pb.h"
#include "policies/bundle.h"

namespace carnet::coordinator {

// Workers that polled within three heartbeats.
using LiveWorkers = std::set<std::string>;

// ---- asked by people ----
struct SubmitJob {
  std::string user_id;
  v1::SignedRecord record;     // job-submitted; its signature is checked by Decide
  v1::JobSubmitted submitted;  // as parsed from the record
  bool model_stored = false;   // the base model is durable in the blob store
};
struct StopJob {
  std::string user_id;
  std::string job_id;
};
struct InviteWorker {
  std::string user_id;
  Bytes token_sha256;
  std::string region;
  std::string slot;
  absl::Time expires;
};
struct RevokeWorker {
  std::string user_id;  // empty: the coordinator itself
  std::string worker_id;
  std::string reason;
};
struct AddEvidence {
  std::string user_id;
  v1::AddEvidenceRequest evidence;
};
// An item that somebody proposed.
struct AcceptEvidence {
  std::string user_id;
  v1::AcceptEvidenceRequest acceptance;
};
struct WithdrawEvidence {
  std::string user_id;
  std::string evidence_id;
};
struct StageData {
  std::string user_id;
  std::string dataset;
  std::string shard;
  std::string to_worker;  // id or slot
  LiveWorkers live;
};
struct AcceptClock {
  std::string user_id;
  absl::Time wall;
};
struct InviteUser {
  std::string user_id;
  Bytes token_sha256;
  std::set<std::string> roles;
  absl::Time expires;
  std::string jurisdiction = {};  // where the person works
  std::string organisation = {};  // whom the person works for
};
// An approval of any kind but role, which GrantRole takes.
struct RecordApproval {
  std::string user_id;
  v1::SignedRecord record;  // approval; its signature was checked when it was opened
  v1::Approval approval;    // as parsed from the record
};
struct AssessModel {
  std::string user_id;
  v1::SignedRecord record;       // model-assessed; its signature was checked when it was opened
  v1::ModelAssessed assessment;  // as parsed from the record
};
// Account roles need an admin; every other role the approval (of kind role) of somebody who holds
// it.
struct GrantRole {
  std::string user_id;
  std::string to_user;
  std::string role;
  std::optional<v1::SignedRecord> record;  // the approval, as in RecordApproval
  v1::Approval approval;
};
struct RevokeRole {
  std::string user_id;
  std::string of_user;
  std::string role;
};
struct RevokeUser {
  std::string user_id;
  std::string of_user;
  std::string reason;
};
struct ProposePolicy {
  std::string user_id;
  v1::SignedRecord record;  // policy-proposed; its signature was checked when it was opened
  v1::PolicyProposed proposed;
  std::shared_ptr<const policies::Bundle> bundle;  // as loaded from it
  v1::PolicyExamined examined;  // of policies/impact.h over this bundle and `parent_sha256`
};
// user_id empty: Reconcile, when approvals are complete and the time has come.
struct ActivatePolicy {
  std::string user_id;
  Bytes bundle_sha256;
};
// user_id empty: another bundle came into force meanwhile.
struct WithdrawPolicy {
  std::string user_id;
  Bytes bundle_sha256;
};

// No later round uses the shard.
struct WithdrawShard {
  std::string user_id;
  std::string dataset;
  std::string shard;
  std::string reason;
};
// A new entry of the registry, or the whole of one anew.
struct RegisterSupplier {
  std::string user_id;
  std::string supplier;
  v1::SupplierConfig terms;
  v1::PersonStatement stated = {};  // over the record that this becomes
};
struct RegisterRegion {
  std::string user_id;
  std::string region;
  v1::RegionConfig terms;
  v1::PersonStatement stated = {};
};
// Something speaks against the place of a region; it was looked into. Fields as in the records.
struct ContradictLocation {
  std::string user_id;
  std::string region;
  std::string worker;  // id or slot; empty: no single one
  std::string observed;
  std::string seen_in;
  std::uint64_t round_trip_micros = 0;
  Bytes document_sha256 = {};
};
struct ClearLocation {
  std::string user_id;
  std::string region;
  std::string reason;
  Bytes document_sha256 = {};
  v1::PersonStatement stated = {};  // over the record that this becomes
};
struct RegisterDataset {
  std::string user_id;
  std::string dataset;
  std::vector<v1::ShardRegistration> shards;
  v1::PersonStatement stated = {};
};
// A model of the job goes to the person who asks, and its manifest with it.
struct ReleaseModel {
  std::string user_id;
  std::string job_id;
  std::uint32_t round = 0;  // 0: the newest
};
// Statements go to the person who asks.
struct ReadLog {
  std::string user_id;
};

// ---- asked by somebody with a token ----
struct EnrollUser {
  Bytes token_sha256;
  Bytes tls_spki_sha256;           // of the CSR
  Bytes public_key;                // Ed25519, possession proved
  std::string asked_id;            // the user id that the CSR names
  Bytes wrapping_public_key = {};  // X25519; empty: none
};

struct OpenCounter {
  std::string user_id;
  std::string counter;  // people.<code>.<category>
  std::uint64_t people = 0;
  absl::Time as_of;
  v1::PersonStatement stated = {};
};
struct MeetObligation {
  std::string user_id;
  std::string obligation_id;
  Bytes document_sha256;
};
// The new key is a durable file when this comes.
struct RotateKey {
  std::string user_id;
  v1::KeyRotated rotated;  // all but common and rotated_by
};
// The value is in the vault when this comes.
struct EraseValue {
  std::string user_id;
  std::uint64_t index = 0;  // of the record that the value belongs to
  Bytes leaf_sha256;        // that record's leaf
  std::string field;
  std::string vault_id;
  v1::ErasureReason reason = v1::ERASURE_REASON_UNSPECIFIED;
};

// ---- asked by workers ----
struct EnrollWorker {
  Bytes token_sha256;
  std::string spiffe_id;  // of the CSR, which is signed with the key in tls_spki_sha256
  Bytes tls_spki_sha256;
  Bytes statement_public_key;  // possession proved
  Bytes wrapping_public_key;   // possession proved
  v1::WorkerStatement statement;
};
struct ClaimShards {
  std::string worker_id;
  std::vector<v1::ShardClaim> claims;
};
struct FailTask {
  std::string worker_id;
  std::string task_id;
  v1::TaskFailure failure;
};
// The first byte of a task's download or upload is about to move: is it still allowed, with today's
// facts?
struct RecheckTask {
  std::string worker_id;
  std::string task_id;
  std::string ticket_id;
  bool upload = false;
  std::shared_ptr<const LiveWorkers> live = nullptr;  // for what a refusal advises; null: nobody
};
// Bytes under a ticket stopped, because RecheckTask says that they may not move any more, or its
// worker is revoked.
struct CutTransfer {
  std::string worker_id;
  std::string task_id;
  std::string ticket_id;
  bool upload = false;
  std::uint64_t bytes_crossed = 0;
};
struct ConfirmStaged {
  std::string worker_id;
  std::string task_id;  // the staging's id
  Bytes sha256;         // of the opened shard
  Bytes sealed_sha256;  // of what moved, as the spool has it
  std::uint64_t sealed_bytes = 0;
};
// A contribution that was uploaded whole. `verdict` is empty when the sealed delta verified, else a
// reason of reasons.h.
struct SubmitContribution {
  std::string worker_id;  // of the connection
  v1::SignedRecord record;
  v1::Contribution contribution;
  bool signed_by_worker = false;  // the record's key is the worker's, and the signature verifies
  bool seen_in_log = false;       // `seen` is a prefix of this log
  std::string verdict;
};
// An upload that will not become a contribution: damaged, of another task, not this worker's.
struct RejectUpload {
  std::string worker_id;
  std::string task_id;
  std::string reason;
  std::string sealed_sha256;
};
struct SubmitEvaluation {
  std::string worker_id;
  v1::SignedRecord record;
  v1::Evaluation evaluation;
  bool signed_by_worker = false;
  bool seen_in_log = false;
};

// ---- asked by Reconcile, or reported by an effect that it started ----
// Keys and sealed model of a round are durable files when this comes.
struct OpenRound {
  std::string job_id;
  std::uint32_t round = 0;
  std::uint32_t attempt = 0;
  std::string round_key_id;
  Bytes round_public_key;
  v1::SealedArtifact model;
  LiveWorkers live;
  Bytes bundle_sha256 = {};  // that the model is sealed under; another one in force: prepare again
};
// The policies refused members: put it on record, once for each refusal.
struct RecordRefusals {
  std::string job_id;
  LiveWorkers live;
};
struct CloseRound {
  std::string job_id;
  LiveWorkers live = {};  // for what a refusal advises
};
struct AbandonRound {
  std::string job_id;
  std::string reason;
};
struct RecordAggregate {
  std::string job_id;
  std::uint32_t round = 0;
  std::uint32_t attempt = 0;
  Bytes model_sha256;
  std::uint64_t model_bytes = 0;
  Bytes optimizer_state_sha256;
};
// A verified delta could not be read back while aggregating.
struct StorageFault {
  std::string job_id;
  std::string worker_id;
};
struct OpenEvaluation {
  std::string job_id;
  std::uint32_t round = 0;
  std::uint32_t attempt = 0;
  v1::SealedArtifact model;
  LiveWorkers live;
  Bytes bundle_sha256 = {};  // as in OpenRound
};
struct AbandonEvaluation {
  std::string job_id;
  std::string reason;
  LiveWorkers live;  // for the refusals, when that is the reason
};
struct CompleteJob {
  std::string job_id;
};
struct OrderKeyDestruction {
  std::vector<std::string> key_ids;
  std::string reason;
};
struct KeysDestroyed {
  std::vector<std::string> key_ids;
};
// The round key's private half, wrapped for the person whom a policy names.
struct RetainKey {
  std::string job_id;
  std::string key_id;
  std::string kept_for;  // user id
  Bytes encapsulated;
  Bytes wrapped_key;
};
// A transfer moves under a yes of the organisation's own policy engine that may end soon: it is
// asked again. Nothing else comes of it.
struct KeepTransfer {
  std::string worker_id;
  std::string task_id;
  std::string ticket_id;
  bool upload = false;
};
// What the organisation's own policy engine answered.
struct RecordBridgeVerdict {
  v1::BridgeVerdict verdict;  // bridge, input, outcome, error, reasons, engine_decision_id
  absl::Duration valid_for;   // of an answer
};
struct ValueErased {
  std::string vault_id;
};
struct AbandonStaging {
  std::string staging_id;
  std::string reason;
};

// Every duty whose day has come and that nobody met.
struct RecordLateDuties {};

using CommandBody = std::variant<
    SubmitJob, StopJob, InviteWorker, RevokeWorker, AddEvidence, AcceptEvidence, WithdrawEvidence,
    StageData, AcceptClock, EnrollWorker, ClaimShards, FailTask, RecheckTask, ConfirmStaged,
    SubmitContribution, RejectUpload, SubmitEvaluation, OpenRound, RecordRefusals, CloseRound,
    AbandonRound, RecordAggregate, StorageFault, OpenEvaluation, AbandonEvaluation, CompleteJob,
    OrderKeyDestruction, KeysDestroyed, AbandonStaging, InviteUser, EnrollUser, RecordApproval,
    GrantRole, RevokeRole, RevokeUser, ProposePolicy, ActivatePolicy, WithdrawPolicy, OpenCounter,
    MeetObligation, RecordLateDuties, RotateKey, EraseValue, ValueErased, WithdrawShard,
    RegisterSupplier, RegisterRegion, RegisterDataset, ReleaseModel, ReadLog, CutTransfer,
    RetainKey, RecordBridgeVerdict, AssessModel, ContradictLocation, ClearLocation, KeepTransfer>;

struct Command {
  CommandBody body;
  // max(wall clock, time of the last record); set by the engine.
  absl::Time now;
  // 16 bytes made by the caller; the same id gets the first answer. Empty for the core's own steps.
  std::string request_id;
  // 32 fresh random bytes: nonces, ids and picks are derived from them.
  Bytes entropy;
  // Decide may answer with questions instead (Decided::questions): somebody asks them, and the
  // command comes again.
  bool may_ask = false;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_COMMANDS_H_
