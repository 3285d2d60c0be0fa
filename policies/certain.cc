#include "policies/certain.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "policies/compiled.h"
#include "policies/condition.h"
#include "policies/evaluate.h"

namespace carnet::policies {
namespace {

void AddAllowItems(const Policy& policy, std::set<std::string>* reasons) {
  for (const Rule& rule : policy.rules) {
    for (const Item& item : rule.items) {
      if (rule.effect == Effect::kAllow) {
        reasons->insert(absl::StrCat(rule.reason, ".", item.id));
      }
    }
  }
}

class Certainty {
 public:
  Certainty(const Bundle& bundle, const FactSet& facts, absl::Time at)
      : bundle_(bundle), facts_(facts), view_(bundle.compiled(), facts, at), at_(at) {}

  // Adds the reasons of every rule and regime that certainly fails.
  void Collect(std::set<std::string>* reasons);
  // A rule may take labels away, and whether it does hangs on something unknown.
  bool MayDeclassify();

 private:
  bool InForce(const Policy& policy) const {
    return at_ >= policy.effective_from && at_ < policy.effective_to;
  }
  // Whether the policy applies; Evaluate lets it apply where this is unknown.
  Truth Applies(const Policy& policy) const {
    const Truth applies = Test(policy.applies_when, view_);
    return policy.unless.has_value() ? And(applies, Not(Test(*policy.unless, view_))) : applies;
  }
  Truth When(const Rule& rule) const {
    const Truth when = Test(rule.when, view_);
    return rule.unless.has_value() ? And(when, Not(Test(*rule.unless, view_))) : when;
  }
  std::size_t Approved(const Approvers& approvers, const std::string& rule, bool exception) const;
  bool MayBeLifted(const Policy& policy, const Rule& rule, const Item* item) const;
  bool MayBeMet(const Policy& policy, const Rule& rule, const Item& item) const;
  bool MayBeSatisfied(const Policy& policy) const;
  void CollectRule(const Policy& policy, const Rule& rule, std::set<std::string>* reasons) const;
  void CollectUncovered(const std::set<std::string>& maybe_covered,
                        std::set<std::string>* reasons) const;

  const Bundle& bundle_;
  const FactSet& facts_;
  FactView view_;
  const absl::Time at_;
};

// As Evaluate counts them: each person once.
std::size_t Certainty::Approved(const Approvers& approvers, const std::string& rule,
                                bool exception) const {
  std::set<std::string> persons;
  for (const Approval& approval : facts_.Get(kApprovals).approvals()) {
    const bool meant =
        approval.rule == rule || (!exception && approval.rule == kApprovalOfWholeJob);
    if (meant &&
        std::binary_search(approvers.roles.begin(), approvers.roles.end(), approval.role)) {
      persons.insert(approval.person);
    }
  }
  return persons.size();
}

bool Certainty::MayBeLifted(const Policy& policy, const Rule& rule, const Item* item) const {
  return std::any_of(
      policy.exceptions.begin(), policy.exceptions.end(), [&](const Exception& exception) {
        const bool meant =
            &policy.rules[static_cast<std::size_t>(exception.rule)] == &rule &&
            (exception.item < 0 ? item == nullptr
                                : item == &rule.items[static_cast<std::size_t>(exception.item)]);
        return meant && at_ >= exception.from && at_ < exception.to &&
               Test(exception.only_when, view_) != Truth::kFalse &&
               (facts_.Get(kApprovals).is_unknown() ||
                Approved(exception.approvers, absl::StrCat(policy.name, "/", exception.id), true) >=
                    exception.approvers.need);
      });
}

bool Certainty::MayBeMet(const Policy& policy, const Rule& rule, const Item& item) const {
  bool may = true;
  if (item.phase == Phase::kApproval) {
    may = facts_.Get(kApprovals).is_unknown() ||
          Approved(item.approvers, absl::StrCat(rule.reason, ".", item.id), false) >=
              item.approvers.need;
  } else if (item.phase != Phase::kPost) {
    may = Test(item.check, view_) != Truth::kFalse;
  }
  return may || MayBeLifted(policy, rule, &item);
}

bool Certainty::MayBeSatisfied(const Policy& policy) const {
  return std::any_of(policy.rules.begin(), policy.rules.end(), [&](const Rule& rule) {
    return rule.effect == Effect::kAllow && rule.mode == policy.mode && at_ >= rule.in_force_from &&
           When(rule) != Truth::kFalse &&
           std::all_of(rule.items.begin(), rule.items.end(),
                       [&](const Item& item) { return MayBeMet(policy, rule, item); });
  });
}

void Certainty::CollectRule(const Policy& policy, const Rule& rule,
                            std::set<std::string>* reasons) const {
  const bool judges = rule.effect == Effect::kDeny || rule.effect == Effect::kRequire;
  if (!judges || rule.mode != Mode::kEnforce || at_ < rule.in_force_from ||
      When(rule) != Truth::kTrue) {
    return;
  }
  if (rule.effect == Effect::kDeny) {
    if (!MayBeLifted(policy, rule, nullptr)) {
      reasons->insert(rule.reason);
    }
    return;
  }
  for (const Item& item : rule.items) {
    if (!MayBeMet(policy, rule, item)) {
      reasons->insert(absl::StrCat(rule.reason, ".", item.id));
    }
  }
}

// Of the people of whom the labels say that they are in the data.
void Certainty::CollectUncovered(const std::set<std::string>& maybe_covered,
                                 std::set<std::string>* reasons) const {
  if (facts_.Get(kDataPersonal).text() != "yes") {
    return;
  }
  for (const std::string& place : facts_.Get(kDataSubjectsIn).list()) {
    if (maybe_covered.count(place) == 0) {
      reasons->insert(absl::StrCat("uncovered/", place == "home" ? bundle_.home() : place));
    }
  }
}

void Certainty::Collect(std::set<std::string>* reasons) {
  bool somebody_may_permit = false;
  std::set<std::string> maybe_covered;
  std::set<std::string> permissions;  // items of the allows that would permit
  for (const Policy& policy : bundle_.compiled().policies) {
    view_.Enter(policy);
    const Truth applies = InForce(policy) ? Applies(policy) : Truth::kFalse;
    if (applies == Truth::kFalse || policy.mode != Mode::kEnforce) {
      continue;
    }
    for (const std::string& place : facts_.Get(kDataSubjectsIn).list()) {
      if (policy.regime && !policy.covers.nobody && place != "unknown" &&
          (policy.covers.everything ||
           PlaceIn(place, policy.covers.people, view_) != Truth::kFalse)) {
        maybe_covered.insert(place);
      }
    }
    const bool permits = policy.covers.nobody || policy.covers.everything;
    somebody_may_permit =
        somebody_may_permit || (policy.regime && permits && MayBeSatisfied(policy));
    if (policy.regime && permits) {
      AddAllowItems(policy, &permissions);
    }
    if (applies != Truth::kTrue) {
      continue;
    }
    reasons->insert(absl::StrCat(policy.name, "/review"));
    for (const Rule& rule : policy.rules) {
      CollectRule(policy, rule, reasons);
    }
    if (policy.regime && !policy.covers.nobody && !MayBeSatisfied(policy)) {
      // Evaluate names the items of its allows, or the policy itself.
      reasons->insert(absl::StrCat(policy.name, "/no-allow"));
      AddAllowItems(policy, reasons);
    }
  }
  CollectUncovered(maybe_covered, reasons);
  if (!somebody_may_permit) {
    reasons->insert("no-policy-applies");
    reasons->merge(permissions);
  }
}

bool Certainty::MayDeclassify() {
  for (const Policy& policy : bundle_.compiled().policies) {
    view_.Enter(policy);
    for (const Rule& rule : policy.rules) {
      if (rule.effect == Effect::kDeclassify && rule.mode == Mode::kEnforce &&
          at_ >= rule.in_force_from && InForce(policy) &&
          And(Applies(policy), When(rule)) != Truth::kFalse) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

bool MayDeclassify(const Bundle& bundle, const FactSet& facts, absl::Time at) {
  return Certainty(bundle, facts, at).MayDeclassify();
}

std::set<std::string> RolesOfRequirements(const Bundle& bundle) {
  std::set<std::string> roles;
  for (const Policy& policy : bundle.compiled().policies) {
    for (const Rule& rule : policy.rules) {
      for (const Item& item : rule.items) {
        roles.insert(item.approvers.roles.begin(), item.approvers.roles.end());
      }
    }
  }
  return roles;
}

std::vector<std::string> CertainFailures(const Bundle& bundle, const FactSet& facts,
                                         absl::Time at) {
  FactSet known = facts;
  if (MayDeclassify(bundle, facts, at)) {
    for (const FactId label : {kDataPersonal, kDataSubjectsIn, kDataCategories}) {
      if (!known.Get(label).is_not_applicable()) {
        known.Set(label, Value::Unknown()).IgnoreError();  // unknown is of every type
      }
    }
  }
  std::set<std::string> certain;
  Certainty(bundle, known, at).Collect(&certain);
  std::vector<std::string> reasons;
  const v1::Decision decision = Evaluate(bundle, known, at, Words::kLeftOut);
  for (const v1::Failure& failure : decision.failures()) {
    const std::string& reason = failure.reason();
    if (absl::StartsWith(reason, "bundle/") || absl::StartsWith(reason, "facts/") ||
        certain.count(reason) != 0) {
      reasons.push_back(reason);
    }
  }
  return reasons;
}

}  // namespace carnet::policies
