// The records that one command is about to make, and what every one of them needs. Internal to
// Decide.
#ifndef CARNET_COORDINATOR_CORE_DRAFTS_H_
#define CARNET_COORDINATOR_CORE_DRAFTS_H_

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/timestamp.h"
#include "coordinator/core/decide.h"
#include "coordinator/core/flows.h"

namespace carnet::coordinator {

class Drafts {
 public:
  Drafts(const State& state, const Command& command) : state_(state), command_(command) {}

  const State& state() const { return state_; }
  absl::Time now() const { return command_.now; }
  ByteView entropy() const { return command_.entropy; }
  std::uint64_t* counter() { return &counter_; }
  std::string NewId(absl::string_view prefix) {
    return DeriveId(prefix, command_.entropy, &counter_);
  }

  // What the ids inside of one record follow from. It becomes that record's nonce, by AddWithIds:
  // whoever holds the record can work its ids out (ledger/record_ids.h).
  Bytes id_seed() const {
    // Apart from every number that is drawn for something else.
    std::uint64_t number = std::uint64_t{1} << 40;
    return Derive(command_.entropy, &number, 32);
  }

  // Appends a coordinator record; fills `common`. subjects: only for types whose subject the
  // predicate does not hold. Returns the index that it will have.
  template <typename Message>
  std::uint64_t Add(Message message, std::vector<ledger::Subject> subjects = {}) {
    return AddWithNonce(std::move(message), std::move(subjects),
                        Derive(command_.entropy, &counter_, 32));
  }
  // The same of a record whose ids follow from id_seed(); one of a command.
  template <typename Message>
  std::uint64_t AddWithIds(Message message, std::vector<ledger::Subject> subjects = {}) {
    return AddWithNonce(std::move(message), std::move(subjects), id_seed());
  }
  // Appends a record that came signed.
  template <typename Message>
  std::uint64_t AddSigned(const Message& message, const v1::SignedRecord& record) {
    return Push({message, {}, record});
  }

  // Whether the organisation's own policy engine is to be asked before these verdicts count.
  bool MustAsk(const Verdicts& verdicts) const {
    return command_.may_ask && !verdicts.questions.empty();
  }
  bool MayAsk() const { return command_.may_ask; }

  // Nothing on record yet: the command comes again when these were asked.
  static Decided Ask(std::set<std::string> questions) {
    Decided decided;
    decided.questions = std::move(questions);
    return decided;
  }

  // A refusal that is on record already.
  void Repeat(const v1::Refusal& refusal) {
    std::set<v1::Operation> refused;
    for (const v1::Decision& decision : refusal.decisions()) {
      if (decision.verdict() != v1::VERDICT_ALLOW) {
        refused.insert(decision.flow().operation());
      }
    }
    decided_.repeated.insert(decided_.repeated.end(), refused.begin(), refused.end());
  }

  Decided Answer(std::uint64_t index) && {
    decided_.answer_index = index;
    return std::move(decided_);
  }
  // Everything on record, and the caller hears `refusal`.
  Decided Refuse(std::uint64_t index, absl::Status refusal) && {
    decided_.answer_index = index;
    decided_.answer = std::move(refusal);
    return std::move(decided_);
  }
  Decided Done() && { return std::move(decided_); }

 private:
  template <typename Message>
  std::uint64_t AddWithNonce(Message message, std::vector<ledger::Subject> subjects,
                             const Bytes& nonce) {
    v1::Common* common = message.mutable_common();
    common->set_nonce(ToString(nonce));
    *common->mutable_at() = ToTimestamp(command_.now);
    common->set_request_id(command_.request_id);
    return Push({std::move(message), std::move(subjects), std::nullopt});
  }
  std::uint64_t Push(NewRecord record) {
    decided_.records.push_back(std::move(record));
    return state_.size + decided_.records.size() - 1;
  }

  const State& state_;
  const Command& command_;
  std::uint64_t counter_ = 0;
  Decided decided_;
};

// ---- one function per command; errors as in decide.h ----
absl::StatusOr<Decided> DecideOn(Drafts drafts, const SubmitJob& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const StopJob& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const CompleteJob& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const InviteWorker& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RevokeWorker& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const AddEvidence& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const AcceptEvidence& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const WithdrawEvidence& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const AcceptClock& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const InviteUser& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const EnrollUser& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecordApproval& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const GrantRole& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RevokeRole& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RevokeUser& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const ProposePolicy& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const ActivatePolicy& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const WithdrawPolicy& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const EnrollWorker& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const StageData& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const ConfirmStaged& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const AbandonStaging& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const ClaimShards& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const OpenRound& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecordRefusals& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const SubmitContribution& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RejectUpload& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const FailTask& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecheckTask& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const CloseRound& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const AbandonRound& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecordAggregate& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const StorageFault& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const OpenEvaluation& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const SubmitEvaluation& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const AbandonEvaluation& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const OrderKeyDestruction& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const KeysDestroyed& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const OpenCounter& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const MeetObligation& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecordLateDuties& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RotateKey& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const EraseValue& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const ValueErased& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const WithdrawShard& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RegisterSupplier& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RegisterRegion& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RegisterDataset& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const ContradictLocation& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const ClearLocation& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const ReleaseModel& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const ReadLog& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const CutTransfer& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RetainKey& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const RecordBridgeVerdict& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const AssessModel& command);
absl::StatusOr<Decided> DecideOn(Drafts drafts, const KeepTransfer& command);

// ---- shared by several ----

// PERMISSION_DENIED unless the user is enrolled with one of `roles`.
absl::Status RequireRole(const State& state, const std::string& user_id,
                         const std::set<std::string>& roles);
// NOT_FOUND or FAILED_PRECONDITION unless the job is running.
absl::StatusOr<const Job*> RunningJob(const State& state, const std::string& job_id);
// The worker, if it is enrolled and not revoked; else PERMISSION_DENIED.
absl::StatusOr<const Worker*> LiveWorker(const State& state, const std::string& worker_id);

// FAILED_PRECONDITION: another bundle came into force while a model was sealed under this one,
// which its header names. Empty: sealed under none.
absl::Status CheckPreparedUnder(const State& state, ByteView bundle_sha256);

// Precondition: `sha256` has 32 bytes.
ledger::Subject DigestSubject(std::string name, absl::string_view sha256);

// Orders the destruction of every live key of the job's round (or of its evaluation).
void OrderDestruction(Drafts* drafts, const std::string& job_id, std::uint32_t round,
                      std::uint32_t attempt, absl::string_view purpose_prefix,
                      const std::string& reason);

// Refusals that are not on record yet; those that are, are counted (Decided::repeated). Returns the
// index of the last one, if any was added.
std::optional<std::uint64_t> AddRefusals(Drafts* drafts, const std::vector<v1::Refusal>& refusals);
// The same of one. Returns the index of its record, also where it is there already.
std::uint64_t AddRefusal(Drafts* drafts, const v1::Refusal& refusal);

// "refused by policy" and the ids of the reasons. Whoever hears it may sit abroad: the words are in
// the record.
std::string RefusedByPolicy(const v1::Refusal& refusal);
// The same, with the index of its record. PERMISSION_DENIED.
absl::Status RefusedByPolicy(const v1::Refusal& refusal, std::uint64_t index);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_DRAFTS_H_
