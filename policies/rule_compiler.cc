// The rules of one policy.
#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/compiler.h"
#include "policies/counters.h"
#include "policies/dates.h"
#include "policies/keys.h"
#include "policies/loader.h"

namespace carnet::policies {
namespace {

constexpr double kPeopleMax = 1e12;

std::optional<Effect> ReadEffect(const PolicyScope& scope, const yaml::Node& node) {
  const ConditionScope& at = scope.conditions;
  const yaml::Node* effect = node.is_map() ? node.Find("effect") : nullptr;
  if (effect == nullptr) {
    at.diagnostics->Add(at.file, node.position, "a rule says no effect",
                        "add 'effect: allow', deny, require, limit or declassify");
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
    return Effect::kLimit;
  }
  at.diagnostics->Add(at.file, effect->position, absl::StrCat("'", effect->text, "' is no effect"),
                      Hint(effect->text, {"allow", "deny", "require", "limit", "declassify"},
                           "expected allow, deny, require, limit or declassify"));
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
    MapReader entry(reader.diagnostics(), reader.file(), *status, "'status'", keys::Status());
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

// {last: 365d}, or {since: 01-01} or a whole date; perhaps with a zone of its own.
CounterWindow CompileWindow(const PolicyScope& scope, MapReader& rule_reader,
                            const yaml::Node& node) {
  CounterWindow window;
  MapReader reader(rule_reader.diagnostics(), rule_reader.file(), node, "'window'",
                   {"last", "since", "zone"});
  const yaml::Node* last = reader.Find("last");
  const yaml::Node* since = reader.Find("since");
  if (reader.ok() && (last == nullptr) == (since == nullptr)) {
    reader.Fail(node, "the window is not said, or twice",
                "expected {last: 365d} or {since: 01-01}");
    return window;
  }
  const std::string text = reader.Text(last != nullptr ? "last" : "since", kTextBytesMax);
  std::string zone = reader.Text("zone", kTextBytesMax);
  zone = zone.empty() ? scope.zone : zone;
  const absl::StatusOr<CounterWindow> parsed =
      ParseCounterWindow(absl::StrCat(text, zone == "UTC" ? "" : zone));
  if (text.empty()) {
    return window;
  }
  if (!parsed.ok() || !ParseZone(zone.empty() ? "UTC" : zone).ok() ||
      (parsed->kind == CounterWindow::Kind::kLastDays) != (last != nullptr)) {
    reader.Fail(node, "'window' is no span of days",
                "expected {last: 365d}, {since: 01-01} (of every year) or {since: 2026-01-01}, and "
                "perhaps 'zone: +08:00'");
    return window;
  }
  return *parsed;
}

// How many people may be concerned at most.
void CompileLimit(const PolicyScope& scope, MapReader& reader, Rule* rule) {
  const yaml::Node* count = reader.Require("count");
  const yaml::Node* window = reader.Require("window");
  const yaml::Node* ceiling = reader.Require("ceiling");
  if (count == nullptr || window == nullptr || ceiling == nullptr) {
    return;
  }
  absl::StatusOr<Counter> counter = ParseCounter(reader.Text("count", kTextBytesMax));
  if (!counter.ok() || count->text.find(kCounterWindowMark) != std::string::npos) {
    reader.Fail(*count, "'count' is no counter of people",
                absl::StrCat("expected people.<country>.<category>, the category one of ",
                             absl::StrJoin(CounterCategories(), ", ")));
    return;
  }
  counter->window = CompileWindow(scope, reader, *window);
  const absl::StatusOr<double> number = ParseDecimal(reader.Text("ceiling", kTextBytesMax));
  if (!number.ok() || *number < 0 || *number > kPeopleMax || *number != std::floor(*number)) {
    reader.Fail(*ceiling, "'ceiling' is no number of people", "expected a whole number, 0 or more");
    return;
  }
  Condition atom;
  atom.kind = Condition::Kind::kAtom;
  atom.fact = kCounters;
  atom.type = CounterSpec().type;
  atom.op = Operator::kAtMost;
  atom.counter = counter->Path();
  atom.number = *number;
  atom.literal = ceiling->text;
  rule->limit.children = {std::move(atom)};
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

// Where rules only refuse, the organisation's own policy engine may be one more reason to.
PolicyScope Refusing(const PolicyScope& scope, const Policy& policy, Effect effect) {
  PolicyScope refusing = scope;
  refusing.conditions.may_ask_bridge =
      !policy.regime && (effect == Effect::kDeny || effect == Effect::kRequire);
  return refusing;
}

Rule CompileRule(const PolicyScope& scope, const Policy& policy, const yaml::Node& node,
                 Effect effect) {
  const PolicyScope refusing = Refusing(scope, policy, effect);
  Rule rule;
  rule.effect = effect;
  MapReader reader(*scope.conditions.diagnostics, scope.conditions.file, node, "a rule",
                   RuleKeys(effect));
  rule.id = reader.RequireId("id");
  rule.reason = absl::StrCat(policy.name, "/", rule.id);
  rule.because = reader.Text("because", kTextBytesMax);
  rule.fix = reader.Text("fix", kTextBytesMax);
  rule.cites = reader.Texts("cites", kTextBytesMax);
  rule.unconfirmed = reader.Texts("unconfirmed", kTextBytesMax);
  rule.floor = reader.YesNo("floor");
  const std::string mode = reader.Word("mode", {"enforce", "warn", "shadow"});
  rule.mode = std::min(scope.mode, mode == "shadow" ? Mode::kShadow
                                   : mode == "warn" ? Mode::kWarn
                                                    : Mode::kEnforce);
  CompileStatus(scope, reader, &rule);
  if (const yaml::Node* when = reader.Find("when"); when != nullptr) {
    rule.when = ParseCondition(refusing.conditions, *when);
  }
  if (const yaml::Node* unless = reader.Find("unless"); unless != nullptr) {
    rule.unless = ParseCondition(scope.conditions, *unless);
    if (rule.unless->children.empty()) {
      reader.Fail(*unless, "an empty 'unless' is always true", "say when the rule is not meant");
    }
  }
  if (effect == Effect::kAllow || effect == Effect::kRequire) {
    CompileItems(refusing, reader, &rule);
  }
  if (effect == Effect::kDeclassify) {
    CompileRemoves(reader, &rule);
  }
  if (effect == Effect::kLimit) {
    CompileLimit(scope, reader, &rule);
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

std::vector<std::string> RuleKeys(Effect effect) {
  std::vector<std::string> all = keys::AnyRule();
  switch (effect) {
    case Effect::kAllow:
    case Effect::kRequire:
      all.emplace_back("require");
      break;
    case Effect::kDeny:
      all.emplace_back("floor");
      break;
    case Effect::kDeclassify:
      all.emplace_back("removes");
      break;
    case Effect::kLimit:
      all.insert(all.end(), {"count", "window", "ceiling"});
      break;
  }
  return all;
}

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
    policy->declassifies = policy->declassifies || rule.effect == Effect::kDeclassify;
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
