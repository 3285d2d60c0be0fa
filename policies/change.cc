#include "policies/change.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "base/json.h"
#include "base/status.h"
#include "policies/compiled.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

using nlohmann::json;

// A bundle's own canonical text is JSON, or it would be no bundle.
json JsonOf(const Bundle& bundle) {
  const absl::StatusOr<json> parsed = ParseJson(bundle.CanonicalJson(), kBundleJsonBytesMax);
  CARNET_CHECK(parsed.ok());
  return *parsed;
}

std::map<std::string, json> PoliciesOf(const json& bundle) {
  std::map<std::string, json> policies;
  for (const json& policy : bundle["policies"]) {
    policies[policy["policy"].get<std::string>()] = policy;
  }
  return policies;
}

std::vector<std::string> TextsOf(const json& node) {
  if (node.is_string()) {
    return {node.get<std::string>()};
  }
  std::vector<std::string> texts;
  for (const json& item : node) {
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

// As the loader read it: "2" and "2.0" are two persons. A bundle with another text is no bundle.
std::uint32_t NeedOf(const json& text) {
  const absl::StatusOr<double> need = ParseDecimal(text.get<std::string>());
  CARNET_CHECK(need.ok());
  return static_cast<std::uint32_t>(*need);
}

// Whether any text under `node` is one of `words`.
bool Mentions(const json& node, const std::set<std::string>& words) {
  if (node.is_string()) {
    return words.count(node.get<std::string>()) != 0;
  }
  return node.is_structured() && std::any_of(node.begin(), node.end(), [&](const json& child) {
           return Mentions(child, words);
         });
}

json Member(const json& object, const char* key) {
  return object.is_object() ? object.value(key, json::object()) : json::object();
}

// Names that differ between two maps.
std::set<std::string> Differences(const json& before, const json& after) {
  std::set<std::string> names;
  for (const auto& item : before.items()) {
    if (!after.contains(item.key()) || after[item.key()] != item.value()) {
      names.insert(item.key());
    }
  }
  for (const auto& item : after.items()) {
    if (!before.contains(item.key())) {
      names.insert(item.key());
    }
  }
  return names;
}

// `names`, and every group whose expression names one of them, however deep.
std::set<std::string> Dependents(const json& groups, std::set<std::string> names) {
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& item : groups.items()) {
      if (names.count(item.key()) != 0 || !item.value().contains("expression")) {
        continue;
      }
      for (const absl::string_view word :
           absl::StrSplit(item.value()["expression"].get<std::string>(), ' ')) {
        if (names.count(std::string(word)) != 0) {
          grew = names.insert(item.key()).second || grew;
        }
      }
    }
  }
  return names;
}

// The ways in which a text of a policy names a group.
std::set<std::string> Spellings(const std::set<std::string>& groups) {
  std::set<std::string> words = groups;
  for (const std::string& group : groups) {
    words.insert("group:" + group);
  }
  return words;
}

// The spellings of every group whose members may be others now.
std::set<std::string> ChangedGroups(const json& old_lists, const json& new_lists,
                                    const std::set<std::string>& changed) {
  const std::set<std::string> groups = Dependents(Member(old_lists, "groups"), changed);
  return Spellings(Dependents(Member(new_lists, "groups"), groups));
}

// `rules` by id; a policy without its rules and exceptions under "".
std::map<std::string, json> RulesOf(const json& policy) {
  std::map<std::string, json> rules;
  json rest = policy;
  if (rest.contains("rules")) {
    for (const json& rule : rest["rules"]) {
      rules[rule["id"].get<std::string>()]["rule"] = rule;
    }
  }
  rest.erase("rules");
  rules[""] = std::move(rest);
  return rules;
}

// Ids of the rules that differ, or name one of the groups (spelled as `groups`).
std::set<std::string> TouchedIn(const json& before, const json& after,
                                const std::set<std::string>& groups) {
  const std::map<std::string, json> old_rules = RulesOf(before);
  const std::map<std::string, json> new_rules = RulesOf(after);
  std::set<std::string> touched;
  std::set<std::string> all;
  for (const auto* rules : {&old_rules, &new_rules}) {
    const auto& others = rules == &old_rules ? new_rules : old_rules;
    for (const auto& [id, rule] : *rules) {
      all.insert(id);
      const auto other = others.find(id);
      if (other == others.end() || other->second != rule || Mentions(rule, groups)) {
        touched.insert(id);
      }
    }
  }
  std::set<std::string>& chosen = touched.count("") != 0 ? all : touched;
  chosen.erase("");
  return chosen;
}

}  // namespace

std::vector<ApprovalRule> ApprovalRules(const Bundle& bundle) {
  std::vector<ApprovalRule> rules;
  for (const auto& [name, policy] : PoliciesOf(JsonOf(bundle))) {
    ApprovalRule rule;
    rule.policy = name;
    const json& approvals = policy["approvals"];
    rule.propose = TextsOf(approvals["propose"]);
    rule.from = TextsOf(approvals["from"]);
    rule.need = NeedOf(approvals["need"]);
    rules.push_back(std::move(rule));
  }
  return rules;
}

BundleChange Compare(const Bundle& before, const Bundle& after) {
  const json old_json = JsonOf(before);
  const json new_json = JsonOf(after);
  const std::map<std::string, json> old_policies = PoliciesOf(old_json);
  const std::map<std::string, json> new_policies = PoliciesOf(new_json);
  BundleChange change;
  for (const auto& [name, policy] : old_policies) {
    const auto now = new_policies.find(name);
    if (now == new_policies.end()) {
      change.removed.insert(name);
    } else if (now->second != policy) {
      change.changed.insert(name);
    }
  }
  for (const auto& [name, policy] : new_policies) {
    if (old_policies.count(name) == 0) {
      change.added.insert(name);
    }
  }
  const json old_lists = old_json["groups"];
  const json new_lists = new_json["groups"];
  change.groups = Differences(Member(old_lists, "groups"), Member(new_lists, "groups"));
  for (const std::string& key : Differences(old_lists, new_lists)) {
    change.home = change.home || key == "home";
    change.other_lists = change.other_lists || (key != "home" && key != "groups" && key != "note");
  }
  change.tests = old_json["tests"] != new_json["tests"];
  const bool all = change.home || change.other_lists ||
                   (change.added.empty() && change.removed.empty() && change.changed.empty() &&
                    change.groups.empty());
  const std::set<std::string> words = ChangedGroups(old_lists, new_lists, change.groups);
  for (const auto& [name, policy] : old_policies) {
    if (all || change.removed.count(name) != 0 || change.changed.count(name) != 0 ||
        Mentions(policy, words)) {
      change.reached.insert(name);
    }
  }
  return change;
}

std::map<std::string, std::set<std::string>> TouchedRules(const Bundle& before,
                                                          const Bundle& after) {
  const BundleChange change = Compare(before, after);
  const json old_json = JsonOf(before);
  const json new_json = JsonOf(after);
  const std::set<std::string> groups =
      ChangedGroups(old_json["groups"], new_json["groups"], change.groups);
  const std::map<std::string, json> old_policies = PoliciesOf(old_json);
  const std::map<std::string, json> new_policies = PoliciesOf(new_json);
  std::set<std::string> names = change.added;
  for (const auto& [name, policy] : old_policies) {
    names.insert(name);
  }
  std::map<std::string, std::set<std::string>> touched;
  for (const std::string& name : names) {
    const auto was = old_policies.find(name);
    const auto is = new_policies.find(name);
    json before_policy = was == old_policies.end() ? json::object() : was->second;
    json after_policy = is == new_policies.end() ? json::object() : is->second;
    if (change.home || change.other_lists) {
      after_policy["home or aliases"] = "changed";
    }
    std::set<std::string> rules = TouchedIn(before_policy, after_policy, groups);
    if (!rules.empty()) {
      touched[name] = std::move(rules);
    }
  }
  return touched;
}

std::vector<ApprovalRule> NeededApprovals(const Bundle& before, const Bundle& after) {
  const BundleChange change = Compare(before, after);
  std::set<std::string> reached = change.reached;
  if (!change.added.empty()) {
    for (const Policy& policy : before.compiled().policies) {
      if (policy.covers.nobody || policy.covers.everything) {
        reached.insert(policy.name);
      }
    }
  }
  std::vector<ApprovalRule> needed;
  for (ApprovalRule& rule : ApprovalRules(before)) {
    if (reached.count(rule.policy) != 0) {
      needed.push_back(std::move(rule));
    }
  }
  for (ApprovalRule& rule : ApprovalRules(after)) {
    if (change.added.count(rule.policy) != 0) {
      needed.push_back(std::move(rule));
    }
  }
  return needed;
}

}  // namespace carnet::policies
