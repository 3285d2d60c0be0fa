// What a decision says about the rules that failed.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/evaluation.h"

namespace carnet::policies {
namespace {

// A refusal goes into a record, whose size is bounded.
constexpr std::size_t kAlternativesBytesMax = 4096;

// "approval by 2 persons of dpo, legal".
std::string DescribeApprovers(const Approvers& approvers) {
  return absl::StrCat("approval by ", approvers.need, approvers.need == 1 ? " person" : " persons",
                      " of ", absl::StrJoin(approvers.roles, ", "));
}

// In words, what each of these allows asks for.
std::string Alternatives(const Policy& policy, const std::vector<const Rule*>& allows) {
  std::string text;
  for (const Rule* rule : allows) {
    if (text.size() > kAlternativesBytesMax) {
      return absl::StrCat(text, "; or others");
    }
    std::string needs = Describe(rule->when, policy.terms);
    if (rule->unless.has_value()) {
      absl::StrAppend(&needs, ", unless ", Describe(*rule->unless, policy.terms));
    }
    for (const Item& item : rule->items) {
      if (item.phase == Phase::kApproval) {
        absl::StrAppend(&needs, ", with ", item.id, ": ", DescribeApprovers(item.approvers));
      } else if (item.phase != Phase::kPost && !item.retention.has_value()) {
        absl::StrAppend(&needs, ", with ", item.id, ": ", Describe(item.check, policy.terms));
      }
    }
    absl::StrAppend(&text, text.empty() ? "" : "; or ", rule->id, ": ", needs);
  }
  return text;
}

}  // namespace

// Nobody looked at the policy in time.
void Evaluation::JudgeReview(const Policy& policy) {
  if (at_ < policy.review_due || policy.overdue == OverdueAction::kNone) {
    return;
  }
  const bool late = at_ >= policy.review_overdue && policy.overdue != OverdueAction::kWarn;
  v1::Failure& failure = AddFailure(late ? policy.mode : std::min(policy.mode, Mode::kWarn),
                                    absl::StrCat(policy.name, "/review"));
  failure.set_title(policy.title);
  failure.set_because(absl::StrCat("The policy was to be reviewed by ", policy.review_by, "."));
  failure.set_fix("Have the policy reviewed and a bundle with a new date activated.");
  failure.set_hold(late && policy.overdue == OverdueAction::kHold);
}

// A regime that covers people says yes itself, or the flow fails.
void Evaluation::RequireAllow(const Policy& policy, const std::vector<const Rule*>& allows) {
  bool named = false;
  for (const Rule* rule : allows) {
    if (When(*rule) != Truth::kTrue) {
      continue;
    }
    for (const Item* item : UnmetItems(policy, *rule)) {
      FillFailure(policy, *rule, item,
                  &AddFailure(policy.mode, absl::StrCat(rule->reason, ".", item->id)));
      named = true;
    }
  }
  if (named) {
    return;
  }
  v1::Failure& failure = AddFailure(policy.mode, absl::StrCat(policy.name, "/no-allow"));
  if (words_ == Words::kLeftOut) {
    return;
  }
  NamedFacts missing;
  NamedFacts used;
  for (const Rule* rule : allows) {
    if (rule->unless.has_value()) {
      CollectMissing(*rule->unless, view_, &missing);
    }
    CollectMissing(rule->when, view_, &missing);
    CollectUsed(rule->when, view_, &used);
  }
  failure.set_title(policy.title);
  failure.set_because(
      absl::StrCat("\"", policy.title, "\": none of the cases in which it permits this is given."));
  failure.set_fix(absl::StrCat("One of these would do: ", Alternatives(policy, allows), "."));
  AddPaths(missing, failure.mutable_missing_facts());
  AddTexts(used, view_, failure.mutable_facts_used());
}

v1::Failure& Evaluation::AddFailure(Mode mode, const std::string& reason) {
  v1::Failure& failure =
      mode == Mode::kEnforce ? *decision_->add_failures() : *decision_->add_warnings();
  failure.set_reason(reason);
  if (mode != Mode::kEnforce) {
    failure.set_mode(mode == Mode::kWarn ? "warn" : "shadow");
  }
  return failure;
}

void Evaluation::FillFailure(const Policy& policy, const Rule& rule, const Item* item,
                             v1::Failure* failure) {
  if (item != nullptr && item->phase == Phase::kApproval) {
    FillMissingApproval(rule, *item, failure);
  }
  if (words_ == Words::kLeftOut) {
    return;
  }
  failure->set_title(policy.title);
  failure->set_because(rule.because);
  failure->set_fix(item != nullptr && !item->fix.empty() ? item->fix : rule.fix);
  failure->mutable_cites()->Assign(rule.cites.begin(), rule.cites.end());
  failure->mutable_unconfirmed()->Assign(rule.unconfirmed.begin(), rule.unconfirmed.end());
  failure->set_forbidden(rule.effect == Effect::kDeny);
  failure->set_exception_possible(!rule.floor && rule.effect != Effect::kLimit);
  NamedFacts missing;
  NamedFacts used;
  CollectMissing(rule.when, view_, &missing);
  CollectUsed(rule.when, view_, &used);
  if (rule.unless.has_value()) {
    CollectMissing(*rule.unless, view_, &missing);
    CollectUsed(*rule.unless, view_, &used);
    if (failure->fix().empty()) {
      failure->set_fix(
          absl::StrCat("It would pass if ", Describe(*rule.unless, policy.terms), "."));
    }
  }
  if (rule.effect == Effect::kLimit) {
    CollectMissing(rule.limit, view_, &missing);
    CollectUsed(rule.limit, view_, &used);
    failure->set_found(DescribeUnmet(rule.limit, view_));
  }
  if (item != nullptr && item->phase == Phase::kApproval) {
    WriteMissingApproval(item->approvers, failure);
  } else if (item != nullptr) {
    CollectMissing(item->check, view_, &missing);
    CollectUsed(item->check, view_, &used);
    failure->set_found(DescribeUnmet(item->check, view_));
  }
  AddPaths(missing, failure->mutable_missing_facts());
  AddTexts(used, view_, failure->mutable_facts_used());
}

void Evaluation::FillMissingApproval(const Rule& rule, const Item& item,
                                     v1::Failure* failure) const {
  const Approvers& approvers = item.approvers;
  failure->set_hold(true);
  const std::vector<std::string> persons =
      ApprovedBy(approvers, absl::StrCat(rule.reason, ".", item.id), false);
  failure->mutable_approval_from()->Assign(approvers.roles.begin(), approvers.roles.end());
  failure->set_approval_need(approvers.need);
  failure->mutable_approved_by()->Assign(persons.begin(), persons.end());
}

void Evaluation::WriteMissingApproval(const Approvers& approvers, v1::Failure* failure) {
  failure->set_found(absl::StrCat(failure->approved_by_size(), " of ", approvers.need,
                                  " approvals given; ", "needed: ", DescribeApprovers(approvers)));
  if (failure->fix().empty()) {
    failure->set_fix(absl::StrCat("Ask for the ", DescribeApprovers(approvers), "."));
  }
}

// An allow that waits for nothing but persons keeps the flow on hold.
bool Evaluation::AddMissingApprovals(const Policy& policy, const std::vector<const Rule*>& allows) {
  bool named = false;
  for (const Rule* rule : allows) {
    const std::vector<const Item*> unmet = UnmetItems(policy, *rule);
    const bool only_persons = When(*rule) == Truth::kTrue &&
                              std::all_of(unmet.begin(), unmet.end(), [](const Item* item) {
                                return item->phase == Phase::kApproval;
                              });
    for (const Item* item : only_persons ? unmet : std::vector<const Item*>()) {
      FillFailure(policy, *rule, item,
                  &AddFailure(Mode::kEnforce, absl::StrCat(rule->reason, ".", item->id)));
      named = true;
    }
  }
  return named;
}

// Where nobody's data is concerned, the house did not say yes.
void Evaluation::AddNobodyFailure() {
  constexpr char kBecause[] = "No policy permits this where no personal data is concerned.";
  if (nobody_policy_ == nullptr) {
    v1::Failure& failure = AddFailure(Mode::kEnforce, "no-policy-applies");
    failure.set_because(kBecause);
    failure.set_fix("Add a regime that covers no personal data and allows it.");
    return;
  }
  view_.Enter(*nobody_policy_);
  if (AddMissingApprovals(*nobody_policy_, nobody_allows_)) {
    return;
  }
  v1::Failure& failure = AddFailure(Mode::kEnforce, "no-policy-applies");
  if (words_ == Words::kLeftOut) {
    return;
  }
  NamedFacts missing;
  NamedFacts used;
  for (const Rule* rule : nobody_allows_) {
    CollectMissing(rule->when, view_, &missing);
    CollectUsed(rule->when, view_, &used);
  }
  failure.set_because(kBecause);
  failure.set_title(nobody_policy_->title);
  failure.set_fix(
      absl::StrCat("One of these would do: ", Alternatives(*nobody_policy_, nobody_allows_), "."));
  AddPaths(missing, failure.mutable_missing_facts());
  AddTexts(used, view_, failure.mutable_facts_used());
}

}  // namespace carnet::policies
