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
#include "policies/evaluate.h"
#include "policies/operations.h"
#include "policies/situations.h"
#include "policies/sweep_values.h"

namespace carnet::policies {
namespace {

// One fact that changed rules read, with one value for everything that they can tell apart.
struct Dimension {
  std::string path;
  std::vector<Value> values;
};

std::uint64_t SaturatingMultiply(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  return b != 0 && a > most / b ? most : a * b;
}

class PolicySweep {
 public:
  PolicySweep(std::string policy, const std::set<std::string>& rules, const Bundle& before,
              const Bundle& after, absl::Time at)
      : before_(AloneWithBaseAllow(before, policy)),
        after_(AloneWithBaseAllow(after, policy)),
        at_(at) {
    swept_.policy = std::move(policy);
    for (const Bundle* bundle : {before_.get(), after_.get()}) {
      CollectAtoms(bundle->compiled(), swept_.policy, rules, &atoms_);
    }
    std::map<std::string, std::vector<Value>> values = RepresentativeValues(atoms_, at);
    // A permission that stands on papers hides what a change of another one does.
    const std::string evidence = FactTable()[kEvidence].path;
    if (values.count(evidence) == 0) {
      values[evidence] = {Value::List({}), Value::List(EveryPaper(before, after))};
    }
    for (auto& [path, of_fact] : values) {
      dimensions_.push_back({path, std::move(of_fact)});
    }
  }

  SweptPolicy Run(std::uint64_t classes_max) && {
    std::vector<std::pair<const Movement*, std::vector<const Dimension*>>> plan;
    for (const Movement& movement : Movements()) {
      std::vector<const Dimension*> applicable;
      std::uint64_t classes = 1;
      for (const Dimension& dimension : dimensions_) {
        if (FactApplies(movement.operation, movement.kind, FindFact(dimension.path))) {
          applicable.push_back(&dimension);
          classes = SaturatingMultiply(classes, dimension.values.size());
        }
      }
      swept_.classes +=
          std::min(classes, std::numeric_limits<std::uint64_t>::max() - swept_.classes);
      plan.emplace_back(&movement, std::move(applicable));
    }
    const std::uint64_t stride = (swept_.classes - 1) / classes_max + 1;
    for (const auto& [movement, dimensions] : plan) {
      RunMovement(*movement, dimensions, stride);
    }
    return std::move(swept_);
  }

 private:
  void RunMovement(const Movement& movement, const std::vector<const Dimension*>& dimensions,
                   std::uint64_t stride) {
    std::uint64_t classes = 1;
    for (const Dimension* dimension : dimensions) {
      classes = SaturatingMultiply(classes, dimension->values.size());
    }
    FactSet facts = NeutralFacts(movement, before_->home(), after_->home(), {});
    for (std::uint64_t number = 0; number < classes; number += std::min(stride, classes - number)) {
      std::uint64_t rest = number;
      for (const Dimension* dimension : dimensions) {
        facts.Set(dimension->path, dimension->values[rest % dimension->values.size()])
            .IgnoreError();
        rest /= dimension->values.size();
      }
      Decide(movement, dimensions, facts);
    }
  }

  void Decide(const Movement& movement, const std::vector<const Dimension*>& dimensions,
              const FactSet& facts) {
    ++swept_.decided;
    const bool allowed = Evaluate(*before_, facts, at_).verdict() == v1::VERDICT_ALLOW;
    const bool allows = Evaluate(*after_, facts, at_).verdict() == v1::VERDICT_ALLOW;
    if (allowed == allows) {
      return;
    }
    ++(allows ? swept_.deny_to_allow : swept_.allow_to_deny);
    std::vector<std::string>& examples = allows ? swept_.opened : swept_.closed;
    if (examples.size() < kSweepExamplesMax) {
      std::string text(OperationWord(movement.operation));
      for (const Dimension* dimension : dimensions) {
        const FactId fact = FindFact(dimension->path);
        const Value& value =
            fact == kCounters ? facts.GetCounter(dimension->path) : facts.Get(fact);
        absl::StrAppend(&text, "; ", dimension->path, " = ", value.ToString());
      }
      examples.push_back(std::move(text));
    }
  }

  std::shared_ptr<const Bundle> before_;
  std::shared_ptr<const Bundle> after_;
  absl::Time at_;
  std::vector<SweptAtom> atoms_;
  std::vector<Dimension> dimensions_;
  SweptPolicy swept_;
};

}  // namespace

std::vector<SweptPolicy> SweepChange(const Bundle& before, const Bundle& after, absl::Time at) {
  std::vector<SweptPolicy> swept;
  const std::map<std::string, std::set<std::string>> touched = TouchedRules(before, after);
  for (const auto& [policy, rules] : touched) {
    swept.push_back(
        PolicySweep(policy, rules, before, after, at).Run(kSweepClassesMax / touched.size()));
  }
  return swept;
}

}  // namespace carnet::policies
