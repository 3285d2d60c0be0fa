#include "coordinator/core/approvals.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/timestamp.h"
#include "coordinator/core/people.h"

namespace carnet::coordinator {
namespace {

using policies::ApprovedException;
using policies::Bundle;

// The approvals of that kind and subject that count; `author` never does.
std::vector<const ApprovalOnRecord*> Counting(const State& state, const std::string& subject,
                                              const char* kind, const std::string& author,
                                              absl::Time at) {
  std::vector<const ApprovalOnRecord*> counting;
  const auto found = state.approvals.find(subject);
  if (found == state.approvals.end()) {
    return counting;
  }
  for (const ApprovalOnRecord& approval : found->second) {
    const v1::Approval& terms = approval.terms;
    if (terms.kind() == kind && terms.approver() != author && at < ToTime(terms.expires()) &&
        HoldsRole(state, terms.approver(), terms.role())) {
      counting.push_back(&approval);
    }
  }
  return counting;
}

// Those of an exception in one of the roles that it asks for.
std::vector<policies::Approval> Counting(const State& state, const ApprovedException& exception,
                                         absl::Time at) {
  std::vector<policies::Approval> approvals;
  const std::string subject = ToString(exception.subject);
  if (state.approvals.count(subject) == 0) {
    return approvals;  // most have none, and looking for the author takes a while
  }
  const std::string author = AuthorOf(state, *state.bundle, exception);
  for (const ApprovalOnRecord* approval :
       Counting(state, subject, kApprovalOfException, author, at)) {
    const std::string& role = approval->terms.role();
    if (std::binary_search(exception.from.begin(), exception.from.end(), role)) {
      approvals.push_back({exception.name, approval->terms.approver(), role});
    }
  }
  return approvals;
}

// The exception of that text in `bundle`; null: none.
std::optional<ApprovedException> ExceptionOf(const Bundle& bundle, const std::string& subject) {
  for (const ApprovedException& exception : policies::ExceptionsOf(bundle)) {
    if (AsText(exception.subject) == subject) {
      return exception;
    }
  }
  return std::nullopt;
}

std::string GenesisAuthor(const State& state, const ApprovedException& exception) {
  for (const v1::ExceptionAuthor& carried : state.genesis.exception_authors()) {
    if (carried.subject_sha256() == AsText(exception.subject)) {
      return carried.author();
    }
  }
  return "";
}

}  // namespace

std::vector<policies::Approval> ApprovalsThatCount(const State& state, const Bundle& bundle,
                                                   const Job* job, absl::Time at) {
  std::vector<policies::Approval> approvals;
  if (job != nullptr) {
    for (const ApprovalOnRecord* approval : Counting(
             state, job->submitted.spec_sha256(), kApprovalOfJob, job->submitted.submitter(), at)) {
      // A yes is to what is on record, not to whatever is submitted later with the same words.
      if (approval->index > job->submitted_index) {
        approvals.push_back(
            {policies::kApprovalOfWholeJob, approval->terms.approver(), approval->terms.role()});
      }
    }
  }
  for (const ApprovedException& exception : policies::ExceptionsOf(bundle)) {
    const std::vector<policies::Approval> counting = Counting(state, exception, at);
    approvals.insert(approvals.end(), counting.begin(), counting.end());
  }
  return approvals;
}

std::string AuthorOf(const State& state, const Bundle& bundle, const ApprovedException& exception) {
  std::string author;
  for (const Bundle* at = &bundle; at != nullptr;) {
    const std::optional<ApprovedException> found = policies::FindException(*at, exception.name);
    if (!found.has_value() || found->subject != exception.subject) {
      return author;
    }
    const auto proposal = state.proposals.find(ToString(at->sha256()));
    if (proposal == state.proposals.end()) {
      return GenesisAuthor(state, exception);
    }
    author = proposal->second.terms.author();
    const auto parent = state.bundles.find(proposal->second.terms.parent_sha256());
    at = parent == state.bundles.end() ? nullptr : parent->second.get();
  }
  return author;
}

std::vector<v1::ExceptionAuthor> ExceptionAuthors(const State& state) {
  std::map<std::string, std::string> by_subject;
  for (const ApprovedException& exception : policies::ExceptionsOf(*state.bundle)) {
    if (std::string author = AuthorOf(state, *state.bundle, exception); !author.empty()) {
      by_subject[ToString(exception.subject)] = std::move(author);
    }
  }
  std::vector<v1::ExceptionAuthor> authors;
  for (const auto& [subject, author] : by_subject) {
    authors.emplace_back();
    authors.back().set_subject_sha256(subject);
    authors.back().set_author(author);
  }
  return authors;
}

std::vector<ExceptionCount> CountExceptionApprovals(const State& state, absl::Time at) {
  std::vector<ExceptionCount> counts;
  for (const ApprovedException& exception : policies::ExceptionsOf(*state.bundle)) {
    counts.push_back({exception, {}});
    for (const policies::Approval& approval : Counting(state, exception, at)) {
      counts.back().approvers.insert(approval.person);
    }
  }
  return counts;
}

absl::Status CheckJobApproval(const State& state, const v1::Approval& approval) {
  bool known = false;
  bool of_another = false;
  for (const auto& [id, job] : state.jobs) {
    if (job.submitted.spec_sha256() == approval.subject_sha256()) {
      known = true;
      of_another = of_another || job.submitted.submitter() != approval.approver();
    }
  }
  if (!known) {
    return absl::NotFoundError("approval: no such job");
  }
  return of_another
             ? absl::OkStatus()
             : absl::PermissionDeniedError("approval: the submitter's own approval never counts");
}

absl::Status CheckExceptionApproval(const State& state, const v1::Approval& approval) {
  std::vector<const Bundle*> bundles = {state.bundle.get()};
  for (const auto& [digest, proposal] : state.proposals) {
    if (proposal.phase == ProposalPhase::kOpen) {
      bundles.push_back(proposal.bundle.get());
    }
  }
  absl::Status refused = absl::NotFoundError(
      "approval: no exception in force or proposed has this text (carnet policy status)");
  for (const Bundle* const bundle : bundles) {
    const std::optional<ApprovedException> exception =
        ExceptionOf(*bundle, approval.subject_sha256());
    if (!exception.has_value()) {
      continue;
    }
    if (!std::binary_search(exception->from.begin(), exception->from.end(), approval.role())) {
      refused = absl::PermissionDeniedError("approval: the exception does not ask for this role");
    } else if (AuthorOf(state, *bundle, *exception) == approval.approver()) {
      refused = absl::PermissionDeniedError("approval: the author's own approval never counts");
    } else {
      return absl::OkStatus();
    }
  }
  return refused;
}

}  // namespace carnet::coordinator
