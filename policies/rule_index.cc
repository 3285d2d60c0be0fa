#include "policies/rule_index.h"

namespace carnet::policies {
namespace {

RuleIndex IndexOf(const Rule& rule) {
  RuleIndex index;
  index.reach = rule.reach;
  index.effect = rule.effect;
  std::size_t count = 0;
  const auto add = [&](const Condition& condition) {
    if (condition.kind == Condition::Kind::kAtom && condition.memo >= 0 &&
        count < RuleIndex::kConjunctsMax) {
      index.conjuncts[count++] = condition.memo;
    }
  };
  if (rule.when.kind == Condition::Kind::kAll) {
    for (const Condition& child : rule.when.children) {
      add(child);
    }
  } else {
    add(rule.when);
  }
  return index;
}

}  // namespace

void IndexRules(CompiledBundle* bundle) {
  for (Policy& policy : bundle->policies) {
    policy.index.clear();
    for (const Rule& rule : policy.rules) {
      policy.index.push_back(IndexOf(rule));
    }
  }
}

}  // namespace carnet::policies
