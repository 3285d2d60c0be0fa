// What must hold before a record is folded: the legal transitions, one overload a record type.
// Written from docs/verifying.md and not from Decide, so that a fault of the one is seen by the
// other. Internal to the audit; pure.
#ifndef CARNET_COORDINATOR_AUDIT_CHECKS_H_
#define CARNET_COORDINATOR_AUDIT_CHECKS_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "coordinator/audit/recompute.h"
#include "coordinator/audit/step.h"
#include "coordinator/core/flows.h"
#include "ledger/record_types.h"

namespace carnet::coordinator::audit {

// Adds a finding for every rule that the record breaks.
void Check(const Step& step, const v1::Genesis& record);
void Check(const Step& step, const v1::UserEnrolled& record);
void Check(const Step& step, const v1::SupplierRegistered& record);
void Check(const Step& step, const v1::RegionRegistered& record);
void Check(const Step& step, const v1::EvidenceRecorded& record);
void Check(const Step& step, const v1::EvidenceAccepted& record);
void Check(const Step& step, const v1::EvidenceExpired& record);
void Check(const Step& step, const v1::ModelAssessed& record);
void Check(const Step& step, const v1::LocationContradicted& record);
void Check(const Step& step, const v1::LocationCleared& record);
void Check(const Step& step, const v1::WorkerInvited& record);
void Check(const Step& step, const v1::WorkerEnrolled& record);
void Check(const Step& step, const v1::WorkerRevoked& record);
void Check(const Step& step, const v1::DatasetRegistered& record);
void Check(const Step& step, const v1::ShardStaged& record);
void Check(const Step& step, const v1::StagingOrdered& record);
void Check(const Step& step, const v1::StagingAbandoned& record);
void Check(const Step& step, const v1::KeyCreated& record);
void Check(const Step& step, const v1::KeyDestructionOrdered& record);
void Check(const Step& step, const v1::KeyDestroyed& record);
void Check(const Step& step, const v1::JobSubmitted& record);
void Check(const Step& step, const v1::JobStarted& record);
void Check(const Step& step, const v1::JobCompleted& record);
void Check(const Step& step, const v1::JobStopped& record);
void Check(const Step& step, const v1::RoundOpened& record);
void Check(const Step& step, const v1::Contribution& record);
void Check(const Step& step, const v1::ContributionRejected& record);
void Check(const Step& step, const v1::RoundClosed& record);
void Check(const Step& step, const v1::RoundAbandoned& record);
void Check(const Step& step, const v1::Aggregate& record);
void Check(const Step& step, const v1::EvaluationOpened& record);
void Check(const Step& step, const v1::Evaluation& record);
void Check(const Step& step, const v1::EvaluationAbandoned& record);
void Check(const Step& step, const v1::TaskFailed& record);
void Check(const Step& step, const v1::Refusal& record);
void Check(const Step& step, const v1::ClockAccepted& record);
void Check(const Step& step, const v1::UserInvited& record);
void Check(const Step& step, const v1::UserRoleChanged& record);
void Check(const Step& step, const v1::UserRevoked& record);
void Check(const Step& step, const v1::Approval& record);
void Check(const Step& step, const v1::PolicyProposed& record);
void Check(const Step& step, const v1::PolicyExamined& record);
void Check(const Step& step, const v1::PolicyActivated& record);
void Check(const Step& step, const v1::PolicyWithdrawn& record);
void Check(const Step& step, const v1::KeyRotated& record);
void Check(const Step& step, const v1::Erasure& record);
void Check(const Step& step, const v1::ErasureDone& record);
void Check(const Step& step, const v1::CounterOpened& record);
void Check(const Step& step, const v1::PeopleCounted& record);
void Check(const Step& step, const v1::ObligationDue& record);
void Check(const Step& step, const v1::ObligationMet& record);
void Check(const Step& step, const v1::ObligationLate& record);
void Check(const Step& step, const v1::ShardWithdrawn& record);
void Check(const Step& step, const v1::TransferCut& record);
void Check(const Step& step, const v1::KeyRetained& record);
void Check(const Step& step, const v1::BridgeVerdict& record);
void Check(const Step& step, const v1::Release& record);
void Check(const Step& step, const v1::LogRead& record);

// ---- shared by several ----

// The job, if it is on record and has not ended; else a finding and null.
const Job* RunningJobOf(const Step& step, const std::string& job_id, const char* check);
// The open round of that number and attempt; else a finding and null.
const Round* OpenRoundOf(const Step& step, const Job& job, std::uint32_t round,
                         std::uint32_t attempt, const char* check);
// Null: not a member.
const v1::RoundMember* MemberOf(const Round& round, const std::string& worker_id);
// The worker, if it is enrolled and not revoked; else a finding and null.
const Worker* LiveWorkerOf(const Step& step, const std::string& worker_id, const char* check);
// A finding unless the user is enrolled with one of the roles.
void ExpectRole(const Step& step, const std::string& user_id, const std::set<std::string>& roles);
// A region of grade `provider` has the evidence on file that this grade stands on.
void ExpectProofOfPlace(const Step& step, const v1::RegionRegistered& record);
// Whether the record's statement is signed with this key.
using StatementVerifier = std::function<absl::Status(ByteView public_key)>;
// A finding unless the statement is signed by a person who holds one of `roles`, once, and within a
// day before its record. None at all is a note in what `carnet init` writes, for it counts for
// nothing. `entry` ("region/sg"): it is signed later than each before of this entry. True: it
// counts.
bool ExpectStated(const Step& step, const v1::Common& common, const v1::PersonStatement& stated,
                  const std::set<std::string>& roles, const StatementVerifier& verify,
                  const std::string& entry = "");
// A finding for each of `shards` ("dataset/shard") that was withdrawn before.
void ExpectNotWithdrawn(const Step& step, const std::set<std::string>& shards);
std::set<std::string> ShardNamesOf(const ShardVersions& versions);
// A finding unless all that a worker gave over may come home, by the policies and facts before the
// record that takes it. When it was taken, no record says: after the last record, before
// `deadline`, at about the time that the worker signed. Only what is denied at the first and at the
// last of these is found.
void ExpectMayCome(const Step& step, const std::vector<FlowContext>& flows, absl::Time signed_at,
                   absl::Time deadline);
// The round's key is kept if its decisions ask for it.
void CheckKept(const Step& step, const Round& round);
// Has the aggregation computed again, where its deltas were kept, and compares.
void RecomputeAggregate(const Step& step, const v1::Aggregate& record,
                        const Recomputation& recomputation);
// "nothing" for no bytes.
std::string Hex(const std::string& bytes);
std::string Hex(const Bytes& bytes);

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_CHECKS_H_
