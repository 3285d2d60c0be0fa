#include "mutants.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "policies/dates.h"
#include "policies/jurisdictions.h"

namespace carnet::policies::testing {
namespace {

using nlohmann::json;

// What asks something else, and loads wherever the first loads.
const std::map<std::string, std::string>& OtherOperators() {
  static const auto& operators = *new std::map<std::string, std::string>{
      {"all_in", "any_in"}, {"any_in", "all_in"}, {"at_least", "more_than"}, {"in", "not_in"},
      {"is", "is_not"},     {"is_not", "is"},     {"more_than", "at_least"}, {"not_in", "in"}};
  return operators;
}

// A policy whose tests see the group: the first that names it. Groups that only expressions name
// are seen by the tests of groups; any policy will do.
std::string ReaderOf(const json& policies, const std::string& group) {
  for (const json& policy : policies) {
    const std::string text = policy.dump();
    if (absl::StrContains(text, absl::StrCat("\"group:", group, "\"")) ||
        absl::StrContains(text, absl::StrCat("\"group\":\"", group, "\""))) {
      return policy["policy"];
    }
  }
  return "gdpr-chapter-v";
}

class Mutants {
 public:
  explicit Mutants(const json& bundle) {
    const json& policies = bundle["policies"];
    for (const auto& group : bundle["groups"]["groups"].items()) {
      groups_.push_back(group.key());
    }
    for (std::size_t i = 0; i < policies.size(); ++i) {
      AddPolicy(policies[i], json::json_pointer(absl::StrCat("/policies/", i)));
    }
    for (const auto& group : bundle["groups"]["groups"].items()) {
      policy_ = ReaderOf(policies, group.key());
      of_group_ = true;
      AddGroup(group.key(), group.value());
    }
  }

  const std::vector<Mutant>& all() const { return mutants_; }

 private:
  void Add(const std::string& what, std::function<void(json&)> apply) {
    mutants_.push_back(
        {of_group_ ? what : absl::StrCat(policy_, what), policy_, of_group_, {}, std::move(apply)});
  }

  // The same, of which `gone` are reasons that no rule gives any more.
  void AddWithout(const std::string& what, std::set<std::string> gone,
                  std::function<void(json&)> apply) {
    Add(what, std::move(apply));
    mutants_.back().gone = std::move(gone);
  }

  void AddSet(const std::string& what, const json::json_pointer& where, const json& value) {
    Add(what, [where, value](json& bundle) { bundle[where] = value; });
  }

  // Takes `key` of the map, or the item of the list, away.
  void AddErase(const std::string& what, const json::json_pointer& where, const std::string& key) {
    Add(what, [where, key](json& bundle) {
      json& at = bundle[where];
      if (at.is_array()) {
        at.erase(static_cast<std::size_t>(std::stoul(key)));
      } else {
        at.erase(key);
      }
    });
  }

  void AddPolicy(const json& policy, const json::json_pointer& at) {
    policy_ = policy["policy"];
    for (const char* key : {"applies_when", "unless"}) {
      if (policy.contains(key)) {
        AddErase(absl::StrCat(": without ", key), at, key);
        AddCondition(policy[key], at / key, absl::StrCat(": ", key),
                     std::string(key) == "applies_when");
      }
    }
    AddSet(": mode warn", at / "mode", "warn");
    AddCovers(policy, at / "covers");
    const json terms = policy.value("terms", json::object());
    for (const auto& term : terms.items()) {
      AddCondition(term.value(), at / "terms" / term.key(), absl::StrCat(": term ", term.key()));
    }
    const json& rules = policy["rules"];
    for (std::size_t i = 0; i < rules.size(); ++i) {
      AddDropped(rules[i], i, rules.size() == 1, at / "rules");
      AddRule(rules[i], at / "rules" / i);
      AddEffects(rules[i], policy["kind"] == "regime", at / "rules" / i);
      AddMode(rules[i], at / "rules" / i);
      AddItems(rules[i], at / "rules" / i);
    }
    for (std::size_t i = 0; i < policy.value("exceptions", json::array()).size(); ++i) {
      AddErase(absl::StrCat(": exception ", i, " dropped"), at / "exceptions", std::to_string(i));
      AddCondition(policy["exceptions"][i]["only_when"], at / "exceptions" / i / "only_when",
                   absl::StrCat(": exception ", i));
    }
  }

  // For whom a regime speaks.
  void AddCovers(const json& policy, const json::json_pointer& at) {
    if (!policy.contains("covers") || !policy["covers"].is_object()) {
      return;
    }
    const json& people = policy["covers"]["subjects_in"];
    if (people.is_string()) {
      AddOtherGroups(people, at / "subjects_in", ": covers");
      return;
    }
    for (std::size_t i = 0; i < people.size(); ++i) {
      AddSet(absl::StrCat(": covers KE for ", people[i].get<std::string>()), at / "subjects_in" / i,
             "KE");
    }
  }

  static std::string NameOf(const json& rule) {
    return absl::StrCat("/", rule["id"].get<std::string>());
  }

  std::set<std::string> ItemsOf(const json& rule) const {
    std::set<std::string> reasons;
    const json items = rule.value("require", json::array());
    for (const json& item : items) {
      reasons.insert(absl::StrCat(policy_, NameOf(rule), ".", item["id"].get<std::string>()));
    }
    return reasons;
  }

  // The only rule of a policy, which cannot go, decides nothing any more.
  void AddDropped(const json& rule, std::size_t position, bool only,
                  const json::json_pointer& rules) {
    std::set<std::string> gone = ItemsOf(rule);
    gone.insert(absl::StrCat(policy_, NameOf(rule)));
    AddWithout(absl::StrCat(NameOf(rule), ": dropped"), std::move(gone),
               [rules, position, only](json& bundle) {
                 if (only) {
                   bundle[rules][position]["mode"] = "shadow";
                 } else {
                   bundle[rules].erase(position);
                 }
               });
  }

  // A declassification without a condition does not load.
  void AddRule(const json& rule, const json::json_pointer& at) {
    const std::string name = NameOf(rule);
    const bool declassifies = rule["effect"] == "declassify";
    for (const char* key : {"when", "unless", "mode", "status", "floor"}) {
      if (rule.contains(key) && (!declassifies || std::string(key) != "when")) {
        AddErase(absl::StrCat(name, ": without ", key), at, key);
      }
    }
    for (const char* key : {"when", "unless"}) {
      if (rule.contains(key)) {
        AddCondition(rule[key], at / key, absl::StrCat(name, ": ", key),
                     std::string(key) == "when" && !declassifies);
      }
    }
    if (declassifies) {
      AddSet(absl::StrCat(name, ": removes health"), at / "removes", json::array({"health"}));
    }
  }

  // A deny allows (in a regime: a guardrail never does), an allow denies, and so does what asks for
  // something, whether it is given or not.
  void AddEffects(const json& rule, bool regime, const json::json_pointer& at) {
    const std::string effect = rule["effect"];
    const auto become = [at](const std::string& other) {
      return [at, other](json& bundle) {
        bundle[at]["effect"] = other;
        bundle[at].erase("floor");
        bundle[at].erase("require");
      };
    };
    if (effect == "deny" && regime) {
      Add(absl::StrCat(NameOf(rule), ": allows"), become("allow"));
    } else if (effect == "allow" || effect == "require") {
      AddWithout(absl::StrCat(NameOf(rule), ": denies"), ItemsOf(rule), become("deny"));
    }
  }

  // What is enforced warns, what warns is only noted, and what is noted warns; each a day earlier
  // and a day later.
  void AddMode(const json& rule, const json::json_pointer& at) {
    const json status = rule.value("status", json::object());
    const bool told = status.contains("not_enforced") || status.contains("proposed");
    const std::string mode = rule.value("mode", "enforce");
    if (!told) {
      const std::string other = mode == "warn" ? "shadow" : "warn";
      AddSet(absl::StrCat(NameOf(rule), ": mode ", other), at / "mode", other);
    }
    for (const auto& entry : status.items()) {
      const std::string key = entry.key();
      const json::json_pointer where = at / "status";
      if (key == "not_enforced" || key == "proposed") {
        const std::string other = key == "proposed" ? "not_enforced" : "proposed";
        Add(absl::StrCat(NameOf(rule), ": ", other), [where, key, other](json& bundle) {
          bundle[where].erase(key);
          bundle[where][other] = "yes";
        });
      } else if (key == "in_force_from" || key == "stayed_until") {
        const auto day = ParseDate(entry.value().get<std::string>());
        for (const int days : {-1, 1}) {
          const std::string moved = absl::FormatCivilTime(day.value() + days);
          AddSet(absl::StrCat(NameOf(rule), ": ", key, " ", moved), where / key, moved);
        }
      }
    }
  }

  void AddItems(const json& rule, const json::json_pointer& at) {
    const json items = rule.value("require", json::array());
    for (std::size_t i = 0; i < items.size(); ++i) {
      const json& item = items[i];
      const std::string name = absl::StrCat(NameOf(rule), ".", item["id"].get<std::string>());
      const json::json_pointer where = at / "require" / i;
      if (items.size() > 1) {  // without its only one the rule is as good as dropped
        AddWithout(absl::StrCat(name, ": dropped"), {absl::StrCat(policy_, name)},
                   [at, i](json& bundle) { bundle[at]["require"].erase(i); });
      }
      const std::string phase = item.value("phase", "pre");
      if (phase == "runtime") {
        AddErase(absl::StrCat(name, ": not of the round"), where, "phase");
      } else if (phase == "post") {
        AddDuty(item, where, name);
      }
      if (item.contains("check")) {
        AddCondition(item["check"], where / "check", absl::StrCat(name, ": check"));
      } else if (item.contains("need")) {
        AddLiterals({{"from", item["from"]}, {"need", item["need"]}}, where, name);
      }
    }
  }

  void AddDuty(const json& item, const json::json_pointer& where, const std::string& name) {
    const std::string within = item["within"];
    const std::string unit = within.substr(within.size() - 1);
    AddSet(absl::StrCat(name, ": within one more than ", within), where / "within",
           absl::StrCat(std::stoul(within) + 1, unit));
    AddSet(absl::StrCat(name, ": of nobody"), where / "of", "nobody");
    AddSet(absl::StrCat(name, ": another duty"), where / "duty",
           absl::StrCat(item["duty"].get<std::string>(), " Or not."));
  }

  // Each atom, each alternative, each word of a list goes once, each operator and each group gives
  // way to another once; each number moves by one once. Most blocks cannot be empty.
  void AddCondition(const json& block, const json::json_pointer& at, const std::string& name,
                    bool may_be_empty = false) {
    for (const auto& entry : block.items()) {
      if (may_be_empty || block.size() > 1) {
        AddErase(absl::StrCat(name, " without ", entry.key()), at, entry.key());
      }
      if (entry.key() == "any") {
        for (std::size_t i = 0; i < entry.value().size(); ++i) {
          AddErase(absl::StrCat(name, " without alternative ", i), at / "any", std::to_string(i));
          AddCondition(entry.value()[i], at / "any" / i, absl::StrCat(name, " alternative ", i));
        }
      } else if (entry.value().is_object()) {
        AddLiterals(entry.value(), at / entry.key(), absl::StrCat(name, " ", entry.key()));
      }
    }
  }

  void AddLiterals(const json& literals, const json::json_pointer& at, const std::string& name) {
    for (const auto& test : literals.items()) {
      const json::json_pointer where = at / test.key();
      AddOperator(test.key(), at, name);
      for (std::size_t i = 0; test.value().is_array() && i < test.value().size(); ++i) {
        AddOtherGroups(test.value()[i], where / i, absl::StrCat(name, " ", test.key()));
      }
      AddOtherGroups(test.value(), where, absl::StrCat(name, " ", test.key()));
      if (test.value().is_array() && test.value().size() > 1) {
        for (std::size_t i = 0; i < test.value().size(); ++i) {
          AddErase(absl::StrCat(name, " without ", test.value()[i].dump()), where,
                   std::to_string(i));
        }
      } else if (test.value().is_object()) {
        AddLiterals(test.value(), where, name);
      } else if (test.value().is_string()) {
        AddNumber(test.value(), where, name);
      }
    }
  }

  void AddOperator(const std::string& key, const json::json_pointer& at, const std::string& name) {
    const auto other = OtherOperators().find(key);
    if (other == OtherOperators().end()) {
      return;
    }
    Add(absl::StrCat(name, " ", key, " as ", other->second),
        [at, key, other = other->second](json& bundle) {
          bundle[at][other] = bundle[at][key];
          bundle[at].erase(key);
        });
  }

  // Each other group in place of the one that `value` names: `group:eea`, or `eea` under `group`.
  void AddOtherGroups(const json& value, const json::json_pointer& where, const std::string& name) {
    constexpr char kPrefix[] = "group:";
    const std::string text = value.is_string() ? value.get<std::string>() : "";
    const bool prefixed = absl::StartsWith(text, kPrefix);
    if (!prefixed && where.back() != "group") {
      return;
    }
    const std::string named = prefixed ? text.substr(sizeof(kPrefix) - 1) : text;
    for (const std::string& other : groups_) {
      if (other != named) {
        AddSet(absl::StrCat(name, ": ", other, " for ", named), where,
               absl::StrCat(prefixed ? kPrefix : "", other));
      }
    }
  }

  void AddNumber(const std::string& text, const json::json_pointer& where,
                 const std::string& name) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
      return;
    }
    Add(absl::StrCat(name, " one more than ", text),
        [where, text](json& bundle) { bundle[where] = std::to_string(std::stoul(text) + 1); });
    if (text != "0" && (text != "1" || where.back() != "need")) {
      Add(absl::StrCat(name, " one less than ", text),
          [where, text](json& bundle) { bundle[where] = std::to_string(std::stoul(text) - 1); });
    }
  }

  void AddGroup(const std::string& group, const json& value) {
    const json::json_pointer at = json::json_pointer("/groups/groups") / group;
    for (const char* list : {"members", "conditional"}) {
      const json entries = value.value(list, json::array());
      for (std::size_t i = 0; i < entries.size(); ++i) {
        AddErase(absl::StrCat("group ", group, ": without ", entries[i].dump()), at / list,
                 std::to_string(i));
      }
    }
    const json conditional = value.value("conditional", json::array());
    for (std::size_t i = 0; i < conditional.size(); ++i) {
      AddCondition(conditional[i]["when"], at / "conditional" / i / "when",
                   absl::StrCat("group ", group, ": ", conditional[i]["code"].get<std::string>()));
    }
    if (value.contains("expression")) {
      AddExpression(value["expression"], at / "expression", absl::StrCat("group ", group));
    }
    if (!value.contains("members")) {
      return;
    }
    for (const std::string& code : Neighbours(value["members"])) {
      Add(absl::StrCat("group ", group, ": with ", code),
          [at, code](json& bundle) { bundle[at]["members"].push_back(code); });
    }
  }

  // `a + b - c`: each term goes once (the first where what is left begins with a plus), and each
  // sign turns once.
  void AddExpression(const std::string& text, const json::json_pointer& where,
                     const std::string& name) {
    const std::vector<std::string> words = absl::StrSplit(text, ' ');
    if (words.size() > 1 && words[1] == "+") {
      AddSet(absl::StrCat(name, ": without ", words[0]), where,
             absl::StrJoin(words.begin() + 2, words.end(), " "));
    }
    for (std::size_t i = 2; i < words.size(); i += 2) {
      std::vector<std::string> turned = words;
      turned[i - 1] = words[i - 1] == "+" ? "-" : "+";
      AddSet(absl::StrCat(name, ": ", turned[i - 1], " ", words[i]), where,
             absl::StrJoin(turned, " "));
      std::vector<std::string> fewer = words;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i) - 1,
                  fewer.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      AddSet(absl::StrCat(name, ": without ", words[i]), where, absl::StrJoin(fewer, " "));
    }
  }

  // The codes that follow its members in the list of all countries and are no members.
  static std::vector<std::string> Neighbours(const json& members) {
    const std::vector<std::string> codes = CountryCodes();
    std::vector<std::string> found;
    for (const json& member : members) {
      auto next = std::upper_bound(codes.begin(), codes.end(), member.get<std::string>());
      next = next == codes.end() ? codes.begin() : next;
      if (std::find(members.begin(), members.end(), *next) == members.end()) {
        found.push_back(*next);
      }
    }
    return found;
  }

  std::vector<std::string> groups_;
  std::string policy_;
  bool of_group_ = false;
  std::vector<Mutant> mutants_;
};

}  // namespace

std::vector<Mutant> MutantsOf(const json& bundle) {
  return Mutants(bundle).all();
}

}  // namespace carnet::policies::testing
