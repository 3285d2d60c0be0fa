// How each record type changes the state: one overload per type that does. Internal to core; Apply
// (apply.h) dispatches. A released record version never changes its meaning here: golden ledgers
// are folded in CI.
#ifndef CARNET_COORDINATOR_CORE_FOLD_H_
#define CARNET_COORDINATOR_CORE_FOLD_H_

#include <cstdint>

#include "absl/status/status.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// Error DATA_LOSS: the record refers to something that no earlier record made; the ledger was not
// written by Decide.
absl::Status Fold(State& state, std::uint64_t index, const v1::Genesis& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::UserEnrolled& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::UserInvited& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::UserRoleChanged& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::UserRevoked& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::Approval& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::PolicyProposed& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::PolicyExamined& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::PolicyActivated& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::PolicyWithdrawn& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::SupplierRegistered& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::RegionRegistered& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::EvidenceRecorded& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::EvidenceAccepted& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::EvidenceExpired& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::LocationContradicted& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::LocationCleared& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::WorkerInvited& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::WorkerEnrolled& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::WorkerRevoked& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::DatasetRegistered& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::ShardStaged& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::StagingOrdered& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::StagingAbandoned& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::KeyCreated& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::KeyDestructionOrdered& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::KeyDestroyed& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::KeyRotated& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::Erasure& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::ErasureDone& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::JobSubmitted& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::JobStarted& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::JobCompleted& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::JobStopped& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::RoundOpened& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::Contribution& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::ContributionRejected& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::RoundClosed& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::RoundAbandoned& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::Aggregate& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::EvaluationOpened& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::Evaluation& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::EvaluationAbandoned& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::TaskFailed& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::Refusal& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::ClockAccepted& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::CounterOpened& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::PeopleCounted& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::ObligationDue& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::ObligationMet& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::ObligationLate& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::ShardWithdrawn& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::TransferCut& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::KeyRetained& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::Release& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::LogRead& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::BridgeVerdict& record);
absl::Status Fold(State& state, std::uint64_t index, const v1::ModelAssessed& record);

// The key under which a refusal is on record once for one revision of the bundle: job, worker,
// shard, of a release the model's round, and of each flow what it is and why it is refused.
std::string RefusalKey(const State& state, const v1::Refusal& refusal);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_FOLD_H_
