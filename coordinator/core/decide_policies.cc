// The life of a bundle: propose, activate, withdraw. Approvals are in decide_people.cc.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/people.h"
#include "coordinator/core/policy_life.h"
#include "policies/change.h"
#include "policies/evaluate.h"

namespace carnet::coordinator {
namespace {

v1::ApprovalNeed ToNeed(const policies::ApprovalRule& rule) {
  v1::ApprovalNeed need;
  need.set_policy(rule.policy);
  need.set_need(rule.need);
  need.mutable_from()->Add(rule.from.begin(), rule.from.end());
  return need;
}

absl::Status CheckAuthor(const State& state, const ProposePolicy& command) {
  const auto user = state.users.find(command.user_id);
  if (user == state.users.end() || user->second.revoked ||
      command.proposed.author() != command.user_id ||
      AsText(user->second.public_key) != command.record.public_key()) {
    return absl::PermissionDeniedError("a proposal is signed with its author's own key");
  }
  return absl::OkStatus();
}

// It follows the bundle in force, and is what it says it is.
absl::Status CheckHead(const State& state, const ProposePolicy& command, absl::Time now) {
  const v1::PolicyProposed& proposed = command.proposed;
  const policies::BundleHead& head = command.bundle->head();
  if (AsText(command.bundle->sha256()) != proposed.bundle_sha256() || !head.parent.has_value() ||
      AsText(*head.parent) != proposed.parent_sha256() || head.revision != proposed.revision()) {
    return absl::InvalidArgumentError("policy: the proposal says another head than its bundle");
  }
  if (proposed.parent_sha256() != AsText(state.bundle->sha256()) ||
      proposed.revision() != state.bundle->revision() + 1) {
    return absl::FailedPreconditionError(
        "policy: another bundle came into force since: propose again");
  }
  if (head.valid_to <= now) {
    return absl::InvalidArgumentError("policy: its validity has ended");
  }
  if (command.bundle->home() != state.genesis.home_jurisdiction()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "policy: home is ", state.genesis.home_jurisdiction(), ", as the genesis record says"));
  }
  return absl::OkStatus();
}

absl::Status CheckIntent(const State& state, const ProposePolicy& command) {
  const policies::BundleChange change = policies::Compare(*state.bundle, *command.bundle);
  const std::string& intent = command.proposed.intent();
  if (intent == kIntentRenew) {
    return change.any() ? absl::InvalidArgumentError("policy: a renewal changes nothing")
                        : absl::OkStatus();
  }
  if (!change.any()) {
    return absl::InvalidArgumentError(
        "policy: nothing changes; to prolong the bundle in force: carnet policy renew");
  }
  if (intent == kIntentRevert) {
    const bool known =
        std::any_of(state.bundles.begin(), state.bundles.end(), [&](const auto& bundle) {
          return !policies::Compare(*bundle.second, *command.bundle).any();
        });
    return known ? absl::OkStatus()
                 : absl::InvalidArgumentError("policy: no bundle that was in force says this");
  }
  return intent == kIntentChange ? absl::OkStatus()
                                 : absl::InvalidArgumentError("policy: unknown intent");
}

// Whether one of the roles is named at all, by what is in force or by what is to be: asked before
// anything is compared.
absl::Status CheckAnyRole(const policies::Bundle& in_force, const policies::Bundle& bundle,
                          const std::set<std::string>& roles) {
  for (const policies::Bundle* const each : {&in_force, &bundle}) {
    for (const policies::ApprovalRule& rule : policies::ApprovalRules(*each)) {
      for (const std::vector<std::string>* const named : {&rule.propose, &rule.from}) {
        if (std::any_of(named->begin(), named->end(),
                        [&](const std::string& role) { return roles.count(role) != 0; })) {
          return absl::OkStatus();
        }
      }
    }
  }
  return absl::PermissionDeniedError("policy: none of your roles decides about any policy");
}

absl::Status CheckAuthorship(const std::set<std::string>& roles,
                             const std::vector<policies::ApprovalRule>& rules,
                             policies::Authorship authorship) {
  const policies::ApprovalRule* const rule = policies::FirstNotAuthors(rules, roles, authorship);
  if (rule == nullptr) {
    return absl::OkStatus();
  }
  if (authorship == policies::Authorship::kRenews) {
    return absl::PermissionDeniedError(
        "policy: renewed by whoever may propose a change of any of its policies");
  }
  return absl::PermissionDeniedError(absl::StrCat(
      "policy: ", rule->policy, " is changed by one of: ", absl::StrJoin(rule->propose, ", ")));
}

// Whether those whom the policies ask can say yes at all.
absl::Status CheckRules(const State& state, const std::vector<policies::ApprovalRule>& rules,
                        const std::string& author, bool tighten_only) {
  for (const policies::ApprovalRule& rule : rules) {
    std::set<std::string> holders;
    for (const std::string& role : rule.from) {
      holders.merge(HoldersOf(state, role));
    }
    holders.erase(author);
    if (!tighten_only && holders.size() < rule.need) {
      return absl::FailedPreconditionError(absl::StrCat(
          "policy: nobody could approve it: ", rule.policy, " needs ", rule.need, " of ",
          absl::StrJoin(rule.from, ", "), ", and besides the author ", holders.size(),
          " hold such a role (carnet user enroll, carnet user role grant)"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRoom(const State& state, const std::string& bundle_sha256) {
  if (state.proposals.count(bundle_sha256) != 0 || state.bundles.count(bundle_sha256) != 0) {
    return absl::AlreadyExistsError("policy: this bundle is on record");
  }
  const auto open = std::count_if(
      state.proposals.begin(), state.proposals.end(),
      [](const auto& proposal) { return proposal.second.phase == ProposalPhase::kOpen; });
  if (static_cast<std::size_t>(open) >= kProposalsOpenMax ||
      state.proposals.size() >= kProposalsMax) {
    return absl::ResourceExhaustedError("policy: 64 proposals wait, or 4096 were made");
  }
  return absl::OkStatus();
}

absl::StatusOr<const Proposal*> OpenProposal(const State& state, ByteView bundle_sha256) {
  const auto found = state.proposals.find(ToString(bundle_sha256));
  if (found == state.proposals.end()) {
    return absl::NotFoundError("policy: no such proposal (carnet policy status)");
  }
  if (found->second.phase == ProposalPhase::kWithdrawn) {
    return absl::FailedPreconditionError("policy: the proposal was withdrawn");
  }
  return &found->second;
}

std::string MissingWords(const std::vector<NeedCount>& counts) {
  std::vector<std::string> missing;
  for (const NeedCount& count : counts) {
    if (!count.met()) {
      missing.push_back(absl::StrCat(count.need.policy(), " has ", count.approvers.size(), " of ",
                                     count.need.need(), " from ",
                                     absl::StrJoin(count.need.from(), ", ")));
    }
  }
  return absl::StrJoin(missing, "; ");
}

struct Terms {
  bool tighten_only = false;
  std::vector<policies::ApprovalRule> rules;
};
absl::StatusOr<Terms> TermsOf(const State& state, const ProposePolicy& command, absl::Time now) {
  CARNET_RETURN_IF_ERROR(CheckAuthor(state, command));
  CARNET_RETURN_IF_ERROR(CheckRoom(state, command.proposed.bundle_sha256()));
  CARNET_RETURN_IF_ERROR(CheckHead(state, command, now));
  const std::set<std::string>& roles = state.users.at(command.user_id).roles;
  CARNET_RETURN_IF_ERROR(CheckAnyRole(*state.bundle, *command.bundle, roles));
  CARNET_RETURN_IF_ERROR(CheckIntent(state, command));
  Terms terms;
  terms.tighten_only = command.proposed.intent() == kIntentChange &&
                       policies::CheckTightensOnly(*state.bundle, *command.bundle).ok();
  terms.rules = policies::NeededApprovals(*state.bundle, *command.bundle);
  const bool renews = command.proposed.intent() == kIntentRenew;
  CARNET_RETURN_IF_ERROR(CheckAuthorship(roles, terms.rules,
                                         terms.tighten_only ? policies::Authorship::kTightens
                                         : renews           ? policies::Authorship::kRenews
                                                            : policies::Authorship::kChanges));
  CARNET_RETURN_IF_ERROR(CheckRules(state, terms.rules, command.user_id, terms.tighten_only));
  CARNET_RETURN_IF_ERROR(CheckFuture(state, *command.bundle, terms.tighten_only));
  return terms;
}

}  // namespace

absl::Status CheckFuture(const State& state, const policies::Bundle& bundle, bool added_only) {
  const policies::BundleChange change = policies::Compare(*state.bundle, bundle);
  for (const policies::ApprovalRule& rule : policies::ApprovalRules(bundle)) {
    if (change.added.count(rule.policy) == 0 &&
        (added_only || change.changed.count(rule.policy) == 0)) {
      continue;
    }
    std::set<std::string> holders;
    for (const std::string& role : rule.from) {
      holders.merge(HoldersOf(state, role));
    }
    if (holders.size() < rule.need) {
      return absl::FailedPreconditionError(
          absl::StrCat("policy: today's holders could never meet the approvals of ", rule.policy,
                       ": ", rule.need, " of ", absl::StrJoin(rule.from, ", "), ", ",
                       holders.size(), " hold such a role"));
    }
  }
  // What today's holders can change and renew gives way to nothing that they cannot. Where they
  // cannot anyway, as a founder alone, a stricter rule makes nothing worse.
  const policies::Holders holders = HoldersByRole(state);
  if (!change.any() ||
      !policies::CheckHolders(policies::ApprovalRules(*state.bundle), holders).ok()) {
    return absl::OkStatus();
  }
  const absl::Status met = policies::CheckHolders(policies::ApprovalRules(bundle), holders);
  return met.ok() ? met
                  : absl::FailedPreconditionError(absl::StrCat(
                        "policy: today's holders could never meet the approvals: ", met.message(),
                        " (carnet user enroll, carnet user role grant)"));
}

absl::Status CheckProposal(const State& state, const ProposePolicy& command, absl::Time now) {
  return TermsOf(state, command, now).status();
}

absl::StatusOr<DraftBasis> BasisOfDraft(const State& state, const std::string& user_id,
                                        const policies::Bundle& bundle) {
  const auto user = state.users.find(user_id);
  if (user == state.users.end() || user->second.revoked) {
    return absl::PermissionDeniedError("this user is not enrolled");
  }
  CARNET_RETURN_IF_ERROR(CheckAnyRole(*state.bundle, bundle, user->second.roles));
  const policies::BundleHead& head = bundle.head();
  if (!head.parent.has_value() || *head.parent != state.bundle->sha256() ||
      head.revision != state.bundle->revision() + 1) {
    return absl::FailedPreconditionError("policy: another bundle came into force since: ask again");
  }
  if (bundle.home() != state.genesis.home_jurisdiction()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "policy: home is ", state.genesis.home_jurisdiction(), ", as the genesis record says"));
  }
  return DraftBasis{state.bundle, user->second.roles};
}

absl::Status CheckDraft(const DraftBasis& basis, const policies::Bundle& bundle) {
  if (!policies::Compare(*basis.in_force, bundle).any()) {
    return absl::InvalidArgumentError("policy: nothing changes");
  }
  const bool tightens = policies::CheckTightensOnly(*basis.in_force, bundle).ok();
  return CheckAuthorship(
      basis.roles, policies::NeededApprovals(*basis.in_force, bundle),
      tightens ? policies::Authorship::kTightens : policies::Authorship::kChanges);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const ProposePolicy& command) {
  CARNET_ASSIGN_OR_RETURN(const Terms terms, TermsOf(drafts.state(), command, drafts.now()));
  v1::PolicyExamined examined = command.examined;
  examined.set_bundle_sha256(command.proposed.bundle_sha256());
  examined.set_tighten_only(terms.tighten_only);
  examined.clear_needs();
  for (const policies::ApprovalRule& rule : terms.rules) {
    *examined.add_needs() = ToNeed(rule);
  }
  const std::uint64_t index = drafts.AddSigned(command.proposed, command.record);
  drafts.Add(std::move(examined));
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const ActivatePolicy& command) {
  const State& state = drafts.state();
  CARNET_ASSIGN_OR_RETURN(const Proposal* const proposal,
                          OpenProposal(state, command.bundle_sha256));
  if (!command.user_id.empty() &&
      (state.users.count(command.user_id) == 0 || state.users.at(command.user_id).revoked)) {
    return absl::PermissionDeniedError("this user is not enrolled");
  }
  if (proposal->phase == ProposalPhase::kActivated) {
    return std::move(drafts).Answer(proposal->activated_index);
  }
  const policies::BundleHead& head = proposal->bundle->head();
  if (IsStale(state, *proposal) || drafts.now() >= head.valid_to) {
    return absl::FailedPreconditionError(
        "policy: another bundle came into force since, or its time is over: propose again");
  }
  if (!IsApproved(state, *proposal, drafts.now())) {
    return absl::FailedPreconditionError(
        absl::StrCat("policy: approvals are missing: ",
                     MissingWords(CountApprovals(state, *proposal, drafts.now()))));
  }
  if (drafts.now() < head.valid_from) {
    return absl::FailedPreconditionError(
        "policy: approved; it comes into force by itself when its validity begins");
  }
  // Somebody may have lost a role since it was proposed.
  CARNET_RETURN_IF_ERROR(CheckFuture(state, *proposal->bundle, proposal->examined.tighten_only()));
  v1::PolicyActivated record;
  record.set_bundle_sha256(proposal->terms.bundle_sha256());
  record.set_revision(head.revision);
  record.set_parent_sha256(proposal->terms.parent_sha256());
  record.set_evaluator(policies::kEvaluatorVersion);
  *record.mutable_valid_from() = ToTimestamp(head.valid_from);
  *record.mutable_valid_to() = ToTimestamp(head.valid_to);
  record.set_report_sha256(proposal->examined.report_sha256());
  record.set_proposed_index(proposal->index);
  record.set_tighten_only(proposal->examined.tighten_only());
  const auto approvals = state.approvals.find(proposal->terms.bundle_sha256());
  if (approvals != state.approvals.end()) {
    for (const ApprovalOnRecord& approval : approvals->second) {
      record.add_approvals(approval.index);
    }
  }
  const std::uint64_t index = drafts.Add(std::move(record));
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const WithdrawPolicy& command) {
  const State& state = drafts.state();
  CARNET_ASSIGN_OR_RETURN(const Proposal* const proposal,
                          OpenProposal(state, command.bundle_sha256));
  if (proposal->phase != ProposalPhase::kOpen) {
    return absl::FailedPreconditionError(
        "policy: it came into force: revert it, or propose a stricter one");
  }
  if (!command.user_id.empty() && command.user_id != proposal->terms.author()) {
    std::set<std::string> roles;
    for (const v1::ApprovalNeed& need : proposal->examined.needs()) {
      roles.insert(need.from().begin(), need.from().end());
    }
    CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, roles));
  }
  v1::PolicyWithdrawn record;
  record.set_bundle_sha256(proposal->terms.bundle_sha256());
  record.set_withdrawn_by(command.user_id);
  const std::uint64_t index = drafts.Add(std::move(record));
  return std::move(drafts).Answer(index);
}

}  // namespace carnet::coordinator
