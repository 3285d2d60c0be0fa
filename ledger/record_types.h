// The closed list of record types that this version reads and writes. A new type is a message in
// api/carnet/v1/records.proto and a line here (docs/recipes.md); a released one never changes.
#ifndef CARNET_LEDGER_RECORD_TYPES_H_
#define CARNET_LEDGER_RECORD_TYPES_H_

#include "carnet/v1/records.pb.h"

// Every record message, in the order of records.proto. (message, who signs it).
#define CARNET_RECORD_TYPES(X)           \
  X(Genesis, kCoordinator)               \
  X(UserEnrolled, kCoordinator)          \
  X(SupplierRegistered, kCoordinator)    \
  X(RegionRegistered, kCoordinator)      \
  X(EvidenceRecorded, kCoordinator)      \
  X(EvidenceAccepted, kCoordinator)      \
  X(EvidenceExpired, kCoordinator)       \
  X(WorkerInvited, kCoordinator)         \
  X(WorkerEnrolled, kCoordinator)        \
  X(WorkerRevoked, kCoordinator)         \
  X(DatasetRegistered, kCoordinator)     \
  X(ShardStaged, kCoordinator)           \
  X(StagingOrdered, kCoordinator)        \
  X(StagingAbandoned, kCoordinator)      \
  X(ShardWithdrawn, kCoordinator)        \
  X(TransferCut, kCoordinator)           \
  X(KeyCreated, kCoordinator)            \
  X(KeyDestructionOrdered, kCoordinator) \
  X(KeyDestroyed, kCoordinator)          \
  X(KeyRetained, kCoordinator)           \
  X(KeyRotated, kCoordinator)            \
  X(Erasure, kCoordinator)               \
  X(ErasureDone, kCoordinator)           \
  X(JobSubmitted, kUser)                 \
  X(JobStarted, kCoordinator)            \
  X(JobCompleted, kCoordinator)          \
  X(JobStopped, kCoordinator)            \
  X(RoundOpened, kCoordinator)           \
  X(Contribution, kWorker)               \
  X(ContributionRejected, kCoordinator)  \
  X(RoundClosed, kCoordinator)           \
  X(RoundAbandoned, kCoordinator)        \
  X(Aggregate, kCoordinator)             \
  X(EvaluationOpened, kCoordinator)      \
  X(Evaluation, kWorker)                 \
  X(EvaluationAbandoned, kCoordinator)   \
  X(TaskFailed, kCoordinator)            \
  X(Refusal, kCoordinator)               \
  X(Release, kCoordinator)               \
  X(LogRead, kCoordinator)               \
  X(BridgeVerdict, kCoordinator)         \
  X(ClockAccepted, kCoordinator)         \
  X(UserInvited, kCoordinator)           \
  X(UserRoleChanged, kCoordinator)       \
  X(UserRevoked, kCoordinator)           \
  X(Approval, kUser)                     \
  X(PolicyProposed, kUser)               \
  X(PolicyExamined, kCoordinator)        \
  X(PolicyActivated, kCoordinator)       \
  X(PolicyWithdrawn, kCoordinator)       \
  X(CounterOpened, kCoordinator)         \
  X(PeopleCounted, kCoordinator)         \
  X(ObligationDue, kCoordinator)         \
  X(ObligationMet, kCoordinator)         \
  X(ObligationLate, kCoordinator)

namespace carnet::ledger {

// Whose key a record of a type is signed with.
enum class SignerKind { kCoordinator, kUser, kWorker };

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_RECORD_TYPES_H_
