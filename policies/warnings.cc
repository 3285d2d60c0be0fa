#include "policies/warnings.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "policies/compiled.h"

namespace carnet::policies {
namespace {

v1::Failure Said(const Policy& policy, const std::string& reason) {
  v1::Failure warning;
  warning.set_reason(reason);
  warning.set_title(policy.title);
  warning.set_mode("warn");
  return warning;
}

std::optional<v1::Failure> OfRule(const Policy& policy, const std::string& reason) {
  for (const Rule& rule : policy.rules) {
    const Item* item = nullptr;
    for (const Item& candidate : rule.items) {
      if (reason == absl::StrCat(rule.reason, ".", candidate.id)) {
        item = &candidate;
      }
    }
    if ((item == nullptr && reason != rule.reason) || rule.mode != Mode::kWarn) {
      continue;
    }
    v1::Failure warning = Said(policy, reason);
    warning.set_because(rule.because);
    warning.set_fix(item != nullptr && !item->fix.empty() ? item->fix : rule.fix);
    warning.mutable_cites()->Assign(rule.cites.begin(), rule.cites.end());
    warning.set_forbidden(rule.effect == Effect::kDeny);
    return warning;
  }
  return std::nullopt;
}

}  // namespace

std::optional<v1::Failure> WarningOf(const Bundle& bundle, const std::string& reason) {
  for (const Policy& policy : bundle.compiled().policies) {
    if (!absl::StartsWith(reason, absl::StrCat(policy.name, "/"))) {
      continue;
    }
    if (std::optional<v1::Failure> warning = OfRule(policy, reason); warning.has_value()) {
      return warning;
    }
    // A review that is due warns in every policy that decides.
    const bool review =
        reason == absl::StrCat(policy.name, "/review") && policy.mode != Mode::kShadow;
    const bool no_allow =
        reason == absl::StrCat(policy.name, "/no-allow") && policy.mode == Mode::kWarn;
    if (review || no_allow) {
      return Said(policy, reason);
    }
  }
  return std::nullopt;
}

}  // namespace carnet::policies
