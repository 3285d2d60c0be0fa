#include "policies/base_allow.h"

#include <utility>

#include "policies/compiled.h"
#include "policies/jurisdictions.h"
#include "policies/rule_index.h"
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

// With its policies as `edit` leaves them; false: without this one.
template <typename Edit>
std::shared_ptr<CompiledBundle> Edited(const Bundle& bundle, Edit edit) {
  const CompiledBundle& from = bundle.compiled();
  auto compiled = std::make_shared<CompiledBundle>();
  compiled->home = from.home;
  compiled->groups = from.groups;
  compiled->aliases = from.aliases;
  for (const Policy& each : from.policies) {
    Policy policy = each;
    if (!edit(policy)) {
      continue;
    }
    for (const auto& entry : from.aliases) {
      if (policy.aliases == &entry.second) {
        policy.aliases = &compiled->aliases.find(entry.first)->second;
      }
    }
    compiled->policies.push_back(std::move(policy));
  }
  compiled->memo_count = from.memo_count;
  return compiled;
}

std::shared_ptr<const Bundle> Made(const Bundle& bundle, const BundleHead& head,
                                   std::shared_ptr<CompiledBundle> compiled) {
  IndexRules(compiled.get());
  return std::make_shared<const Bundle>(head, std::make_shared<const BundleSource>(bundle.source()),
                                        std::move(compiled), bundle.CanonicalJson());
}

// What changes labels stays: everything else is about them.
void Keep(const AtWork& at_work, Policy* policy) {
  for (Rule& rule : policy->rules) {
    if (rule.effect == Effect::kDeclassify || at_work.rules.count(rule.id) != 0) {
      continue;
    }
    rule.reach = {0, 0};
    if (rule.effect == Effect::kAllow) {
      // Not one of the policy's allows: no text is made of it.
      rule.mode = policy->mode == Mode::kShadow ? Mode::kEnforce : Mode::kShadow;
    }
  }
  if (!at_work.review) {
    policy->overdue = OverdueAction::kNone;
  }
  if (at_work.permitted && policy->regime) {
    Rule ok;
    ok.id = "ok";
    ok.reason = policy->name + "/ok";
    ok.effect = Effect::kAllow;
    ok.mode = policy->mode;
    policy->rules.push_back(std::move(ok));
  }
}

}  // namespace

std::shared_ptr<const Bundle> WithBaseAllow(const Bundle& bundle) {
  std::shared_ptr<CompiledBundle> compiled = Edited(bundle, [](const Policy&) { return true; });
  compiled->policies.push_back(BaseAllow());
  return Made(bundle, bundle.head(), std::move(compiled));
}

std::shared_ptr<const Bundle> AloneAtWork(const Bundle& bundle, const AtWork& at_work) {
  std::shared_ptr<CompiledBundle> compiled = Edited(bundle, [&](Policy& policy) {
    const bool meant = policy.name == at_work.policy;
    if (meant) {
      Keep(at_work, &policy);
    }
    return meant;
  });
  Policy others = BaseAllow();
  if (at_work.alone_for_nobody) {
    others.covers.everything = false;
    others.covers.people.codes = CountryCodes();
  }
  compiled->policies.push_back(std::move(others));
  BundleHead head = bundle.head();
  head.valid_from = absl::InfinitePast();
  head.valid_to = absl::InfiniteFuture();
  return Made(bundle, head, std::move(compiled));
}

}  // namespace carnet::policies
