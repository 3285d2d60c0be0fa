#include "policies/base_allow.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "policies/compiled.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

Policy BaseAllow() {
  Policy policy;
  policy.name = "base-allow";
  policy.title = "Test only: allows everything";
  policy.regime = true;
  policy.covers.everything = true;
  Rule rule;
  rule.id = "ok";
  rule.reason = "base-allow/ok";
  rule.effect = Effect::kAllow;
  policy.rules.push_back(std::move(rule));
  return policy;
}

// With those policies only for which `keep` says so.
template <typename Keep>
std::shared_ptr<const Bundle> Made(const Bundle& bundle, Keep keep) {
  const CompiledBundle& from = bundle.compiled();
  auto compiled = std::make_shared<CompiledBundle>();
  compiled->home = from.home;
  compiled->groups = from.groups;
  compiled->aliases = from.aliases;
  std::copy_if(from.policies.begin(), from.policies.end(), std::back_inserter(compiled->policies),
               keep);
  for (Policy& policy : compiled->policies) {
    for (const auto& entry : from.aliases) {
      if (policy.aliases == &entry.second) {
        policy.aliases = &compiled->aliases.find(entry.first)->second;
      }
    }
  }
  compiled->policies.push_back(BaseAllow());
  compiled->memo_count = from.memo_count;
  return std::make_shared<const Bundle>(bundle.head(),
                                        std::make_shared<const BundleSource>(bundle.source()),
                                        std::move(compiled), bundle.CanonicalJson());
}

}  // namespace

std::shared_ptr<const Bundle> WithBaseAllow(const Bundle& bundle) {
  return Made(bundle, [](const Policy&) { return true; });
}

std::shared_ptr<const Bundle> AloneWithBaseAllow(const Bundle& bundle, const std::string& policy) {
  return Made(bundle, [&policy](const Policy& each) { return each.name == policy; });
}

}  // namespace carnet::policies
