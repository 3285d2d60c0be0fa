#include "policies/sweep.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "policies/base_allow.h"
#include "policies/change.h"
#include "policies/compiled.h"
#include "policies/condition.h"
#include "policies/evaluate.h"
#include "policies/jurisdictions.h"
#include "policies/operations.h"
#include "policies/situations.h"
#include "policies/sweep_values.h"

namespace carnet::policies {
namespace {

// Progress is told of so seldom that telling costs nothing.
constexpr std::uint64_t kSituationsAStep = 1000;

// One fact that changed rules read, with one value for everything that they can tell apart.
struct Dimension {
  std::string path;
  std::vector<Value> values;
};

std::uint64_t SaturatingMultiply(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  return b != 0 && a > most / b ? most : a * b;
}

const Policy* FindPolicy(const Bundle& bundle, const std::string& name) {
  for (const Policy& policy : bundle.compiled().policies) {
    if (policy.name == name) {
      return &policy;
    }
  }
  return nullptr;
}

void CollectDates(const Condition& condition, const Policy& policy, std::set<absl::Time>* moments) {
  if (condition.kind == Condition::Kind::kAtom && condition.fact == kAt) {
    moments->insert(condition.time);
  } else if (condition.kind == Condition::Kind::kTerm) {
    CollectDates(policy.terms[static_cast<std::size_t>(condition.term)].condition, policy, moments);
  }
  for (const Condition& child : condition.children) {
    CollectDates(child, policy, moments);
  }
}

// When something about these rules of the policy begins or ends.
void CollectMoments(const Policy& policy, const std::set<std::string>& rules,
                    std::set<absl::Time>* moments) {
  moments->insert({policy.effective_from, policy.effective_to});
  CollectDates(policy.applies_when, policy, moments);
  if (policy.unless.has_value()) {
    CollectDates(*policy.unless, policy, moments);
  }
  for (const Rule& rule : policy.rules) {
    if (rules.count(rule.id) == 0) {
      continue;
    }
    moments->insert(rule.in_force_from);
    CollectDates(rule.when, policy, moments);
    if (rule.unless.has_value()) {
      CollectDates(*rule.unless, policy, moments);
    }
    for (const Item& item : rule.items) {
      CollectDates(item.check, policy, moments);
    }
  }
  for (const Exception& exception : policy.exceptions) {
    if (rules.count(policy.rules[static_cast<std::size_t>(exception.rule)].id) != 0) {
      moments->insert({exception.from, exception.to});
    }
  }
}

// Everybody whom these rules of the policy, and the exceptions to them, ask for.
void CollectApprovals(const Policy& policy, const std::set<std::string>& rules,
                      std::vector<Approval>* approvals) {
  const auto add = [&](const Approvers& approvers, const std::string& what) {
    for (std::uint32_t i = 0; i < approvers.need && !approvers.roles.empty(); ++i) {
      approvals->push_back({what, absl::StrCat("person-", i + 1), approvers.roles.front()});
    }
  };
  for (const Rule& rule : policy.rules) {
    for (const Item& item : rule.items) {
      if (rules.count(rule.id) != 0 && item.phase == Phase::kApproval) {
        add(item.approvers, absl::StrCat(rule.reason, ".", item.id));
      }
    }
  }
  for (const Exception& exception : policy.exceptions) {
    if (rules.count(policy.rules[static_cast<std::size_t>(exception.rule)].id) != 0) {
      add(exception.approvers, absl::StrCat(policy.name, "/", exception.id));
    }
  }
}

// Nobody's; what the one side asks for; what the other does, which may be less; both. Each once.
std::vector<Value> ApprovalsToTry(const std::vector<Approval>& before,
                                  const std::vector<Approval>& after) {
  std::set<Approval> both(before.begin(), before.end());
  both.insert(after.begin(), after.end());
  std::vector<Value> values;
  for (const std::set<Approval>& asked :
       {std::set<Approval>(), std::set<Approval>(before.begin(), before.end()),
        std::set<Approval>(after.begin(), after.end()), both}) {
    Value value = Value::Approvals(std::vector<Approval>(asked.begin(), asked.end()));
    if (std::find(values.begin(), values.end(), value) == values.end()) {
      values.push_back(std::move(value));
    }
  }
  return values;
}

bool Covers(const Bundle& bundle, const Policy* policy, const std::string& code) {
  const FactSet nothing;
  FactView view(bundle.compiled(), nothing, absl::InfinitePast());
  if (policy != nullptr) {
    view.Enter(*policy);
  }
  return policy != nullptr && policy->regime &&
         (policy->covers.everything || PlaceIn(code, policy->covers.people, view) == Truth::kTrue);
}

bool CoversNobody(const Policy* policy) {
  return policy != nullptr && policy->regime &&
         (policy->covers.everything || policy->covers.nobody);
}

// The rules at work in one comparison, before and after.
struct Pair {
  std::shared_ptr<const Bundle> before;
  std::shared_ptr<const Bundle> after;
};

class PolicySweep {
 public:
  PolicySweep(const std::string& policy, const std::set<std::string>& rules, const Bundle& before,
              const Bundle& after, absl::Time at)
      : was_(FindPolicy(before, policy)), is_(FindPolicy(after, policy)) {
    swept_.policy = policy;
    for (const Bundle* bundle : {&before, &after}) {
      CollectAtoms(bundle->compiled(), policy, rules, &atoms_);
    }
    std::set<absl::Time> moments;
    std::vector<Approval> asked_before;
    std::vector<Approval> asked_after;
    for (const Policy* each : {was_, is_}) {
      if (each != nullptr) {
        CollectMoments(*each, rules, &moments);
        CollectApprovals(*each, rules, each == was_ ? &asked_before : &asked_after);
      }
    }
    approvals_ = ApprovalsToTry(asked_before, asked_after);
    moments_ = {at};
    for (const absl::Time moment : moments) {
      if (moment > at && moment < after.head().valid_to) {
        moments_.push_back(moment);
      }
    }
    if (moments_.size() > kSweepMomentsMax) {
      moments_.resize(kSweepMomentsMax);
      cut_.insert(FactTable()[kAt].path);
    }
    MakePairs(rules, before, after);
    CompareCoverage(before, after);
  }

  SweptPolicy Run(std::uint64_t classes_max, const SweepProgress& progress) && {
    std::vector<Part> parts;
    for (const absl::Time moment : moments_) {
      std::map<std::string, std::vector<Value>> values =
          RepresentativeValues(atoms_, moment, &cut_);
      if (approvals_.size() > 1) {
        values[FactTable()[kApprovals].path] = approvals_;
      }
      std::vector<Dimension> dimensions;
      for (auto& [path, of_fact] : values) {
        dimensions.push_back({path, std::move(of_fact)});
      }
      AddParts(moment, dimensions, &parts);
    }
    // Trying a permission both ways costs twice as much.
    const std::uint64_t most = classes_max / pairs_.size();
    const std::uint64_t stride = swept_.classes == 0 ? 1 : (swept_.classes - 1) / most + 1;
    for (const Part& part : parts) {
      RunPart(part, stride, progress);
    }
    swept_.cut.assign(cut_.begin(), cut_.end());
    return std::move(swept_);
  }

 private:
  // One operation at one moment.
  struct Part {
    const Movement* movement = nullptr;
    absl::Time moment;
    std::vector<Dimension> dimensions;
    std::uint64_t classes = 1;
  };

  void MakePairs(const std::set<std::string>& rules, const Bundle& before, const Bundle& after) {
    AtWork at_work{swept_.policy, rules};
    at_work.review = was_ == nullptr || is_ == nullptr || was_->review_due != is_->review_due ||
                     was_->review_overdue != is_->review_overdue || was_->overdue != is_->overdue;
    at_work.alone_for_nobody =
        was_ != nullptr && is_ != nullptr && CoversNobody(was_) && CoversNobody(is_);
    // Where nothing but allows changed, a permission that is given already hides all of it; where
    // none did, one that is never given does.
    bool allows = false;
    bool others = false;
    bool regime = false;
    for (const Policy* policy : {was_, is_}) {
      for (const Rule& rule : policy == nullptr ? std::vector<Rule>() : policy->rules) {
        if (rules.count(rule.id) != 0) {
          (rule.effect == Effect::kAllow ? allows : others) = true;
        }
      }
      regime = regime || (policy != nullptr && policy->regime);
    }
    for (const bool permitted : {false, true}) {
      if (permitted ? regime && others
                    : !regime || allows || !others || was_ == nullptr || is_ == nullptr) {
        at_work.permitted = permitted;
        pairs_.push_back({AloneAtWork(before, at_work), AloneAtWork(after, at_work)});
      }
    }
  }

  void CompareCoverage(const Bundle& before, const Bundle& after) {
    for (const std::string& code : CountryCodes()) {
      const bool was = Covers(before, was_, code);
      const bool is = Covers(after, is_, code);
      if (was != is) {
        (is ? swept_.newly_covered : swept_.no_longer_covered).push_back(code);
      }
    }
    if (CoversNobody(was_) != CoversNobody(is_)) {
      (CoversNobody(is_) ? swept_.newly_covered : swept_.no_longer_covered)
          .push_back("no personal data");
    }
  }

  void AddParts(absl::Time moment, const std::vector<Dimension>& dimensions,
                std::vector<Part>* parts) {
    for (const Movement& movement : Movements()) {
      Part part{&movement, moment, {}, 1};
      for (const Dimension& dimension : dimensions) {
        if (FactApplies(movement.operation, movement.kind, FindFact(dimension.path))) {
          part.dimensions.push_back(dimension);
          part.classes = SaturatingMultiply(part.classes, dimension.values.size());
        }
      }
      swept_.classes +=
          std::min(part.classes, std::numeric_limits<std::uint64_t>::max() - swept_.classes);
      parts->push_back(std::move(part));
    }
  }

  void RunPart(const Part& part, std::uint64_t stride, const SweepProgress& progress) {
    const Bundle& after = *pairs_.front().after;
    FactSet facts = NeutralFacts(*part.movement, pairs_.front().before->home(), after.home(), {});
    for (std::uint64_t number = 0; number < part.classes;
         number += std::min(stride, part.classes - number)) {
      std::uint64_t rest = number;
      for (const Dimension& dimension : part.dimensions) {
        facts.Set(dimension.path, dimension.values[rest % dimension.values.size()]).IgnoreError();
        rest /= dimension.values.size();
      }
      Decide(part, facts);
      if (progress && swept_.decided % kSituationsAStep == 0) {
        progress(swept_.policy, swept_.decided, (swept_.classes - 1) / stride + 1);
      }
    }
  }

  void Decide(const Part& part, const FactSet& facts) {
    ++swept_.decided;
    bool opens = false;
    bool closes = false;
    for (const Pair& pair : pairs_) {
      const bool allowed = Evaluate(*pair.before, facts, part.moment, Words::kLeftOut).verdict() ==
                           v1::VERDICT_ALLOW;
      const bool allows =
          Evaluate(*pair.after, facts, part.moment, Words::kLeftOut).verdict() == v1::VERDICT_ALLOW;
      opens = opens || (!allowed && allows);
      closes = closes || (allowed && !allows);
    }
    if (opens) {
      ++swept_.deny_to_allow;
      Remember(part, facts, &swept_.opened);
    }
    if (closes) {
      ++swept_.allow_to_deny;
      Remember(part, facts, &swept_.closed);
    }
  }

  void Remember(const Part& part, const FactSet& facts, std::vector<std::string>* examples) const {
    if (examples->size() >= kSweepExamplesMax) {
      return;
    }
    std::string text(OperationWord(part.movement->operation));
    if (part.moment != moments_.front()) {
      absl::StrAppend(&text, "; from ",
                      absl::FormatTime("%Y-%m-%d", part.moment, absl::UTCTimeZone()));
    }
    for (const Dimension& dimension : part.dimensions) {
      const FactId fact = FindFact(dimension.path);
      const Value& value = fact == kCounters ? facts.GetCounter(dimension.path) : facts.Get(fact);
      absl::StrAppend(&text, "; ", dimension.path, " = ", value.ToString());
    }
    examples->push_back(std::move(text));
  }

  const Policy* was_;
  const Policy* is_;
  std::vector<SweptAtom> atoms_;
  std::vector<absl::Time> moments_;  // the first is now
  std::vector<Value> approvals_;
  std::vector<Pair> pairs_;
  std::set<std::string> cut_;
  SweptPolicy swept_;
};

}  // namespace

std::vector<SweptPolicy> SweepChange(const Bundle& before, const Bundle& after, absl::Time at,
                                     const SweepProgress& progress) {
  std::vector<SweptPolicy> swept;
  const std::map<std::string, std::set<std::string>> touched = TouchedRules(before, after);
  for (const auto& [policy, rules] : touched) {
    swept.push_back(PolicySweep(policy, rules, before, after, at)
                        .Run(kSweepClassesMax / touched.size(), progress));
  }
  return swept;
}

}  // namespace carnet::policies
