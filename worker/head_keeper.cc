#include "worker/head_keeper.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/status.h"
#include "carnet/v1/records.pb.h"
#include "ledger/record.h"
#include "ledger/verifier/key_history.h"
#include "ledger/verifier/record.h"
#include "worker/core/receipts.h"
#include "worker/log_keys.h"

namespace carnet::worker {

using ledger::verifier::HeadTracker;
using ledger::verifier::VerifierKey;

namespace {

constexpr char kForkMark[] = "carnet/log-fork";

absl::Status ForkedError(const std::filesystem::path& evidence, absl::string_view detail) {
  absl::Status status = WithRemedy(
      WithOperatorDetail(
          absl::DataLossError("the coordinator's log contradicts what this worker verified before"),
          absl::StrCat(detail, detail.empty() ? "" : "; ", "evidence: ", evidence.string())),
      "send the evidence file to the auditors; any third party can verify it. The worker does "
      "nothing more for this log");
  return MarkFork(std::move(status));
}

}  // namespace

absl::Status MarkFork(absl::Status status) {
  status.SetPayload(kForkMark, absl::Cord("1"));
  return status;
}

bool IsFork(const absl::Status& status) {
  return status.GetPayload(kForkMark).has_value();
}

absl::Status HeadKeeper::FollowLog(
    const google::protobuf::RepeatedPtrField<v1::ProvenRecord>& rotations,
    const std::string& note) {
  const MutexLock lock(mutex_);
  VerifierKey followed = log_;
  std::vector<FollowedKey> keys;
  std::vector<const v1::ProvenRecord*> taken;
  for (const v1::ProvenRecord& proven : rotations) {
    const auto record = ledger::verifier::VerifyRecord(proven.record());
    absl::StatusOr<VerifierKey> next =
        record.ok() ? ledger::verifier::FollowLogKey(followed, *record) : record.status();
    if (next.ok() && next->successors.size() > followed.successors.size()) {
      followed = *std::move(next);
      keys.push_back({record->As<v1::KeyRotated>()->log_vkey(), proven.record()});
      taken.push_back(&proven);
    }
  }
  if (taken.empty()) {
    return absl::OkStatus();
  }
  // So far each was signed by a key that counts, no more. A key whose handover is in no log would
  // be followed for ever: whoever got hold of the old one could give it away again and again.
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::VerifiedHead head,
                          ledger::verifier::VerifyHead(note, followed));
  for (const v1::ProvenRecord* proven : taken) {
    CARNET_RETURN_IF_ERROR(ledger::verifier::VerifyProvenRecord(*proven, head.tree).status());
  }
  // Before any head that only the new key signed: such a head could not be read again without it.
  CARNET_RETURN_IF_ERROR(KeepFollowed(keys, log_keys_path_));
  for (FollowedKey& key : keys) {
    handovers_.push_back(std::move(key.handover));
  }
  log_ = followed;
  tracker_.Follow(std::move(followed));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<HeadKeeper>> HeadKeeper::Open(const StateDir& state,
                                                             const VerifierKey& first_key,
                                                             const std::string& first) {
  CARNET_ASSIGN_OR_RETURN(FollowedLog followed, ReadFollowed(first_key, state.log_keys()));
  const VerifierKey& log = followed.log;
  if (const auto evidence = state.ForkEvidence(); evidence.has_value()) {
    return ForkedError(*evidence, "");
  }
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> remembered,
                          ReadIfThere(state.head(), ledger::verifier::kHeadBytesMax));
  CARNET_ASSIGN_OR_RETURN(HeadTracker tracker,
                          HeadTracker::Create(log, remembered.value_or(first)));
  // Not make_unique: the constructor is private.
  std::unique_ptr<HeadKeeper> keeper(
      new HeadKeeper(state, log, std::move(followed.handovers), std::move(tracker)));
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> published,
                          ReadIfThere(state.published(), ledger::verifier::kHeadBytesMax));
  if (published.has_value()) {
    const MutexLock lock(keeper->mutex_);
    CARNET_ASSIGN_OR_RETURN(keeper->published_, ledger::verifier::VerifyHead(*published, log));
  }
  return keeper;
}

HeadKeeper::Turn HeadKeeper::Turn::ForPoll(HeadKeeper& keeper) {
  const MutexLock lock(keeper.mutex_);
  while (keeper.turn_taken_ || keeper.turns_wanted_ > 0) {
    keeper.turn_changed_.Wait(keeper.mutex_);
  }
  keeper.turn_taken_ = true;
  return Turn(&keeper);
}

HeadKeeper::Turn HeadKeeper::Turn::Now(HeadKeeper& keeper, CoordinatorClient& client) {
  const MutexLock lock(keeper.mutex_);
  ++keeper.turns_wanted_;
  if (keeper.turn_taken_) {
    client.CancelPoll();
  }
  while (keeper.turn_taken_) {
    keeper.turn_changed_.Wait(keeper.mutex_);
  }
  --keeper.turns_wanted_;
  keeper.turn_taken_ = true;
  return Turn(&keeper);
}

HeadKeeper::Turn::~Turn() {
  if (keeper_ != nullptr) {
    const MutexLock lock(keeper_->mutex_);
    keeper_->turn_taken_ = false;
    keeper_->turn_changed_.NotifyAll();
  }
}

absl::StatusOr<v1::ConsistencyProof> HeadKeeper::FetchProof(const std::string& note,
                                                            CoordinatorClient& client) {
  std::optional<ProofWanted> wanted;
  {
    const MutexLock lock(mutex_);
    CARNET_ASSIGN_OR_RETURN(wanted, ProofFor(tracker_, log_, note));
  }
  if (!wanted.has_value()) {
    return v1::ConsistencyProof();
  }
  v1::GetConsistencyRequest request;
  request.set_old_size(wanted->old_size);
  request.set_new_size(wanted->new_size);
  CARNET_ASSIGN_OR_RETURN(const v1::GetConsistencyResponse response,
                          client.GetConsistency(request));
  return response.consistency();
}

absl::Status HeadKeeper::Persist() {
  if (!tracker_.head().has_value()) {
    return absl::OkStatus();
  }
  return WriteFileAtomic(head_path_, AsBytes(tracker_.head()->note));
}

absl::Status HeadKeeper::Forked(const ledger::verifier::Fork& fork) {
  const std::filesystem::path evidence = root_ / fork.file_name;
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(evidence, AsBytes(fork.evidence)));
  forked_ = ForkedError(evidence, fork.message);
  return forked_;
}

absl::StatusOr<ledger::verifier::TreeHead> HeadKeeper::Advance(const std::string& note,
                                                               const v1::ConsistencyProof& proof,
                                                               CoordinatorClient& client,
                                                               const Turn& turn) {
  static_cast<void>(turn);
  v1::ConsistencyProof usable = proof;
  for (int tries = 0; tries < 2; ++tries) {
    {
      const MutexLock lock(mutex_);
      CARNET_RETURN_IF_ERROR(forked_);
      const bool same = tracker_.head().has_value() && tracker_.head()->note == note;
      const auto advanced = tracker_.Advance(note, usable);
      if (tracker_.fork().has_value()) {
        return Forked(*tracker_.fork());
      }
      if (advanced.ok()) {
        if (!same) {
          CARNET_RETURN_IF_ERROR(Persist());
        }
        return advanced->tree;
      }
      if (!absl::IsNotFound(advanced.status()) || tries > 0) {
        return advanced.status();
      }
    }
    CARNET_ASSIGN_OR_RETURN(usable, FetchProof(note, client));
  }
  return absl::InternalError("head: no proof");
}

absl::Status HeadKeeper::KeepReceipt(const v1::SignedRecord& record, const v1::Receipt& receipt,
                                     CoordinatorClient& client, const Turn& turn) {
  static_cast<void>(turn);
  CARNET_ASSIGN_OR_RETURN(const v1::ConsistencyProof proof, FetchProof(receipt.head(), client));
  {
    const MutexLock lock(mutex_);
    CARNET_RETURN_IF_ERROR(forked_);
    std::optional<ledger::verifier::Fork> fork;
    const absl::Status checked = CheckReceipt(record, receipt, proof, log_, &tracker_, &fork);
    if (fork.has_value()) {
      return Forked(*fork);
    }
    CARNET_RETURN_IF_ERROR(checked);
    CARNET_RETURN_IF_ERROR(Persist());
  }
  const std::string stem = absl::StrCat(receipt.proof().index());
  CARNET_ASSIGN_OR_RETURN(const std::string text, ReceiptFile(receipt));
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(receipts_path_ / absl::StrCat(stem, ".dsse.json"),
                                         AsBytes(ledger::EnvelopeJson(record))));
  // The proof comes last: where it is, the record is too.
  return WriteFileAtomic(receipts_path_ / absl::StrCat(stem, ".tlog-proof"), AsBytes(text));
}

absl::Status HeadKeeper::TakePublished(const std::string& note, CoordinatorClient& client,
                                       const Turn& turn) {
  static_cast<void>(turn);
  if (note.empty()) {
    return absl::OkStatus();
  }
  ledger::verifier::VerifiedHead head;
  bool known = false;
  {
    const MutexLock lock(mutex_);
    CARNET_ASSIGN_OR_RETURN(head, ledger::verifier::VerifyHead(note, log_));
    if (published_.has_value() &&
        (published_->note == note || head.tree.size < published_->tree.size)) {
      return absl::OkStatus();
    }
    known = published_.has_value() && published_->tree == head.tree;
  }
  if (!known) {
    CARNET_ASSIGN_OR_RETURN(const v1::ConsistencyProof proof, FetchProof(note, client));
    const MutexLock lock(mutex_);
    CARNET_RETURN_IF_ERROR(forked_);
    std::optional<ledger::verifier::Fork> fork;
    const absl::Status prefix = CheckPrefix(note, proof, log_, &tracker_, &fork);
    if (fork.has_value()) {
      return Forked(*fork);
    }
    CARNET_RETURN_IF_ERROR(prefix);
  }
  const MutexLock lock(mutex_);
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(published_path_, AsBytes(note)));
  published_ = std::move(head);
  return absl::OkStatus();
}

std::uint64_t HeadKeeper::PublishedSize() const {
  const MutexLock lock(mutex_);
  return published_.has_value() ? published_->tree.size : 0;
}

v1::Seen HeadKeeper::Seen() const {
  const MutexLock lock(mutex_);
  return tracker_.Seen();
}

std::vector<v1::SignedRecord> HeadKeeper::Handovers() const {
  const MutexLock lock(mutex_);
  const std::size_t count = std::min(handovers_.size(), kHandoversShownMax);
  return {handovers_.end() - static_cast<std::ptrdiff_t>(count), handovers_.end()};
}

std::string HeadKeeper::Note() const {
  const MutexLock lock(mutex_);
  return tracker_.head().has_value() ? tracker_.head()->note : std::string();
}

}  // namespace carnet::worker
