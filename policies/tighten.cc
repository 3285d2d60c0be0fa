// Tighten-only, decided by syntax. Conditions are built from AND, OR and atoms without NOT, so a
// condition whose atoms get wider (or narrower) gets wider (or narrower) itself; `unless` turns it
// round and is never touched here.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "base/status.h"
#include "policies/change.h"

namespace carnet::policies {
namespace {

using nlohmann::json;

absl::Status Not(absl::string_view where, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(where, ": ", what));
}

json JsonOf(const Bundle& bundle) {
  const absl::StatusOr<json> parsed = ParseJson(bundle.CanonicalJson(), kBundleJsonBytesMax);
  CARNET_CHECK(parsed.ok());
  return *parsed;
}

std::map<std::string, json> ById(const json& list, const char* key) {
  std::map<std::string, json> items;
  for (const json& item : list) {
    items[item[key].get<std::string>()] = item;
  }
  return items;
}

json Without(json object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    object.erase(key);
  }
  return object;
}

json ListOf(const json& object, const char* key) {
  return object.is_object() ? object.value(key, json::array()) : json::array();
}

// What a change does to the set of cases in which a condition is true.
enum class Direction { kNarrower, kWider };

// Whether `after` is `before` but for numbers of bounds, each of which makes the condition
// `direction` or leaves it.
bool OnlyBounds(const json& before, const json& after, Direction direction,
                const std::string& key) {
  if (before == after) {
    return true;
  }
  if (before.is_string() && after.is_string()) {
    double old_bound = 0;
    double new_bound = 0;
    if (!absl::SimpleAtod(before.get<std::string>(), &old_bound) ||
        !absl::SimpleAtod(after.get<std::string>(), &new_bound)) {
      return false;
    }
    const bool raised = new_bound > old_bound;
    if (key == "at_least" || key == "more_than") {
      return raised == (direction == Direction::kNarrower);
    }
    return (key == "at_most" || key == "ceiling") && raised == (direction == Direction::kWider);
  }
  if (before.type() != after.type() || before.size() != after.size() || !before.is_structured()) {
    return false;
  }
  if (before.is_array()) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (!OnlyBounds(before[i], after[i], direction, key)) {
        return false;
      }
    }
    return true;
  }
  return std::all_of(before.items().begin(), before.items().end(), [&](const auto& item) {
    return after.contains(item.key()) &&
           OnlyBounds(item.value(), after[item.key()], direction, item.key());
  });
}

// Empty of an item that asks for persons or a duty.
json CheckOf(const json& item) {
  return item.value("check", json::object());
}

// Whoever keeps a round's deltas can open them: that takes more than one signature.
constexpr char kNewRetention[] = "a new retention lets somebody open deltas";

bool Retains(const json& rule) {
  const json items = ListOf(rule, "require");
  return std::any_of(items.begin(), items.end(),
                     [](const json& item) { return item.contains("retain_deltas"); });
}

absl::Status CheckItems(const std::string& where, const json& before, const json& after) {
  const std::map<std::string, json> now = ById(ListOf(after, "require"), "id");
  for (const auto& [id, item] : ById(ListOf(before, "require"), "id")) {
    const auto kept = now.find(id);
    const std::string place = absl::StrCat(where, ".", id);
    if (kept == now.end()) {
      return Not(place, "a requirement is gone");
    }
    if (Without(item, {"check", "fix", "note"}) !=
            Without(kept->second, {"check", "fix", "note"}) ||
        !OnlyBounds(CheckOf(item), CheckOf(kept->second), Direction::kNarrower, "")) {
      return Not(place, "a requirement changed in more than a stricter bound");
    }
  }
  const std::map<std::string, json> was = ById(ListOf(before, "require"), "id");
  for (const auto& [id, item] : now) {
    if (was.count(id) == 0 && item.contains("retain_deltas")) {
      return Not(absl::StrCat(where, ".", id), kNewRetention);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRule(const std::string& where, const json& before, const json& after) {
  const std::string effect = before["effect"].get<std::string>();
  if (Without(before, {"when", "require", "ceiling", "because", "fix", "cites", "note"}) !=
      Without(after, {"when", "require", "ceiling", "because", "fix", "cites", "note"})) {
    return Not(where, "more than its bounds and its requirements changed");
  }
  const Direction direction = effect == "allow" ? Direction::kNarrower : Direction::kWider;
  const json old_when = before.value("when", json::object());
  const json new_when = after.value("when", json::object());
  if (effect == "declassify" ? before != after : !OnlyBounds(old_when, new_when, direction, "")) {
    return Not(where, "`when` changed in more than a stricter bound");
  }
  if (!OnlyBounds(before.value("ceiling", json()), after.value("ceiling", json()),
                  Direction::kNarrower, "ceiling")) {
    return Not(where, "`ceiling` is not lower");
  }
  return CheckItems(where, before, after);
}

absl::Status CheckPolicy(const json& before, const json& after) {
  const std::string name = before["policy"].get<std::string>();
  // Its title stays: people know it by that.
  if (Without(before, {"rules", "exceptions", "sources", "note"}) !=
      Without(after, {"rules", "exceptions", "sources", "note"})) {
    return Not(name, "more than its rules, exceptions, sources and note changed");
  }
  const std::map<std::string, json> old_rules = ById(ListOf(before, "rules"), "id");
  const std::map<std::string, json> new_rules = ById(ListOf(after, "rules"), "id");
  for (const auto& [id, rule] : old_rules) {
    const std::string where = absl::StrCat(name, "/", id);
    const auto now = new_rules.find(id);
    if (now != new_rules.end()) {
      CARNET_RETURN_IF_ERROR(CheckRule(where, rule, now->second));
    } else if (rule["effect"] != "allow") {
      return Not(where, "a rule that does not allow is gone");
    }
  }
  for (const auto& [id, rule] : new_rules) {
    if (old_rules.count(id) == 0 && rule["effect"] != "deny" && rule["effect"] != "require" &&
        rule["effect"] != "limit") {
      return Not(absl::StrCat(name, "/", id), "a new rule that may allow something");
    }
    if (old_rules.count(id) == 0 && Retains(rule)) {
      return Not(absl::StrCat(name, "/", id), kNewRetention);
    }
  }
  const std::map<std::string, json> old_exceptions = ById(ListOf(before, "exceptions"), "id");
  for (const auto& [id, exception] : ById(ListOf(after, "exceptions"), "id")) {
    const auto was = old_exceptions.find(id);
    if (was == old_exceptions.end() || was->second != exception) {
      return Not(absl::StrCat(name, "/", id), "an exception is new or changed");
    }
  }
  return absl::OkStatus();
}

// Where groups are used, and what a larger group does there: +1 it tightens, -1 it loosens.
class GroupUses {
 public:
  explicit GroupUses(const json& groups) {
    for (const auto& item : groups.items()) {
      if (item.value().contains("expression")) {
        expressions_[item.key()] = item.value()["expression"].get<std::string>();
      }
    }
  }

  void AddPolicy(const json& policy) {
    // What decides whether a policy or a condition applies at all is never touched.
    for (const char* key : {"covers", "applies_when", "unless", "terms", "aliases"}) {
      AddEverywhere(policy.value(key, json()));
    }
    for (const json& rule : ListOf(policy, "rules")) {
      const std::string effect = rule["effect"].get<std::string>();
      const int when = effect == "allow" ? -1 : 1;
      AddEverywhere(rule.value("unless", json()));
      if (effect == "declassify") {
        AddEverywhere(rule.value("when", json()));
      } else {
        AddCondition(rule.value("when", json()), when, "");
      }
      for (const json& item : ListOf(rule, "require")) {
        AddCondition(item.value("check", json()), -1, "");
      }
    }
    for (const json& exception : ListOf(policy, "exceptions")) {
      AddCondition(exception.value("only_when", json()), -1, "");
    }
  }
  void AddEverywhere(const json& node) {
    AddCondition(node, 1, "");
    AddCondition(node, -1, "");
  }

  // Whether enlarging (sign +1) or shrinking (-1) the group can only tighten.
  bool Tightens(const std::string& group, int sign, int depth = 0) const {
    constexpr int kDepthMax = 8;
    if (depth > kDepthMax || uses_.count({group, -sign}) != 0) {
      return false;
    }
    for (const auto& [name, expression] : expressions_) {
      int term = 1;
      for (const absl::string_view word : absl::StrSplit(expression, ' ')) {
        if (word == "+" || word == "-") {
          term = word == "+" ? 1 : -1;
        } else if (word == group && !Tightens(name, sign * term, depth + 1)) {
          return false;
        }
      }
    }
    return true;
  }

 private:
  void AddCondition(const json& node, int sign, const std::string& key) {
    if (node.is_string()) {
      const std::string text = node.get<std::string>();
      const int effective = key == "not_in" || key == "is_not" ? -sign : sign;
      uses_.insert({text.rfind("group:", 0) == 0 ? text.substr(6) : text, effective});
      return;
    }
    if (node.is_array()) {
      for (const json& item : node) {
        AddCondition(item, sign, key);
      }
    } else if (node.is_object()) {
      for (const auto& item : node.items()) {
        AddCondition(item.value(), sign, item.key());
      }
    }
  }

  std::map<std::string, std::string> expressions_;
  std::set<std::pair<std::string, int>> uses_;
};

std::set<std::string> MembersOf(const json& group) {
  std::set<std::string> members;
  for (const json& member : ListOf(group, "members")) {
    members.insert(member.get<std::string>());
  }
  return members;
}

absl::Status CheckGroups(const json& before, const json& after) {
  const json old_lists = before["groups"];
  const json new_lists = after["groups"];
  if (Without(old_lists, {"groups", "note"}) != Without(new_lists, {"groups", "note"})) {
    return Not("groups", "home or a set of aliases changed");
  }
  const json old_groups = old_lists.value("groups", json::object());
  const json new_groups = new_lists.value("groups", json::object());
  GroupUses uses(old_groups);
  for (const json& policy : before["policies"]) {
    uses.AddPolicy(policy);
  }
  for (const auto& item : old_groups.items()) {
    uses.AddEverywhere(item.value().value("conditional", json::array()));
  }
  for (const auto& item : old_groups.items()) {
    const std::string where = absl::StrCat("group ", item.key());
    if (!new_groups.contains(item.key())) {
      return Not(where, "it is gone");
    }
    const json& now = new_groups[item.key()];
    for (const char* key : {"conditional", "expression"}) {
      if (item.value().value(key, json()) != now.value(key, json())) {
        return Not(where, "more than its members changed");
      }
    }
    const std::set<std::string> was = MembersOf(item.value());
    const std::set<std::string> is = MembersOf(now);
    const bool grew = !std::includes(was.begin(), was.end(), is.begin(), is.end());
    const bool shrank = !std::includes(is.begin(), is.end(), was.begin(), was.end());
    if ((grew && !uses.Tightens(item.key(), 1)) || (shrank && !uses.Tightens(item.key(), -1))) {
      return Not(where, "its members changed where that may allow something");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTightensOnly(const Bundle& before, const Bundle& after) {
  const json old_json = JsonOf(before);
  const json new_json = JsonOf(after);
  const std::map<std::string, json> old_policies = ById(old_json["policies"], "policy");
  const std::map<std::string, json> new_policies = ById(new_json["policies"], "policy");
  for (const auto& [name, policy] : old_policies) {
    const auto now = new_policies.find(name);
    if (now == new_policies.end()) {
      return Not(name, "a policy is gone");
    }
    CARNET_RETURN_IF_ERROR(CheckPolicy(policy, now->second));
  }
  for (const auto& [name, policy] : new_policies) {
    if (old_policies.count(name) == 0 && policy["kind"] != "guardrail") {
      return Not(name, "a new policy that is no guardrail");
    }
    const json rules = ListOf(policy, "rules");
    if (old_policies.count(name) == 0 && std::any_of(rules.begin(), rules.end(), &Retains)) {
      return Not(name, kNewRetention);
    }
  }
  CARNET_RETURN_IF_ERROR(CheckGroups(old_json, new_json));
  // Last: that a change is no tightening is better said of its rules than of its time.
  return after.head().valid_to > before.head().valid_to
             ? Not("validity", "it ends later than that of the bundle in force")
             : absl::OkStatus();
}

}  // namespace carnet::policies
