#include "mutants.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "policies/jurisdictions.h"
#include "policies/loader.h"
#include "policies/test_runner.h"

namespace carnet::policies::testing {
namespace {

using nlohmann::json;

// What changes no verdict. Each of the two allows of house grants only what the other grants too,
// or what needs no grant: a third kind of flow without people does not exist.
const std::set<std::string>& Equivalent() {
  static const auto& names = *new std::set<std::string>{
      "house/operations: without when", "house/operations: when without artifact.kind",
      "house/non-personal: without when", "house/non-personal: when without data.personal"};
  return names;
}

class Mutants {
 public:
  explicit Mutants(const json& bundle) {
    const json& policies = bundle["policies"];
    for (std::size_t i = 0; i < policies.size(); ++i) {
      AddPolicy(policies[i], json::json_pointer(absl::StrCat("/policies/", i)));
    }
    for (const auto& group : bundle["groups"]["groups"].items()) {
      AddGroup(group.key(), group.value());
    }
  }

  const std::vector<Mutant>& all() const { return mutants_; }

 private:
  void Add(const std::string& what, std::function<void(json&)> apply) {
    mutants_.push_back({absl::StrCat(policy_, what), policy_, std::move(apply)});
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
        AddCondition(policy[key], at / key, absl::StrCat(": ", key));
      }
    }
    const json terms = policy.value("terms", json::object());
    for (const auto& term : terms.items()) {
      AddCondition(term.value(), at / "terms" / term.key(), absl::StrCat(": term ", term.key()));
    }
    for (std::size_t i = 0; i < policy["rules"].size(); ++i) {
      AddErase(absl::StrCat("/", policy["rules"][i]["id"].get<std::string>(), ": dropped"),
               at / "rules", std::to_string(i));
      AddRule(policy["rules"][i], at / "rules" / i);
    }
    for (std::size_t i = 0; i < policy.value("exceptions", json::array()).size(); ++i) {
      AddErase(absl::StrCat(": exception ", i, " dropped"), at / "exceptions", std::to_string(i));
      AddCondition(policy["exceptions"][i]["only_when"], at / "exceptions" / i / "only_when",
                   absl::StrCat(": exception ", i));
    }
  }

  void AddRule(const json& rule, const json::json_pointer& at) {
    const std::string name = absl::StrCat("/", rule["id"].get<std::string>());
    for (const char* key : {"when", "unless", "mode", "status"}) {
      if (rule.contains(key)) {
        AddErase(absl::StrCat(name, ": without ", key), at, key);
      }
    }
    for (const char* key : {"when", "unless"}) {
      if (rule.contains(key)) {
        AddCondition(rule[key], at / key, absl::StrCat(name, ": ", key));
      }
    }
    const std::string effect = rule["effect"];
    if (effect == "deny" || (effect == "allow" && !rule.contains("require"))) {
      Add(absl::StrCat(name, ": effect flipped"), [at, effect](json& bundle) {
        bundle[at]["effect"] = effect == "deny" ? "allow" : "deny";
        bundle[at].erase("floor");
      });
    }
    const json items = rule.value("require", json::array());
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string item = absl::StrCat(name, ".", items[i]["id"].get<std::string>());
      AddErase(absl::StrCat(item, ": dropped"), at / "require", std::to_string(i));
      const json::json_pointer where = at / "require" / i;
      if (items[i].contains("check")) {
        AddCondition(items[i]["check"], where / "check", absl::StrCat(item, ": check"));
      } else if (items[i].contains("need")) {
        AddLiterals({{"from", items[i]["from"]}, {"need", items[i]["need"]}}, where, item);
      }
    }
  }

  // Each atom, each alternative, each word of a list goes once; each number moves by one once.
  void AddCondition(const json& block, const json::json_pointer& at, const std::string& name) {
    for (const auto& entry : block.items()) {
      AddErase(absl::StrCat(name, " without ", entry.key()), at, entry.key());
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

  void AddNumber(const std::string& text, const json::json_pointer& where,
                 const std::string& name) {
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
      return;
    }
    Add(absl::StrCat(name, " one more than ", text),
        [where, text](json& bundle) { bundle[where] = std::to_string(std::stoul(text) + 1); });
    if (text != "0") {
      Add(absl::StrCat(name, " one less than ", text),
          [where, text](json& bundle) { bundle[where] = std::to_string(std::stoul(text) - 1); });
    }
  }

  void AddGroup(const std::string& group, const json& value) {
    policy_.clear();
    const json::json_pointer at = json::json_pointer("/groups/groups") / group;
    for (const char* list : {"members", "conditional"}) {
      const json entries = value.value(list, json::array());
      for (std::size_t i = 0; i < entries.size(); ++i) {
        AddErase(absl::StrCat("group ", group, ": without ", entries[i].dump()), at / list,
                 std::to_string(i));
      }
    }
    if (!value.contains("members")) {
      return;
    }
    for (const std::string& code : Neighbours(value["members"])) {
      Add(absl::StrCat("group ", group, ": with ", code),
          [at, code](json& bundle) { bundle[at]["members"].push_back(code); });
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

  std::string policy_;
  std::vector<Mutant> mutants_;
};

// Only the tests that see the policy are run; all of them for a group.
void KeepTestsOf(const std::string& policy, json* bundle) {
  json kept = json::array();
  for (json& suite : (*bundle)["tests"]) {
    const json names = suite.value("bundle", json::array());
    if (policy.empty() ? suite.contains("groups") || suite["tests"] == "gdpr-chapter-v"
                       : std::find(names.begin(), names.end(), policy) != names.end()) {
      kept.push_back(std::move(suite));
    }
  }
  (*bundle)["tests"] = std::move(kept);
}

// Keeps the policies that the remaining tests name.
void KeepPoliciesOf(json* bundle) {
  std::set<std::string> named;
  for (const json& suite : (*bundle)["tests"]) {
    for (const json& name : suite.value("bundle", json::array())) {
      named.insert(name.get<std::string>());
    }
  }
  json kept = json::array();
  for (json& policy : (*bundle)["policies"]) {
    if (named.count(policy["policy"].get<std::string>()) > 0) {
      kept.push_back(std::move(policy));
    }
  }
  (*bundle)["policies"] = std::move(kept);
}

// A bundle that does not load any more is found out as well.
bool Survives(const json& bundle, const Mutant& mutant) {
  json changed = bundle;
  mutant.apply(changed);
  KeepTestsOf(mutant.policy, &changed);
  KeepPoliciesOf(&changed);
  const auto text = CanonicalJson(changed);
  const auto loaded = text.ok() ? BundleFromJson(*text) : text.status();
  if (!loaded.ok()) {
    return false;
  }
  const auto report = RunTests(**loaded);
  return report.ok() && report->failed == 0;
}

}  // namespace

std::vector<Mutant> MutantsOf(const json& bundle) {
  return Mutants(bundle).all();
}

std::vector<std::string> Survivors(const json& bundle, const std::vector<Mutant>& mutants) {
  std::vector<std::string> survivors;
  for (const Mutant& mutant : mutants) {
    if (Equivalent().count(mutant.name) == 0 && Survives(bundle, mutant)) {
      survivors.push_back(mutant.name);
    }
  }
  return survivors;
}

}  // namespace carnet::policies::testing
