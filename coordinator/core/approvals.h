// Approvals of jobs and of exceptions: which of them count, and for what. Pure.
//
// One counts while its approver holds the role that he acts in and until it expires; one of a job
// that was on record when it was given; never the submitter's own for his job, nor the author's own
// for his exception. Who approved what is the fact `approvals` of a flow, which rules of phase
// approval and exceptions read.
#ifndef CARNET_COORDINATOR_CORE_APPROVALS_H_
#define CARNET_COORDINATOR_CORE_APPROVALS_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "carnet/v1/records.pb.h"
#include "coordinator/core/state.h"
#include "policies/exceptions.h"
#include "policies/facts.h"

namespace carnet::coordinator {

// Everybody who approved `job` (null: none) or an exception of `bundle`, as of `at`. Who wrote an
// exception is asked of the bundle in force: one that only `bundle` has was written by nobody yet.
std::vector<policies::Approval> ApprovalsThatCount(const State& state,
                                                   const policies::Bundle& bundle, const Job* job,
                                                   absl::Time at);

// Who wrote the exception into `bundle`: the author of the first of the bundles, up to this one,
// that have had it ever since with the same text; of one that is in genesis, whom genesis names,
// which it does behind a log that was lost. Empty: nobody.
std::string AuthorOf(const State& state, const policies::Bundle& bundle,
                     const policies::ApprovedException& exception);
// Of each exception of the bundle in force that somebody wrote, by subject: for a successor's
// genesis.
std::vector<v1::ExceptionAuthor> ExceptionAuthors(const State& state);

// An exception of the bundle in force that asks for persons, and those who count.
struct ExceptionCount {
  policies::ApprovedException exception;
  std::set<std::string> approvers;
};
std::vector<ExceptionCount> CountExceptionApprovals(const State& state, absl::Time at);

// An approval of that kind, apart from what every approval must be. Errors NOT_FOUND: no such job,
// or no exception of that text in force or proposed; PERMISSION_DENIED: the submitter's or the
// author's own, or a role that the exception does not ask for.
absl::Status CheckJobApproval(const State& state, const v1::Approval& approval);
absl::Status CheckExceptionApproval(const State& state, const v1::Approval& approval);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_APPROVALS_H_
