// The life of a bundle: proposed, examined, in force, withdrawn.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/audit/impact_again.h"
#include "coordinator/core/people.h"
#include "coordinator/core/policy_life.h"
#include "crypto/hash.h"
#include "policies/change.h"
#include "policies/evaluate.h"
#include "policies/holders.h"
#include "policies/loader.h"

namespace carnet::coordinator::audit {
namespace {

using Rules = std::vector<policies::ApprovalRule>;

constexpr std::size_t kReportJsonBytesMax = std::size_t{256} << 10;

std::string NeedText(const std::string& policy, std::uint32_t need,
                     const std::set<std::string>& from) {
  return absl::StrCat(policy, ": ", need, " of ", absl::StrJoin(from, ", "));
}

std::string NeedsText(const Rules& rules) {
  return absl::StrJoin(rules, "; ", [](std::string* out, const policies::ApprovalRule& rule) {
    absl::StrAppend(out, NeedText(rule.policy, rule.need, {rule.from.begin(), rule.from.end()}));
  });
}

std::string NeedsText(const v1::PolicyExamined& record) {
  return absl::StrJoin(record.needs(), "; ", [](std::string* out, const v1::ApprovalNeed& need) {
    absl::StrAppend(out,
                    NeedText(need.policy(), need.need(), {need.from().begin(), need.from().end()}));
  });
}

// The proposal that waits; else a finding and null.
const Proposal* OpenProposalOf(const Step& step, const std::string& bundle_sha256) {
  const auto found = step.state().proposals.find(bundle_sha256);
  if (!step.Expect(found != step.state().proposals.end(), "proposal",
                   absl::StrCat("policy-proposed of ", Hex(bundle_sha256)), "none before")) {
    return nullptr;
  }
  return step.Expect(found->second.phase == ProposalPhase::kOpen, "proposal", "one that waits",
                     found->second.phase == ProposalPhase::kActivated ? "one that came into force"
                                                                      : "one that was withdrawn")
             ? &found->second
             : nullptr;
}

// An approver was asked by the bundle in force, and not by what examination says of it.
bool IsTightening(const State& state, const Proposal& proposal) {
  return proposal.terms.intent() == kIntentChange &&
         policies::CheckTightensOnly(*state.bundle, *proposal.bundle).ok();
}

bool IsReportOf(const std::string& json, const v1::PolicyProposed& terms) {
  const absl::StatusOr<nlohmann::json> report = ParseJson(json, kReportJsonBytesMax);
  return report.ok() && report->is_object() &&
         report->value("bundle", nlohmann::json()) == HexEncode(AsBytes(terms.bundle_sha256())) &&
         report->value("parent", nlohmann::json()) == HexEncode(AsBytes(terms.parent_sha256()));
}

// Nothing but its head is another one.
bool IsRenewal(const State& state, const Proposal& proposal) {
  return proposal.terms.intent() == kIntentRenew &&
         !policies::Compare(*state.bundle, *proposal.bundle).any();
}

// Whoever wrote it may write that.
void CheckAuthorship(const Step& step, const Proposal& proposal, const Rules& rules) {
  const State& state = step.state();
  const std::string& author = proposal.terms.author();
  const auto user = state.users.find(author);
  const bool counts = user != state.users.end() && !user->second.revoked;
  const policies::ApprovalRule* const rule =
      policies::FirstNotAuthors(rules, counts ? user->second.roles : std::set<std::string>(),
                                IsTightening(state, proposal) ? policies::Authorship::kTightens
                                : IsRenewal(state, proposal)  ? policies::Authorship::kRenews
                                                              : policies::Authorship::kChanges);
  step.Expect(rule == nullptr, "proposal",
              rule == nullptr
                  ? ""
                  : absl::StrCat(rule->policy,
                                 " is changed by one of: ", absl::StrJoin(rule->propose, ", ")),
              author);
}

// Persons who said yes, for each policy that the bundle in force says the change reaches.
void CheckApprovals(const Step& step, const Proposal& proposal, absl::Time at) {
  const State& state = step.state();
  const Rules rules = policies::NeededApprovals(*state.bundle, *proposal.bundle);
  step.Expect(!rules.empty(), "activation", "a policy that asks for approvals", "none");
  for (const policies::ApprovalRule& rule : rules) {
    ApprovalQuery query;
    query.subject_sha256 = ToBytes(proposal.terms.bundle_sha256());
    query.kind = kApprovalOfBundle;
    query.roles = {rule.from.begin(), rule.from.end()};
    query.report_sha256 = ToBytes(proposal.examined.report_sha256());
    query.author = proposal.terms.author();
    const std::set<std::string> approvers = ApproversOf(state, query, at);
    step.Expect(approvers.size() >= rule.need, "activation",
                NeedText(rule.policy, rule.need, query.roles),
                absl::StrCat(approvers.size(), " approvals that count"));
  }
}

// The list in the record is of approvals of this bundle, all of them.
void CheckApprovalList(const Step& step, const v1::PolicyActivated& record) {
  std::vector<std::uint64_t> on_record;
  const auto approvals = step.state().approvals.find(record.bundle_sha256());
  if (approvals != step.state().approvals.end()) {
    for (const ApprovalOnRecord& approval : approvals->second) {
      on_record.push_back(approval.index);
    }
  }
  const std::vector<std::uint64_t> listed(record.approvals().begin(), record.approvals().end());
  step.Expect(listed == on_record, "activation",
              absl::StrCat("the approvals at records ", absl::StrJoin(on_record, ", ")),
              absl::StrCat("records ", absl::StrJoin(listed, ", ")));
}

}  // namespace

// Replay checks the signature: the author's own key.
void Check(const Step& step, const v1::PolicyProposed& record) {
  const State& state = step.state();
  step.Expect(state.proposals.count(record.bundle_sha256()) == 0 &&
                  state.bundles.count(record.bundle_sha256()) == 0,
              "proposal", "a bundle that is not on record", Hex(record.bundle_sha256()));
  step.Expect(record.parent_sha256() == AsText(state.bundle->sha256()), "proposal",
              absl::StrCat("parent ", HexEncode(state.bundle->sha256()), ", which is in force"),
              absl::StrCat("parent ", Hex(record.parent_sha256())));
  step.Expect(record.revision() == state.bundle->revision() + 1, "proposal",
              absl::StrCat("revision ", state.bundle->revision() + 1),
              absl::StrCat("revision ", record.revision()));
  const auto user = state.users.find(record.author());
  step.Expect(user != state.users.end() && !user->second.revoked, "proposal",
              "an author who is enrolled and not revoked", record.author());
  const auto bundle = policies::BundleFromJson(record.bundle_json());
  if (!step.Expect(bundle.ok(), "proposal", "a bundle that can be read",
                   std::string(bundle.status().message()))) {
    return;
  }
  const policies::BundleHead& head = (*bundle)->head();
  step.Expect(AsText((*bundle)->sha256()) == record.bundle_sha256() &&
                  head.revision == record.revision() && head.parent.has_value() &&
                  AsText(*head.parent) == record.parent_sha256(),
              "proposal", "the digest, revision and parent of its bundle", "others");
  step.Expect((*bundle)->home() == state.genesis.home_jurisdiction(), "proposal",
              absl::StrCat("home ", state.genesis.home_jurisdiction(), ", as genesis says"),
              absl::StrCat("home ", (*bundle)->home()));
  step.Expect(record.intent() != kIntentRenew || !policies::Compare(*state.bundle, **bundle).any(),
              "proposal", "a renewal, which changes nothing", "one that does");
}

void Check(const Step& step, const v1::PolicyExamined& record) {
  const State& state = step.state();
  const Proposal* const proposal = OpenProposalOf(step, record.bundle_sha256());
  if (proposal == nullptr) {
    return;
  }
  step.Expect(proposal->examined.bundle_sha256().empty(), "examination",
              "one examination of a proposal", "a second one");
  step.Expect(AsText(crypto::Sha256(AsBytes(record.report_json()))) == record.report_sha256(),
              "examination", "the digest of its report", Hex(record.report_sha256()));
  if (step.Expect(IsReportOf(record.report_json(), proposal->terms), "examination",
                  "a report of the proposed bundle and its parent", "another report")) {
    CheckImpact(step, record, *proposal);
  }
  const bool tightens = IsTightening(state, *proposal);
  const absl::Status future = CheckFuture(state, *proposal->bundle, tightens);
  step.Expect(future.ok(), "examination", "policies whose approvals could be met",
              std::string(future.message()));
  step.Expect(record.tighten_only() == tightens, "examination",
              tightens ? "a change that only tightens" : "a change that may allow more",
              record.tighten_only() ? "only tightens" : "may allow more");
  const Rules rules = policies::NeededApprovals(*state.bundle, *proposal->bundle);
  step.Expect(NeedsText(rules) == NeedsText(record), "examination", NeedsText(rules),
              NeedsText(record));
  CheckAuthorship(step, *proposal, rules);
}

void Check(const Step& step, const v1::PolicyActivated& record) {
  const State& state = step.state();
  const Proposal* const proposal = OpenProposalOf(step, record.bundle_sha256());
  step.Expect(record.parent_sha256() == AsText(state.bundle->sha256()), "activation",
              absl::StrCat("parent ", HexEncode(state.bundle->sha256()), ", which is in force"),
              absl::StrCat("parent ", Hex(record.parent_sha256())));
  step.Expect(record.revision() == state.bundle->revision() + 1, "activation",
              absl::StrCat("revision ", state.bundle->revision() + 1),
              absl::StrCat("revision ", record.revision()));
  if (proposal == nullptr) {
    return;
  }
  const absl::Time at = ToTime(record.common().at());
  const policies::BundleHead& head = proposal->bundle->head();
  step.Expect(head.revision == record.revision() && head.parent.has_value() &&
                  AsText(*head.parent) == record.parent_sha256() &&
                  proposal->index == record.proposed_index() &&
                  proposal->examined.report_sha256() == record.report_sha256(),
              "activation", "the revision, parent, proposal and report of its bundle", "others");
  step.Expect(head.valid_from <= at && at < head.valid_to &&
                  ToTime(record.valid_from()) == head.valid_from &&
                  ToTime(record.valid_to()) == head.valid_to,
              "activation", "a bundle within its validity", "another time");
  if (record.evaluator() == 0 || record.evaluator() > policies::kEvaluatorVersion) {
    step.Add(
        Severity::kGap, "decision-evaluator",
        absl::StrCat("an evaluator that this program has, up to ", policies::kEvaluatorVersion),
        absl::StrCat("version ", record.evaluator()));
  }
  const bool tightens = IsTightening(state, *proposal);
  step.Expect(record.tighten_only() == tightens, "activation",
              tightens ? "a change that only tightens" : "a change that may allow more",
              record.tighten_only() ? "only tightens" : "may allow more");
  const absl::Status future = CheckFuture(state, *proposal->bundle, tightens);
  step.Expect(future.ok(), "activation", "policies whose approvals could be met",
              std::string(future.message()));
  CheckApprovalList(step, record);
  if (!tightens) {
    CheckApprovals(step, *proposal, at);
  }
}

void Check(const Step& step, const v1::PolicyWithdrawn& record) {
  const State& state = step.state();
  const Proposal* const proposal = OpenProposalOf(step, record.bundle_sha256());
  if (proposal == nullptr) {
    return;
  }
  const std::string& who = record.withdrawn_by();
  if (who.empty()) {
    step.Expect(IsStale(state, *proposal) ||
                    ToTime(record.common().at()) >= proposal->bundle->head().valid_to,
                "withdrawal", "a person's name, or a proposal that can no longer come into force",
                "neither");
    return;
  }
  if (who == proposal->terms.author()) {
    return;
  }
  std::set<std::string> roles;
  for (const policies::ApprovalRule& rule :
       policies::NeededApprovals(*state.bundle, *proposal->bundle)) {
    roles.insert(rule.from.begin(), rule.from.end());
  }
  ExpectRole(step, who, roles);
}

}  // namespace carnet::coordinator::audit
