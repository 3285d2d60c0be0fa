// Whether a bundle may come into force: PolicyChain's strictest step.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "crypto/hash.h"
#include "policies/change.h"
#include "policies/evaluate.h"
#include "policies/exceptions.h"
#include "policies/holders.h"
#include "worker/core/policy_chain.h"

namespace carnet::worker {
namespace {

using Rules = std::vector<policies::ApprovalRule>;

absl::Status Refused(absl::string_view what) {
  return absl::FailedPreconditionError(what);
}

// What the author does to the bundle in force, whatever the coordinator calls it.
policies::Authorship AuthorshipOf(const std::string& intent, const policies::Bundle& before,
                                  const policies::Bundle& next) {
  if (intent == "change" && policies::CheckTightensOnly(before, next).ok()) {
    return policies::Authorship::kTightens;
  }
  return intent == "renew" && !policies::Compare(before, next).any()
             ? policies::Authorship::kRenews
             : policies::Authorship::kChanges;
}

}  // namespace

// The next revision, after the bundle in force. What comes out of order between two records of the
// coordinator is its own contradiction.
absl::Status PolicyChain::CheckSuccession(const v1::PolicyActivated& record) const {
  const InForce& before = in_force();
  if (record.revision() <= before.revision) {
    return Contradiction(absl::StrCat("it puts revision ", record.revision(),
                                      " of the policies into force, although record ", before.index,
                                      " had put revision ", before.revision, " into force"));
  }
  if (record.revision() > before.revision + 1) {
    return Refused(absl::StrCat("it puts revision ", record.revision(),
                                " of the policies into force; the one before it was not shown"));
  }
  if (record.parent_sha256() != AsText(before.sha256)) {
    return Contradiction(absl::StrCat("it replaces another bundle of revision ", before.revision,
                                      " than the one in force"));
  }
  return absl::OkStatus();
}

// The record says what the proposed bundle and its examination say.
absl::Status PolicyChain::CheckHead(const v1::PolicyActivated& record, const Proposal& proposal,
                                    const policies::Bundle& next) const {
  const policies::BundleHead& head = next.head();
  const absl::Time at = ToTime(record.common().at());
  if (AsText(next.sha256()) != record.bundle_sha256() || head.revision != record.revision() ||
      !head.parent.has_value() || AsText(*head.parent) != record.parent_sha256() ||
      proposal.revision != record.revision() ||
      AsText(proposal.parent_sha256) != record.parent_sha256()) {
    return Refused("the bundle that was proposed has another digest, revision or parent");
  }
  if (proposal.report_sha256.empty() || AsText(proposal.report_sha256) != record.report_sha256()) {
    return Refused("its report is not the one that the proposal was examined with");
  }
  if (ToTime(record.valid_from()) != head.valid_from ||
      ToTime(record.valid_to()) != head.valid_to || at < head.valid_from || at >= head.valid_to) {
    return Refused("it came into force outside the bundle's own validity");
  }
  if (record.evaluator() == 0 || record.evaluator() > policies::kEvaluatorVersion) {
    return Refused("its decisions are taken by an evaluator that this version does not have");
  }
  return absl::OkStatus();
}

// By the rules of the bundle in force: who may write the change, and who must say yes to it.
absl::Status PolicyChain::CheckApprovals(const v1::PolicyActivated& record,
                                         const Proposal& proposal,
                                         const policies::Bundle& next) const {
  const policies::Authorship authorship = AuthorshipOf(proposal.intent, *bundle_, next);
  const bool tightens = authorship == policies::Authorship::kTightens;
  if (record.tighten_only() && !tightens) {
    return Refused("it is said to tighten only, and may allow more");
  }
  const Rules rules = policies::NeededApprovals(*bundle_, next);
  if (rules.empty()) {
    return Refused("no policy says who approves it");
  }
  if (const policies::ApprovalRule* const rule =
          policies::FirstNotAuthors(rules, proposal.author_roles, authorship);
      rule != nullptr) {
    return Refused(absl::StrCat("its author may not change ", rule->policy));
  }
  for (const std::uint64_t index : record.approvals()) {
    if (index >= followed_ || approvals_.count(index) == 0) {
      return Refused(absl::StrCat("it names an approval at record ", index,
                                  ", where this site was shown none"));
    }
  }
  if (tightens) {
    return absl::OkStatus();
  }
  const absl::Time at = ToTime(record.common().at());
  for (const policies::ApprovalRule& rule : rules) {
    std::set<std::string> persons;
    for (const std::uint64_t index : record.approvals()) {
      const Approval& approval = approvals_.at(index);
      if (approval.kind == "bundle" && AsText(approval.subject_sha256) == record.bundle_sha256() &&
          AsText(approval.report_sha256) == record.report_sha256() &&
          approval.approver != proposal.author && approval.held && at < approval.expires &&
          std::find(rule.from.begin(), rule.from.end(), approval.role) != rule.from.end() &&
          Holds(approval.approver, approval.role)) {
        persons.insert(approval.approver);
      }
    }
    if (persons.size() < rule.need) {
      return Refused(absl::StrCat("it lacks approvals: ", rule.policy, " needs ", rule.need, " of ",
                                  absl::StrJoin(rule.from, ", "), ", and ", persons.size(),
                                  " that count are on record"));
    }
  }
  return absl::OkStatus();
}

// bundle_ is what comes into force.
void PolicyChain::NoteExceptions(const std::string& author, const policies::Bundle& before) {
  std::map<std::string, std::string> known;
  for (const policies::ApprovedException& exception : policies::ExceptionsOf(before)) {
    known[ToString(exception.subject)] = ExceptionAuthor(exception.subject);
  }
  exception_authors_.clear();
  for (const policies::ApprovedException& exception : policies::ExceptionsOf(*bundle_)) {
    const std::string subject = ToString(exception.subject);
    const auto kept = known.find(subject);
    const std::string& writer = kept == known.end() ? author : kept->second;
    if (!writer.empty()) {
      exception_authors_[subject] = writer;
    }
  }
}

absl::Status PolicyChain::FoldActivated(std::uint64_t index, const v1::PolicyActivated& record,
                                        absl::string_view bundle_json) {
  CARNET_RETURN_IF_ERROR(CheckSuccession(record));
  const auto found = proposals_.find(record.bundle_sha256());
  if (found == proposals_.end() || found->second.index != record.proposed_index()) {
    return Refused("it puts a bundle into force that nobody was shown to have proposed");
  }
  const Proposal& proposal = found->second;
  const std::string text =
      proposal.bundle_json.empty() ? std::string(bundle_json) : proposal.bundle_json;
  if (AsText(crypto::Sha256(AsBytes(text))) != record.bundle_sha256()) {
    return Refused("the text of the bundle did not come");
  }
  auto next = policies::BundleFromJson(text);
  if (!next.ok()) {
    return WithOperatorDetail(Refused("this version cannot read the bundle"),
                              next.status().message());
  }
  CARNET_RETURN_IF_ERROR(CheckHead(record, proposal, **next));
  CARNET_RETURN_IF_ERROR(CheckApprovals(record, proposal, **next));
  if ((*next)->home() != genesis_.home_jurisdiction()) {
    return Refused("its home is another one than genesis says");
  }
  if (history_.size() >= kBundlesMax) {
    return absl::ResourceExhaustedError("4096 bundles were in force, which is the limit");
  }
  const std::shared_ptr<const policies::Bundle> before = bundle_;
  bundle_ = *std::move(next);
  NoteExceptions(proposal.author, *before);
  const absl::Time at = ToTime(record.common().at());
  history_.push_back(InForce{index, bundle_->sha256(), bundle_->revision(), at,
                             bundle_->head().valid_from, bundle_->head().valid_to});
  proposals_.erase(found);
  withdrawn_.clear();  // what they replaced is not in force any more
  DropApprovals(at);
  return absl::OkStatus();
}

}  // namespace carnet::worker
