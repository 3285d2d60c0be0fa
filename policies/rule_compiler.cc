// The rules of one policy.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "policies/compiler.h"
#include "policies/dates.h"
#include "policies/loader.h"

namespace carnet::policies {
namespace {

std::vector<std::string> KeysOf(Effect effect) {
  std::vector<std::string> keys = {"id",  "effect", "when", "unless", "because",
                                   "fix", "cites",  "mode", "status", "note"};
  switch (effect) {
    case Effect::kAllow:
    case Effect::kRequire:
      keys.emplace_back("require");
      break;
    case Effect::kDeny:
      keys.emplace_back("floor");
      break;
    case Effect::kDeclassify:
      keys.emplace_back("removes");
      break;
  }
  return keys;
}

std::optional<Effect> ReadEffect(const PolicyScope& scope, const yaml::Node& node) {
  const ConditionScope& at = scope.conditions;
  const yaml::Node* effect = node.is_map() ? node.Find("effect") : nullptr;
  if (effect == nullptr) {
    at.diagnostics->Add(at.file, node.position, "a rule says no effect",
                        "add 'effect: allow', deny, require or declassify");
    return std::nullopt;
  }
  if (effect->text == "allow") {
    return Effect::kAllow;
  }
  if (effect->text == "deny") {
    return Effect::kDeny;
  }
  if (effect->text == "require") {
    return Effect::kRequire;
  }
  if (effect->text == "declassify") {
    return Effect::kDeclassify;
  }
  if (effect->text == "limit") {
    at.diagnostics->Add(at.file, effect->position, "the effect limit is not in this version",
                        "use deny or require on a people counter");
    return std::nullopt;
  }
  at.diagnostics->Add(at.file, effect->position, absl::StrCat("'", effect->text, "' is no effect"),
                      Hint(effect->text, {"allow", "deny", "require", "declassify"},
                           "expected allow, deny, require or declassify"));
  return std::nullopt;
}

absl::Time DayOf(MapReader& reader, absl::string_view key, int days_later, absl::TimeZone zone) {
  const absl::StatusOr<absl::CivilDay> day = ParseDate(reader.Text(key, kTextBytesMax));
  if (!day.ok()) {
    reader.Fail(*reader.Find(key), absl::StrCat("'", key, "' is not a day"),
                day.status().message());
    return absl::InfinitePast();
  }
  return StartOf(*day + days_later, zone);
}

// The legal status: a word, or a map that dates it.
void CompileStatus(const PolicyScope& scope, MapReader& reader, Rule* rule) {
  const yaml::Node* status = reader.Find("status");
  if (status == nullptr) {
    return;
  }
  std::string word;
  if (status->is_scalar()) {
    word = reader.Word("status", {"in_force", "not_enforced", "proposed"});
  } else {
    MapReader entry(
        reader.diagnostics(), reader.file(), *status, "'status'",
        {"in_force", "in_force_from", "stayed_until", "not_enforced", "proposed", "note"});
    entry.Text("note", kTextBytesMax);
    int given = 0;
    for (const char* key :
         {"in_force", "in_force_from", "stayed_until", "not_enforced", "proposed"}) {
      if (entry.Find(key) != nullptr) {
        word = key;
        ++given;
      }
    }
    if (entry.ok() && given != 1) {
      entry.Fail(*status, "the status is not said, or twice",
                 "expected one of in_force_from, stayed_until, not_enforced, proposed, in_force");
      return;
    }
    if (word == "in_force_from") {
      rule->in_force_from = DayOf(entry, word, 0, scope.conditions.zone);
    } else if (word == "stayed_until") {
      rule->in_force_from = DayOf(entry, word, 1, scope.conditions.zone);
    } else if (given == 1 && !entry.YesNo(word)) {
      entry.Fail(*status, absl::StrCat("'", word, ": no' says nothing"), "remove it");
    }
  }
  if (word == "not_enforced") {
    rule->mode = std::min(rule->mode, Mode::kWarn);
  } else if (word == "proposed") {
    rule->mode = Mode::kShadow;
  }
}

// A check of the round's plan becomes an obligation, so it must be one that can be merged.
void CheckRuntime(MapReader& reader, const yaml::Node& node, const Condition& check) {
  for (const Condition& atom : check.children) {
    const bool plain =
        atom.kind == Condition::Kind::kAtom && atom.fact != kNoFact && atom.fact != kCounters &&
        FactTable()[static_cast<std::size_t>(atom.fact)].runtime && atom.places.groups.empty() &&
        atom.op != Operator::kIsNot && atom.op != Operator::kNotIn;
    if (!plain) {
      std::vector<std::string> paths;
      for (const FactSpec& spec : FactTable()) {
        if (spec.runtime) {
          paths.emplace_back(spec.path);
        }
      }
      std::string list;
      for (const std::string& path : paths) {
        absl::StrAppend(&list, list.empty() ? "" : ", ", path);
      }
      reader.Fail(node, "a check of phase runtime reads what no plan decides",
                  absl::StrCat("it asks is, in, at_least, at_most or more_than of ", list,
                               ", with single places only"));
      return;
    }
  }
}

Item CompileItem(const PolicyScope& scope, MapReader& rule_reader, const yaml::Node& node) {
  Item item;
  MapReader reader(rule_reader.diagnostics(), rule_reader.file(), node, "a requirement",
                   {"id", "check", "fix", "phase"});
  item.id = reader.RequireId("id");
  item.fix = reader.Text("fix", kTextBytesMax);
  if (const yaml::Node* phase = reader.Find("phase"); phase != nullptr) {
    if (phase->text == "post" || phase->text == "approval") {
      reader.Fail(*phase, absl::StrCat("the phase ", phase->text, " is not in this version"),
                  "use pre or runtime");
    } else {
      item.runtime = reader.Word("phase", {"pre", "runtime"}) == "runtime";
    }
  }
  const yaml::Node* check = reader.Require("check");
  if (check == nullptr) {
    return item;
  }
  item.check = ParseCondition(scope.conditions, *check);
  if (item.check.children.empty() && check->is_map() && check->entries.empty()) {
    reader.Fail(*check, "the requirement asks nothing", "say which fact must hold");
  }
  if (item.runtime) {
    CheckRuntime(reader, *check, item.check);
  }
  return item;
}

void CompileItems(const PolicyScope& scope, MapReader& reader, Rule* rule) {
  if (rule->effect == Effect::kRequire) {
    const yaml::Node* items = reader.Require("require");
    if (items != nullptr && items->is_list() && items->items.empty()) {
      reader.Fail(*items, "the rule requires nothing", "add an item with id and check");
    }
  }
  std::set<std::string> ids;
  for (const yaml::Node& node : reader.List("require")) {
    Item item = CompileItem(scope, reader, node);
    if (!item.id.empty() && !ids.insert(item.id).second) {
      reader.Fail(node, absl::StrCat("two requirements are called ", item.id), "rename one");
    }
    rule->items.push_back(std::move(item));
  }
}

void CompileRemoves(MapReader& reader, Rule* rule) {
  const yaml::Node* removes = reader.Require("removes");
  if (removes == nullptr) {
    return;
  }
  const std::vector<std::string>& words = FactTable()[kDataCategories].words;
  for (const std::string& word : reader.Texts("removes", kTextBytesMax)) {
    if (std::find(words.begin(), words.end(), word) == words.end()) {
      reader.Fail(*removes, absl::StrCat("'", word, "' is no label"),
                  Hint(word, words, "expected personal or another category of data"));
    }
    rule->removes.push_back(word);
  }
  if (rule->removes.empty()) {
    reader.Fail(*removes, "the rule removes nothing", "name a label such as personal");
  }
}

void CheckEffect(MapReader& reader, const Policy& policy, const Rule& rule) {
  if (!policy.regime && (rule.effect == Effect::kAllow || rule.effect == Effect::kDeclassify)) {
    reader.Fail(*reader.Find("effect"), "a guardrail never grants",
                "it may deny or require; make the policy a regime, or the rule a deny");
  }
  if (rule.effect == Effect::kAllow && policy.covers.everything && rule.when.children.empty()) {
    reader.Fail(reader.node(), "this rule allows everything to everybody",
                "say when it allows, or what the policy covers");
  }
  if (rule.effect == Effect::kDeclassify && rule.when.children.empty()) {
    reader.Fail(reader.node(), "this rule always removes labels", "say on which evidence");
  }
}

Rule CompileRule(const PolicyScope& scope, const Policy& policy, const yaml::Node& node,
                 Effect effect) {
  Rule rule;
  rule.effect = effect;
  MapReader reader(*scope.conditions.diagnostics, scope.conditions.file, node, "a rule",
                   KeysOf(effect));
  rule.id = reader.RequireId("id");
  rule.reason = absl::StrCat(policy.name, "/", rule.id);
  rule.because = reader.Text("because", kTextBytesMax);
  rule.fix = reader.Text("fix", kTextBytesMax);
  rule.cites = reader.Texts("cites", kTextBytesMax);
  rule.floor = reader.YesNo("floor");
  const std::string mode = reader.Word("mode", {"enforce", "warn", "shadow"});
  rule.mode = std::min(scope.mode, mode == "shadow" ? Mode::kShadow
                                   : mode == "warn" ? Mode::kWarn
                                                    : Mode::kEnforce);
  CompileStatus(scope, reader, &rule);
  if (const yaml::Node* when = reader.Find("when"); when != nullptr) {
    rule.when = ParseCondition(scope.conditions, *when);
  }
  if (const yaml::Node* unless = reader.Find("unless"); unless != nullptr) {
    rule.unless = ParseCondition(scope.conditions, *unless);
    if (rule.unless->children.empty()) {
      reader.Fail(*unless, "an empty 'unless' is always true", "say when the rule is not meant");
    }
  }
  if (effect == Effect::kAllow || effect == Effect::kRequire) {
    CompileItems(scope, reader, &rule);
  }
  if (effect == Effect::kDeclassify) {
    CompileRemoves(reader, &rule);
  }
  CheckEffect(reader, policy, rule);
  rule.reach = ReachOf(rule.when, policy.terms);
  if (rule.id == "no-allow" || rule.id == "review") {
    reader.Fail(*reader.Find("id"), absl::StrCat("'", rule.id, "' is a reason of the engine"),
                "choose another name");
  }
  return rule;
}

}  // namespace

void CompileRules(const PolicyScope& scope, MapReader& reader, Policy* policy) {
  const yaml::Node* rules = reader.Require("rules");
  std::set<std::string> ids;
  bool allows = false;
  for (const yaml::Node& node : reader.List("rules")) {
    const std::optional<Effect> effect = ReadEffect(scope, node);
    if (!effect.has_value()) {
      continue;
    }
    Rule rule = CompileRule(scope, *policy, node, *effect);
    allows = allows || rule.effect == Effect::kAllow;
    if (!rule.id.empty() && !ids.insert(rule.id).second) {
      reader.Fail(node, absl::StrCat("two rules are called ", rule.id), "rename one");
    }
    policy->rules.push_back(std::move(rule));
  }
  if (rules == nullptr) {
    return;
  }
  if (rules->items.empty()) {
    reader.Fail(*rules, "the policy has no rules", "add a rule");
  } else if (policy->regime && !allows && reader.diagnostics().ok()) {
    reader.Fail(*rules, "a regime without an allow permits nothing",
                "add a rule with 'effect: allow', or make the policy a guardrail");
  }
}

}  // namespace carnet::policies
