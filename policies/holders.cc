#include "policies/holders.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "policies/roles.h"

namespace carnet::policies {
namespace {

using nlohmann::json;

bool HasOneOf(const std::set<std::string>& held, const std::vector<std::string>& asked) {
  return std::any_of(asked.begin(), asked.end(),
                     [&](const std::string& role) { return held.count(role) != 0; });
}

std::set<std::string> PersonsIn(const std::vector<std::string>& roles, const Holders& holders) {
  std::set<std::string> persons;
  for (const std::string& role : roles) {
    const auto found = holders.find(role);
    if (found != holders.end()) {
      persons.insert(found->second.begin(), found->second.end());
    }
  }
  return persons;
}

std::vector<std::string> Unheld(const ApprovalRule& rule, const Holders& holders) {
  std::set<std::string> roles(rule.propose.begin(), rule.propose.end());
  roles.insert(rule.from.begin(), rule.from.end());
  std::vector<std::string> unheld;
  for (const std::string& role : roles) {
    if (PersonsIn({role}, holders).empty()) {
      unheld.push_back(role);
    }
  }
  return unheld;
}

// As it is for the author of `authors` who leaves the most approvers.
Shortage Count(const ApprovalRule& rule, const std::set<std::string>& authors,
               const Holders& holders) {
  const std::set<std::string> approvers = PersonsIn(rule.from, holders);
  // Only an author who is no approver leaves them all.
  const bool outsider = std::any_of(authors.begin(), authors.end(), [&](const std::string& author) {
    return approvers.count(author) == 0;
  });
  Shortage shortage;
  shortage.rule = rule;
  shortage.has_author = !authors.empty();
  shortage.approvers = approvers.size() - (shortage.has_author && !outsider ? 1 : 0);
  shortage.unheld = Unheld(rule, holders);
  return shortage;
}

bool IsShort(const Shortage& shortage) {
  return !shortage.has_author || shortage.approvers < shortage.rule.need;
}

// Of one author for all of them: the one who leaves the fewest short.
std::vector<Shortage> ShortForRenewal(const std::vector<ApprovalRule>& rules,
                                      const Holders& holders) {
  std::set<std::string> authors;
  for (const ApprovalRule& rule : rules) {
    authors.merge(PersonsIn(rule.propose, holders));
  }
  std::vector<Shortage> best;
  bool first = true;
  for (const std::string& author : authors) {
    std::vector<Shortage> left;
    for (const ApprovalRule& rule : rules) {
      Shortage shortage = Count(rule, {author}, holders);
      if (IsShort(shortage)) {
        left.push_back(std::move(shortage));
      }
    }
    if (first || left.size() < best.size()) {
      best = std::move(left);
      first = false;
    }
  }
  return best;
}

// The first of them that an admin must not refuse: admin stands beside no role of policy.
std::string OneOf(const std::vector<std::string>& roles) {
  const auto found = std::find_if(roles.begin(), roles.end(),
                                  [](const std::string& role) { return role != kAdminRole; });
  return found == roles.end() ? roles.front() : *found;
}

void AddRoles(const json& roles, std::set<std::string>* all) {
  if (roles.is_string()) {
    all->insert(roles.get<std::string>());
  }
  for (const json& role : roles.is_array() ? roles : json::array()) {
    if (role.is_string()) {
      all->insert(role.get<std::string>());
    }
  }
}

// `propose`, `from` and `of` wherever a policy has them: words of no other meaning there.
void CollectRoles(const json& node, std::set<std::string>* all) {
  if (!node.is_structured()) {
    return;
  }
  if (node.is_object()) {
    if (node.contains("need") && node.contains("from")) {
      AddRoles(node["from"], all);
      AddRoles(node.value("propose", json()), all);
    }
    if (node.contains("duty") && node.contains("of")) {
      AddRoles(node["of"], all);
    }
  }
  for (const json& child : node) {
    CollectRoles(child, all);
  }
}

}  // namespace

std::vector<Shortage> ShortagesOf(const std::vector<ApprovalRule>& rules, const Holders& holders) {
  std::vector<Shortage> shortages;
  for (const ApprovalRule& rule : rules) {
    Shortage shortage = Count(rule, PersonsIn(rule.propose, holders), holders);
    if (IsShort(shortage)) {
      shortages.push_back(std::move(shortage));
    }
  }
  return shortages.empty() ? ShortForRenewal(rules, holders) : shortages;
}

std::string ShortageText(const Shortage& shortage) {
  const ApprovalRule& rule = shortage.rule;
  std::string text =
      absl::StrCat(rule.policy, " needs ", rule.need, " of ", absl::StrJoin(rule.from, ", "),
                   " besides its author (", absl::StrJoin(rule.propose, ", "), "): ");
  if (!shortage.has_author) {
    absl::StrAppend(&text, "nobody may be the author");
  } else {
    absl::StrAppend(&text, "there ", shortage.approvers == 1 ? "is " : "are ", shortage.approvers);
  }
  if (!shortage.unheld.empty()) {
    absl::StrAppend(&text, "; nobody holds ", absl::StrJoin(shortage.unheld, ", "));
  }
  return text;
}

absl::Status CheckHolders(const std::vector<ApprovalRule>& rules, const Holders& holders) {
  const std::vector<Shortage> shortages = ShortagesOf(rules, holders);
  if (shortages.empty()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrJoin(
      shortages, "; ",
      [](std::string* out, const Shortage& shortage) { out->append(ShortageText(shortage)); }));
}

std::vector<std::set<std::string>> PersonsMissing(const std::vector<ApprovalRule>& rules,
                                                  const Holders& holders) {
  std::size_t most = 1;
  for (const ApprovalRule& rule : rules) {
    most = std::max(most, std::size_t{rule.need} + 1);
  }
  Holders all = holders;
  std::vector<std::set<std::string>> persons;
  while (persons.size() < most) {
    const std::vector<Shortage> shortages = ShortagesOf(rules, all);
    if (shortages.empty()) {
      break;
    }
    std::set<std::string> roles;
    for (const Shortage& shortage : shortages) {
      if (!shortage.has_author && !HasOneOf(roles, shortage.rule.propose)) {
        roles.insert(OneOf(shortage.rule.propose));
      }
      if (!HasOneOf(roles, shortage.rule.from)) {
        roles.insert(OneOf(shortage.rule.from));
      }
    }
    // No id of a person begins so, nor does a name of federation.yaml.
    const std::string person = absl::StrCat("#", persons.size());
    for (const std::string& role : roles) {
      all[role].insert(person);
    }
    persons.push_back(std::move(roles));
  }
  return persons;
}

std::set<std::string> RolesAskedFor(const Bundle& bundle) {
  const absl::StatusOr<json> parsed = ParseJson(bundle.CanonicalJson(), kBundleJsonBytesMax);
  CARNET_CHECK(parsed.ok());
  std::set<std::string> all;
  CollectRoles((*parsed)["policies"], &all);
  std::set<std::string> roles;
  std::copy_if(all.begin(), all.end(), std::inserter(roles, roles.end()),
               [](const std::string& role) { return IsRoleName(role); });
  return roles;
}

const ApprovalRule* FirstNotAuthors(const std::vector<ApprovalRule>& rules,
                                    const std::set<std::string>& roles, Authorship authorship) {
  const auto may_write = [&](const ApprovalRule& rule) {
    return HasOneOf(roles, rule.propose) ||
           (authorship == Authorship::kTightens && HasOneOf(roles, rule.from));
  };
  if (authorship == Authorship::kRenews && std::any_of(rules.begin(), rules.end(), may_write)) {
    return nullptr;
  }
  const auto found = std::find_if_not(rules.begin(), rules.end(), may_write);
  return found == rules.end() ? nullptr : &*found;
}

}  // namespace carnet::policies
