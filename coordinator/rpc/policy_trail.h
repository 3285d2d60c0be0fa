// Where in the log the records about people and policies are: what workers follow to know by
// themselves how the policies in force came to be. Reads the log once, as workers ask. Thread-safe.
#ifndef CARNET_COORDINATOR_RPC_POLICY_TRAIL_H_
#define CARNET_COORDINATOR_RPC_POLICY_TRAIL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "carnet/v1/federation.pb.h"
#include "ledger/log.h"

namespace carnet::coordinator {

// In one answer to a worker's poll. A larger single record goes alone.
inline constexpr std::size_t kTrailRecordsMax = 256;
inline constexpr std::size_t kTrailBytesMax = std::size_t{3} << 20;
// A worker keeps the text of that many of the newest proposals (worker/core/policy_chain.h); the
// one that is proposed last among them.
inline constexpr std::size_t kTrailProposalTextsKept = 16;
// Records of the log that one call looks at: a long log is read in several polls.
inline constexpr std::uint64_t kTrailLookMax = 16384;

// All calls block on the log and return its errors.
class PolicyTrail {
 public:
  // Whether a worker that knows everything before `followed` is to be answered at once. 0: it does
  // not follow.
  absl::StatusOr<bool> HasNews(const ledger::LogView& log, std::uint64_t followed)
      CARNET_EXCLUDES(mutex_);

  // The key-rotated records below `size` beyond the first `known`: what signs the newest of the
  // others.
  std::vector<std::uint64_t> Rotations(std::size_t known, std::uint64_t size) const
      CARNET_EXCLUDES(mutex_);

  // Fills policy, policy_continues and bundle_json of `response`, whose proofs are under `head`. An
  // answer ends with the first activation whose bundle was proposed before it, or long enough
  // before that the worker let go of its text; that text comes along.
  absl::Status Fill(const ledger::LogView& log, const v1::NextTaskRequest& request,
                    const ledger::SignedHead& head, v1::NextTaskResponse* response)
      CARNET_EXCLUDES(mutex_);

 private:
  // Looks at kTrailLookMax records more, up to `size`. False: there are more of them.
  absl::StatusOr<bool> CatchUp(const ledger::LogView& log, std::uint64_t size)
      CARNET_REQUIRES(mutex_);
  absl::Status Look(std::uint64_t index, const v1::SignedRecord& record) CARNET_REQUIRES(mutex_);
  // proposal: whose text goes along with the last of them; left alone if none does.
  std::vector<std::uint64_t> Next(std::uint64_t followed, std::uint64_t size,
                                  std::optional<std::uint64_t>* proposal) const
      CARNET_REQUIRES(mutex_);
  // Of the bundle proposed at `index`; empty: none is.
  static absl::StatusOr<std::string> TextOf(const ledger::LogView& log, std::uint64_t index);

  mutable Mutex mutex_;
  std::uint64_t read_ CARNET_GUARDED_BY(mutex_) = 1;  // genesis is known
  std::vector<std::uint64_t> indexes_ CARNET_GUARDED_BY(mutex_);
  std::vector<std::uint64_t> rotations_ CARNET_GUARDED_BY(mutex_);
  std::vector<std::uint64_t> proposals_ CARNET_GUARDED_BY(mutex_);
  // Of the records that put a bundle into force: where it was proposed.
  std::map<std::uint64_t, std::uint64_t> activations_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_POLICY_TRAIL_H_
