// The newest head of the log that this worker verified: in memory, on disk, and the one place where
// a fork is noticed. Heads must be seen in the order of the calls that brought them, so calls that
// return heads run one at a time: the long poll holds the turn while it waits and gives it up when
// somebody else asks for it.
#ifndef CARNET_WORKER_HEAD_KEEPER_H_
#define CARNET_WORKER_HEAD_KEEPER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "carnet/v1/federation.pb.h"
#include "ledger/verifier/head_tracker.h"
#include "worker/coordinator_client.h"
#include "worker/state_dir.h"

namespace carnet::worker {

// Whether `status` says so: the error of a fork is marked, since a damaged disk is DATA_LOSS as
// well.
bool IsFork(const absl::Status& status);
// `status`, marked so.
absl::Status MarkFork(absl::Status status);

// Handovers of the log's key that are shown with the newest head: none is lost to a backup that
// old.
inline constexpr std::size_t kHandoversShownMax = 4;

// Thread-safe.
class HeadKeeper {
 public:
  // Reads the remembered head; starts from `first` (of the enrolment) where there is none.
  // Errors: DATA_LOSS evidence of a fork lies in the state directory: a person decides what
  // follows. UNAUTHENTICATED the remembered head is no head of `log`. Those of base/files.h.
  static absl::StatusOr<std::unique_ptr<HeadKeeper>> Open(const StateDir& state,
                                                          const ledger::verifier::VerifierKey& log,
                                                          const std::string& first);

  // Follows the records among `rotations` by which the log's key hands over to another: heads that
  // the new one signed count from here on. Durable on return. Others are passed over. note: the
  // head that came with them; whether it extends what this worker saw is for Advance to say.
  // Errors: UNAUTHENTICATED the note is no head of the log, or one of these records is not in it:
  // nothing changes. RESOURCE_EXHAUSTED too many of them. Those of base/files.h.
  absl::Status FollowLog(const google::protobuf::RepeatedPtrField<v1::ProvenRecord>& rotations,
                         const std::string& note) CARNET_EXCLUDES(mutex_);

  // A turn for a call that returns a head. While one is held, no other is given.
  class Turn {
   public:
    // For the long poll: waits while others hold or want the turn.
    static Turn ForPoll(HeadKeeper& keeper);
    // For everyone else: ends a waiting poll by client.CancelPoll().
    static Turn Now(HeadKeeper& keeper, CoordinatorClient& client);
    ~Turn();
    Turn(Turn&& other) noexcept : keeper_(std::exchange(other.keeper_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;

   private:
    explicit Turn(HeadKeeper* keeper) : keeper_(keeper) {}
    HeadKeeper* keeper_;
  };

  // Takes a head that a call brought; asks for the missing proof by `client`. Durable on return.
  // Errors: DATA_LOSS misbehaviour: evidence is on disk, and every later call fails.
  // UNAUTHENTICATED no head of this log. Those of the call and of base/files.h.
  absl::StatusOr<ledger::verifier::TreeHead> Advance(const std::string& note,
                                                     const v1::ConsistencyProof& proof,
                                                     CoordinatorClient& client, const Turn& turn);

  // Checks the receipt of `record` and keeps both below receipts/. Errors as Advance.
  absl::Status KeepReceipt(const v1::SignedRecord& record, const v1::Receipt& receipt,
                           CoordinatorClient& client, const Turn& turn);

  // Takes the newest published head, which must be a prefix of the newest head: a receipt below its
  // size is pending no more. Smaller ones than before, and an empty note, change nothing. Durable
  // on return. Errors as Advance.
  absl::Status TakePublished(const std::string& note, CoordinatorClient& client, const Turn& turn);
  // The size that the newest published head covers; 0: none.
  std::uint64_t PublishedSize() const CARNET_EXCLUDES(mutex_);

  v1::Seen Seen() const CARNET_EXCLUDES(mutex_);
  std::string Note() const CARNET_EXCLUDES(mutex_);
  // The newest records that FollowLog took, oldest first: a coordinator whose state was rolled back
  // to before them learns from them that it signed Note() itself.
  std::vector<v1::SignedRecord> Handovers() const CARNET_EXCLUDES(mutex_);

 private:
  HeadKeeper(StateDir const& state, const ledger::verifier::VerifierKey& log,
             std::vector<v1::SignedRecord> handovers, ledger::verifier::HeadTracker tracker)
      : root_(state.root()),
        head_path_(state.head()),
        receipts_path_(state.receipts()),
        published_path_(state.published()),
        log_keys_path_(state.log_keys()),
        log_(log),
        handovers_(std::move(handovers)),
        tracker_(std::move(tracker)) {}

  // Proof to place `note` beside the remembered head; empty when none is needed.
  absl::StatusOr<v1::ConsistencyProof> FetchProof(const std::string& note,
                                                  CoordinatorClient& client)
      CARNET_EXCLUDES(mutex_);
  absl::Status Persist() CARNET_REQUIRES(mutex_);
  // Writes the evidence and turns `status` into one that says where it is.
  absl::Status Forked(const ledger::verifier::Fork& fork) CARNET_REQUIRES(mutex_);

  const std::filesystem::path root_;
  const std::filesystem::path head_path_;
  const std::filesystem::path receipts_path_;
  const std::filesystem::path published_path_;
  const std::filesystem::path log_keys_path_;
  mutable Mutex mutex_;
  ledger::verifier::VerifierKey log_ CARNET_GUARDED_BY(mutex_);
  std::vector<v1::SignedRecord> handovers_ CARNET_GUARDED_BY(mutex_);  // oldest first
  CondVar turn_changed_;
  bool turn_taken_ CARNET_GUARDED_BY(mutex_) = false;
  int turns_wanted_ CARNET_GUARDED_BY(mutex_) = 0;
  absl::Status forked_ CARNET_GUARDED_BY(mutex_);
  ledger::verifier::HeadTracker tracker_ CARNET_GUARDED_BY(mutex_);
  std::optional<ledger::verifier::VerifiedHead> published_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_HEAD_KEEPER_H_
