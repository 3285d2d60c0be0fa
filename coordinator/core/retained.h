// Rounds whose deltas are kept for a person, because a policy asks for it: whether they can be,
// and which files stay for it. Pure.
#ifndef CARNET_COORDINATOR_CORE_RETAINED_H_
#define CARNET_COORDINATOR_CORE_RETAINED_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/retention.h"
#include "coordinator/core/state.h"
#include "policies/obligations.h"

namespace carnet::coordinator {

// Why a closed round ended: its deltas were to be kept, and can no longer be.
inline constexpr char kNotRetainable[] = "not-retainable";

// What these obligations of one round ask about its deltas; nothing: they go with the round key.
// Error FAILED_PRECONDITION: they cannot be met. Two rules contradict each other, or the person is
// not enrolled, is revoked, or enrolled without a key to wrap for.
absl::StatusOr<std::optional<policies::DeltaRetention>> RetentionFor(
    const State& state, const std::vector<v1::Obligation>& obligations);

// The same for a round on record: its own obligations, those of its members' decisions, and once it
// is closed those of the decisions at the close.
absl::StatusOr<std::optional<policies::DeltaRetention>> RetentionFor(const State& state,
                                                                     const Round& round);

// The same, for as long as it is to be done: nothing once the round's key is kept.
absl::StatusOr<std::optional<policies::DeltaRetention>> RetentionDue(const State& state,
                                                                     const Round& round);

// Rounds of the job whose deltas are kept at `now`.
std::set<std::uint32_t> RetainedRounds(const State& state, const std::string& job_id,
                                       absl::Time now);

// Base model and sealed deltas of a kept round, as far as they are on record.
struct RetainedRound {
  std::string job_id;
  std::uint32_t round = 0;
  std::string kept_for;  // user id
  std::optional<BlobId> base_model;
  std::vector<BlobId> deltas;
};
// Of every round whose deltas are kept at `now`, in order of job and round. An attempt that was
// abandoned for another one is none: nothing was made of it.
std::vector<RetainedRound> RetainedBlobs(const State& state, absl::Time now);

// KeptBlobs (retention.h) at `now`, which is no earlier than the last record.
std::set<BlobId> KeptBlobsAt(const State& state, absl::Time now);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_RETAINED_H_
