// The whole verification of a contribution at receipt, before anything is decided about it. Blocks:
// run it on an executor.
#ifndef CARNET_COORDINATOR_RPC_VERIFY_CONTRIBUTION_H_
#define CARNET_COORDINATOR_RPC_VERIFY_CONTRIBUTION_H_

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/core/commands.h"
#include "coordinator/core/state.h"
#include "coordinator/rpc/services.h"
#include "exchange/artifact.h"

namespace carnet::coordinator {

// What an upload's or contribution's header is held against: taken from the open round.
struct RoundExpectation {
  v1::RoundOpened opened;
  v1::RoundMember member;
  v1::JobSpec spec;
};
// Error FAILED_PRECONDITION: no such round is open for this worker.
absl::StatusOr<RoundExpectation> ExpectationOf(const State& state, const std::string& job_id,
                                               const std::string& worker_id);

// Compares every field of a delta's header with what the records say, before anything is opened.
// Returns the reason (reasons.h) that a difference amounts to; empty: none. Error: our own model
// file cannot be read.
absl::StatusOr<std::string> CheckDeltaHeader(const Services& services,
                                             const RoundExpectation& expected,
                                             const WorkerPeer& worker,
                                             const v1::ArtifactHeader& header);

// Opens the record, checks its signer and `seen`, and verifies the sealed delta whole. What is
// wrong with the contribution is in the command, for Decide to judge; an error says that it could
// not be looked at.
absl::StatusOr<SubmitContribution> VerifyContribution(const Services& services,
                                                      const RoundExpectation& expected,
                                                      const WorkerPeer& worker,
                                                      const v1::SignedRecord& record,
                                                      v1::Contribution contribution);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_VERIFY_CONTRIBUTION_H_
