#include "policies/difference.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/compiled.h"
#include "policies/difference_of_flows.h"
#include "policies/jurisdictions.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

bool Same(const yaml::Node& a, const yaml::Node& b) {
  if (a.kind != b.kind || a.text != b.text || a.items.size() != b.items.size() ||
      a.entries.size() != b.entries.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!Same(a.items[i], b.items[i])) {
      return false;
    }
  }
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    if (a.entries[i].key != b.entries[i].key || !Same(a.entries[i].value, b.entries[i].value)) {
      return false;
    }
  }
  return true;
}

std::string TextOf(const yaml::Node& map, absl::string_view key) {
  const yaml::Node* node = map.Find(key);
  return node == nullptr ? "" : node->text;
}

// The keys whose values differ, but for `left_out`; sorted.
std::string ChangedKeys(const yaml::Node& before, const yaml::Node& after,
                        const std::set<std::string>& left_out) {
  std::set<std::string> changed;
  for (const auto& [one, other] : {std::pair(&before, &after), std::pair(&after, &before)}) {
    for (const yaml::Entry& entry : one->entries) {
      const yaml::Node* there = other->Find(entry.key);
      if (left_out.count(entry.key) == 0 && (there == nullptr || !Same(entry.value, *there))) {
        changed.insert(entry.key);
      }
    }
  }
  return absl::StrJoin(changed, ", ");
}

using ByName = std::map<std::string, const yaml::Node*>;

// The maps of the list `list` in `policy`, by their `id`.
ByName Named(const yaml::Node& policy, absl::string_view list) {
  ByName named;
  if (const yaml::Node* items = policy.Find(list); items != nullptr) {
    for (const yaml::Node& item : items->items) {
      named.emplace(TextOf(item, "id"), &item);
    }
  }
  return named;
}

ByName PoliciesOf(const Bundle& bundle) {
  ByName named;
  for (const Document& document : bundle.source().policies) {
    named.emplace(TextOf(document.root, "policy"), &document.root);
  }
  return named;
}

void CompareItems(const std::string& policy, const std::string& what, const ByName& before,
                  const ByName& after, std::vector<std::string>* lines) {
  for (const auto& [id, node] : after) {
    const auto old = before.find(id);
    if (old == before.end()) {
      const std::string effect = TextOf(*node, "effect");
      lines->push_back(absl::StrCat(what, " ", policy, "/", id, " is new",
                                    effect.empty() ? "" : absl::StrCat(" (", effect, ")"), "."));
    } else if (const std::string keys = ChangedKeys(*old->second, *node, {}); !keys.empty()) {
      lines->push_back(absl::StrCat(what, " ", policy, "/", id, " changes: ", keys, "."));
    }
  }
  for (const auto& [id, node] : before) {
    if (after.count(id) == 0) {
      lines->push_back(absl::StrCat(what, " ", policy, "/", id, " is gone."));
    }
  }
}

void ComparePolicies(const Bundle& before, const Bundle& after, std::vector<std::string>* lines) {
  const ByName old = PoliciesOf(before);
  const ByName now = PoliciesOf(after);
  for (const auto& [name, policy] : now) {
    const auto found = old.find(name);
    if (found == old.end()) {
      lines->push_back(absl::StrCat(TextOf(*policy, "kind") == "regime" ? "Regime " : "Guardrail ",
                                    name, " is new: ", TextOf(*policy, "title"), "."));
      continue;
    }
    const yaml::Node& was = *found->second;
    const std::string keys = ChangedKeys(was, *policy, {"rules", "exceptions"});
    if (!keys.empty()) {
      lines->push_back(absl::StrCat("Policy ", name, " changes: ", keys, "."));
    }
    CompareItems(name, "Rule", Named(was, "rules"), Named(*policy, "rules"), lines);
    CompareItems(name, "Exception", Named(was, "exceptions"), Named(*policy, "exceptions"), lines);
  }
  for (const auto& [name, policy] : old) {
    if (now.count(name) == 0) {
      lines->push_back(absl::StrCat("Policy ", name, " is gone."));
    }
  }
}

std::set<std::string> MembersOf(const CompiledBundle& bundle, const Group& group) {
  std::set<std::string> members(group.parts.begin(), group.parts.end());
  for (const std::string& code : CountryCodes()) {
    if (group.whole.test(static_cast<std::size_t>(CountrySlot(code)))) {
      members.insert(code);
    }
  }
  for (const Group::Term& term : group.expression) {
    const Group& part = bundle.groups[static_cast<std::size_t>(term.group)];
    for (const std::string& code : part.parts) {
      if (!term.subtract) {
        members.insert(code);
      }
    }
  }
  for (const ConditionalMember& member : group.conditional) {
    members.insert(absl::StrCat(member.code, " under a condition"));
  }
  return members;
}

std::vector<std::string> Without(const std::set<std::string>& all,
                                 const std::set<std::string>& less) {
  std::vector<std::string> left;
  for (const std::string& one : all) {
    if (less.count(one) == 0) {
      left.push_back(JurisdictionNameAndCode(one));
    }
  }
  return left;
}

void CompareGroups(const Bundle& before, const Bundle& after, std::vector<std::string>* lines) {
  std::map<std::string, std::set<std::string>> old;
  std::map<std::string, std::set<std::string>> now;
  for (const Group& group : before.compiled().groups) {
    old[group.name] = MembersOf(before.compiled(), group);
  }
  for (const Group& group : after.compiled().groups) {
    now[group.name] = MembersOf(after.compiled(), group);
  }
  for (const auto& [name, members] : now) {
    const auto was = old.find(name);
    if (was == old.end()) {
      lines->push_back(absl::StrCat("Group ", name, " is new."));
      continue;
    }
    const std::vector<std::string> more = Without(members, was->second);
    const std::vector<std::string> fewer = Without(was->second, members);
    if (!more.empty()) {
      lines->push_back(absl::StrCat("Group ", name, " gains ", absl::StrJoin(more, ", "), "."));
    }
    if (!fewer.empty()) {
      lines->push_back(absl::StrCat("Group ", name, " loses ", absl::StrJoin(fewer, ", "), "."));
    }
  }
  for (const auto& [name, members] : old) {
    if (now.count(name) == 0) {
      lines->push_back(absl::StrCat("Group ", name, " is gone."));
    }
  }
}

}  // namespace

Difference DifferenceOf(const Bundle& before, const Bundle& after, absl::Time at) {
  Difference difference;
  if (before.home() != after.home()) {
    difference.rules.push_back(
        absl::StrCat("Home changes from ", before.home(), " to ", after.home(), "."));
  }
  ComparePolicies(before, after, &difference.rules);
  CompareGroups(before, after, &difference.rules);
  CompareFlows(before, after, at, &difference.gains, &difference.losses);
  return difference;
}

}  // namespace carnet::policies
