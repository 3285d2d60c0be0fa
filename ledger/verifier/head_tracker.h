// A monitor's memory of one log: the newest head it verified. A log that does not extend it has
// misbehaved. Pure: the caller keeps `head().note` on disk, and writes evidence where its operator
// finds it.
#ifndef CARNET_LEDGER_VERIFIER_HEAD_TRACKER_H_
#define CARNET_LEDGER_VERIFIER_HEAD_TRACKER_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/verifier/heads.h"

namespace carnet::ledger::verifier {

// Why two heads of one log contradict each other.
enum class ForkReason {
  kSmaller,    // the new head is smaller than the remembered one
  kOtherRoot,  // the same size, another root: the two notes alone prove it
  kBadProof,   // the log's own proof does not lead from one to the other
};

struct Fork {
  ForkReason reason = ForkReason::kSmaller;
  std::string file_name;  // fork-<new size>.tlog-fork
  std::string evidence;   // both notes and the proof; VerifyForkEvidence reads it
  std::string message;    // one line for people: sizes and roots
};

// Not thread-safe. Heads come in the order of the requests that brought them.
class HeadTracker {
 public:
  // remembered: as head().note once was. Error UNAUTHENTICATED: it is no head of `log`.
  static absl::StatusOr<HeadTracker> Create(VerifierKey log, absl::string_view remembered);
  static HeadTracker CreateEmpty(VerifierKey log);

  // Takes a newer head. proof: from the remembered size to the note's; may be empty when sizes are
  // equal or nothing is remembered. On success the head is the remembered one, and is returned.
  // Errors: UNAUTHENTICATED the note is no head of this log, or the proof is of other sizes:
  // nothing is shown against the log. NOT_FOUND a proof is needed and none came; ask for one and
  // call again. DATA_LOSS misbehaviour: fork() is set and every later call fails in the same way.
  absl::StatusOr<VerifiedHead> Advance(absl::string_view note, const v1::ConsistencyProof& proof);

  // The same log with keys that it was handed over to (FollowLogKey).
  void Follow(VerifierKey log) { log_ = std::move(log); }

  const std::optional<VerifiedHead>& head() const { return head_; }
  const std::optional<Fork>& fork() const { return fork_; }
  // For statements; all empty when nothing is remembered.
  v1::Seen Seen() const;

 private:
  explicit HeadTracker(VerifierKey log) : log_(std::move(log)) {}
  absl::Status Forked(ForkReason reason, const VerifiedHead& newer,
                      const v1::ConsistencyProof& proof);

  VerifierKey log_;
  std::optional<VerifiedHead> head_;
  std::optional<Fork> fork_;
};

// What a third party checks: both notes are signed by `log` and contradict each other.
// Returns the reason. Error UNAUTHENTICATED: the file proves nothing.
absl::StatusOr<ForkReason> VerifyForkEvidence(absl::string_view evidence, const VerifierKey& log);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_HEAD_TRACKER_H_
