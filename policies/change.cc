#include "policies/change.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "base/status.h"
#include "policies/compiled.h"

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

}  // namespace

std::vector<ApprovalRule> ApprovalRules(const Bundle& bundle) {
  std::vector<ApprovalRule> rules;
  for (const auto& [name, policy] : PoliciesOf(JsonOf(bundle))) {
    ApprovalRule rule;
    rule.policy = name;
    const json& approvals = policy["approvals"];
    rule.propose = TextsOf(approvals["propose"]);
    rule.from = TextsOf(approvals["from"]);
    CARNET_CHECK(absl::SimpleAtoi(approvals["need"].get<std::string>(), &rule.need));
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
  std::set<std::string> groups = Dependents(Member(old_lists, "groups"), change.groups);
  groups = Dependents(Member(new_lists, "groups"), std::move(groups));
  const std::set<std::string> words = Spellings(groups);
  for (const auto& [name, policy] : old_policies) {
    if (all || change.removed.count(name) != 0 || change.changed.count(name) != 0 ||
        Mentions(policy, words)) {
      change.reached.insert(name);
    }
  }
  return change;
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
