// One policy: its head, terms, rules and exceptions.
#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "policies/compiler.h"
#include "policies/dates.h"
#include "policies/keys.h"
#include "policies/loader.h"

namespace carnet::policies {
namespace {

constexpr int kExceptionDaysMax = 180;

Mode ModeFromWord(absl::string_view word) {
  return word == "shadow" ? Mode::kShadow : word == "warn" ? Mode::kWarn : Mode::kEnforce;
}

Mode ReadMode(MapReader& reader) {
  return ModeFromWord(reader.Word("mode", {"enforce", "warn", "shadow"}));
}

// A day in `reader`; null and said so if it is none, null where missing.
std::optional<absl::CivilDay> ReadDay(MapReader& reader, absl::string_view key) {
  const std::string text = reader.Text(key, kTextBytesMax);
  if (text.empty()) {
    return std::nullopt;
  }
  const absl::StatusOr<absl::CivilDay> day = ParseDate(text);
  if (!day.ok()) {
    reader.Fail(*reader.Find(key), absl::StrCat("'", key, "' is not a day"),
                day.status().message());
    return std::nullopt;
  }
  return *day;
}

void CompileCovers(const ConditionScope& scope, MapReader& reader, Policy* policy) {
  const yaml::Node* covers = reader.Find("covers");
  if (!policy->regime) {
    if (covers != nullptr) {
      reader.Fail(*covers, "a guardrail covers nobody", "remove it, or make the policy a regime");
    }
    return;
  }
  covers = reader.Require("covers");
  if (covers == nullptr) {
    return;
  }
  if (covers->is_scalar()) {
    const std::string word = reader.Word("covers", {"no personal data", "everything"});
    policy->covers.nobody = word == "no personal data";
    policy->covers.everything = word == "everything";
    return;
  }
  MapReader people(reader.diagnostics(), reader.file(), *covers, "'covers'", {"subjects_in"});
  if (const yaml::Node* subjects = people.Require("subjects_in"); subjects != nullptr) {
    policy->covers.people = ParsePlaces(scope, *subjects);
  }
}

// Who approves changes of the policy, and its exceptions that name nobody else.
Approvers CompileApprovals(MapReader& reader) {
  const yaml::Node* approvals = reader.Require("approvals");
  if (approvals == nullptr) {
    return {};
  }
  MapReader entry(reader.diagnostics(), reader.file(), *approvals, "'approvals'",
                  {"propose", "need", "from"});
  if (entry.Require("propose") != nullptr && entry.Texts("propose", kIdBytesMax).empty()) {
    entry.Fail(*entry.Find("propose"), "'propose' names no role", "name a role");
  }
  return CompileApprovers(entry);
}

void CompileEffective(const ConditionScope& scope, MapReader& reader, Policy* policy) {
  const yaml::Node* effective = reader.Require("effective");
  if (effective == nullptr) {
    return;
  }
  MapReader dates(reader.diagnostics(), reader.file(), *effective, "'effective'", {"from", "to"});
  dates.Require("from");
  const std::optional<absl::CivilDay> from = ReadDay(dates, "from");
  const std::optional<absl::CivilDay> to = ReadDay(dates, "to");
  if (from.has_value()) {
    policy->effective_from = StartOf(*from, scope.zone);
  }
  if (to.has_value()) {
    policy->effective_to = StartOf(*to + 1, scope.zone);
  }
  if (from.has_value() && to.has_value() && *to < *from) {
    dates.Fail(*effective, "the policy ends before it begins", "exchange 'from' and 'to'");
  }
}

void CompileReview(const ConditionScope& scope, MapReader& reader, Policy* policy) {
  const yaml::Node* review = reader.Find("review");
  if (review == nullptr) {
    return;
  }
  MapReader entry(reader.diagnostics(), reader.file(), *review, "'review'",
                  {"by", "grace", "then"});
  entry.Require("by");
  const std::optional<absl::CivilDay> by = ReadDay(entry, "by");
  int grace_days = 0;
  if (const std::string grace = entry.Text("grace", kTextBytesMax); !grace.empty()) {
    const absl::StatusOr<int> days = ParseDays(grace);
    if (days.ok()) {
      grace_days = *days;
    } else {
      entry.Fail(*entry.Find("grace"), "'grace' is no number of days", days.status().message());
    }
  }
  const std::string then = entry.Word("then", {"hold", "deny", "warn"});
  policy->overdue = then == "deny"   ? OverdueAction::kDeny
                    : then == "warn" ? OverdueAction::kWarn
                                     : OverdueAction::kHold;
  if (by.has_value()) {
    policy->review_by = absl::FormatCivilTime(*by);
    policy->review_due = StartOf(*by + 1, scope.zone);
    policy->review_overdue = StartOf(*by + 1 + grace_days, scope.zone);
  }
}

void CompileAliasName(const CompiledBundle& bundle, MapReader& reader, Policy* policy) {
  const std::string name = reader.Text("aliases", kTextBytesMax);
  if (name.empty()) {
    return;
  }
  const auto found = bundle.aliases.find(name);
  if (found == bundle.aliases.end()) {
    reader.Fail(*reader.Find("aliases"), absl::StrCat("no aliases are called '", name, "'"),
                "define them under 'aliases' in the groups file");
    return;
  }
  policy->aliases = &found->second;
}

absl::TimeZone ReadZone(MapReader& reader) {
  const std::string text = reader.Text("zone", kTextBytesMax);
  if (text.empty()) {
    return absl::UTCTimeZone();
  }
  const absl::StatusOr<absl::TimeZone> zone = ParseZone(text);
  if (!zone.ok()) {
    reader.Fail(*reader.Find("zone"), absl::StrCat("'", text, "' is no zone"),
                zone.status().message());
    return absl::UTCTimeZone();
  }
  return *zone;
}

Names CompileTerms(const ConditionScope& scope, MapReader& reader, Policy* policy) {
  Names names;
  const yaml::Node* terms = reader.Find("terms");
  if (terms == nullptr) {
    return names;
  }
  if (!terms->is_map()) {
    reader.Fail(*terms, "'terms' is no map", "expected conditions by name");
    return names;
  }
  for (const yaml::Entry& entry : terms->entries) {
    Condition condition = ParseCondition(scope, entry.value);
    if (!IsId(entry.key) || condition.children.empty()) {
      reader.Fail(entry.value, absl::StrCat("'", entry.key, "' is no term"),
                  "expected a name and a condition that is not empty");
    }
    names.emplace(entry.key, static_cast<int>(policy->terms.size()));
    policy->terms.push_back({entry.key, std::move(condition)});
  }
  return names;
}

void CheckName(MapReader& reader, const std::string& name) {
  static const auto& reserved = *new std::set<std::string>{"bundle", "facts", "uncovered",
                                                           "obligations", "no-policy-applies"};
  if (reserved.count(name) > 0) {
    reader.Fail(*reader.Find("policy"), absl::StrCat("'", name, "' is a reason of the engine"),
                "choose another name");
  }
}

}  // namespace

Policy CompilePolicy(const Document& document, const CompiledBundle& bundle,
                     const Names& group_names, Diagnostics& diagnostics) {
  Policy policy;
  MapReader reader(diagnostics, document.file, document.root, "a policy", keys::Policy());
  policy.name = reader.RequireId("policy");
  CheckName(reader, policy.name);
  reader.Require("kind");
  policy.regime = reader.Word("kind", {"guardrail", "regime"}) == "regime";
  policy.title = reader.RequireText("title", kTitleBytesMax);
  policy.mode = ReadMode(reader);
  reader.Texts("sources", kTextBytesMax);
  reader.Text("note", kTextBytesMax);
  reader.Texts("unconfirmed", kTextBytesMax);
  CompileAliasName(bundle, reader, &policy);

  PolicyScope scope;
  scope.conditions.diagnostics = &diagnostics;
  scope.conditions.file = document.file;
  scope.conditions.groups = &group_names;
  scope.conditions.group_table = &bundle.groups;
  scope.conditions.aliases = policy.aliases;
  scope.conditions.home = bundle.home;
  scope.conditions.zone = ReadZone(reader);
  scope.zone = reader.Text("zone", kTextBytesMax);
  CompileCovers(scope.conditions, reader, &policy);
  scope.approvers = CompileApprovals(reader);
  CompileEffective(scope.conditions, reader, &policy);
  ReadDay(reader, "facts_as_of");
  CompileReview(scope.conditions, reader, &policy);
  const Names terms = CompileTerms(scope.conditions, reader, &policy);
  scope.conditions.terms = &terms;
  scope.mode = policy.mode;
  if (const yaml::Node* applies = reader.Find("applies_when"); applies != nullptr) {
    policy.applies_when = ParseCondition(scope.conditions, *applies);
  }
  if (const yaml::Node* unless = reader.Find("unless"); unless != nullptr) {
    policy.unless = ParseCondition(scope.conditions, *unless);
    if (policy.unless->children.empty()) {
      reader.Fail(*unless, "an empty 'unless' is always true", "say when the policy is not meant");
    }
  }
  policy.reach = ReachOf(policy.applies_when, policy.terms);
  CompileRules(scope, reader, &policy);
  CompileExceptions(scope, reader, &policy);
  return policy;
}

void CompileExceptions(const PolicyScope& scope, MapReader& reader, Policy* policy) {
  std::set<std::string> ids;
  for (const yaml::Node& node : reader.List("exceptions")) {
    MapReader entry(reader.diagnostics(), reader.file(), node, "an exception", keys::Exception());
    Exception exception;
    exception.id = entry.RequireId("id");
    if (!ids.insert(exception.id).second) {
      entry.Fail(node, absl::StrCat("two exceptions are called ", exception.id), "rename one");
    }
    entry.RequireText("ticket", kTextBytesMax);
    const yaml::Node* only_when = entry.Require("only_when");
    if (only_when != nullptr) {
      exception.only_when = ParseCondition(scope.conditions, *only_when);
      if (exception.only_when.children.empty()) {
        entry.Fail(*only_when, "the exception holds always", "say which flows it is for");
      }
    }
    if (const yaml::Node* valid = entry.Require("valid"); valid != nullptr) {
      MapReader dates(reader.diagnostics(), reader.file(), *valid, "'valid'", {"from", "to"});
      dates.Require("from");
      dates.Require("to");
      const std::optional<absl::CivilDay> from = ReadDay(dates, "from");
      const std::optional<absl::CivilDay> to = ReadDay(dates, "to");
      if (from.has_value() && to.has_value()) {
        exception.from = StartOf(*from, scope.conditions.zone);
        exception.to = StartOf(*to + 1, scope.conditions.zone);
        if (*to < *from || *to - *from + 1 > kExceptionDaysMax) {
          dates.Fail(*valid, "the exception is valid for too long or not at all",
                     absl::StrCat("at most ", kExceptionDaysMax, " days, both included"));
        }
      }
    }
    exception.approvers = scope.approvers;
    if (const yaml::Node* approvals = entry.Find("approvals"); approvals != nullptr) {
      MapReader persons(reader.diagnostics(), reader.file(), *approvals, "'approvals'",
                        {"need", "from"});
      exception.approvers = CompileApprovers(persons);
    }
    const std::string lifts = entry.RequireText("lifts", kTextBytesMax);
    const std::pair<std::string, std::string> target =
        absl::StrSplit(lifts, absl::MaxSplits('.', 1));
    const auto rule = std::find_if(policy->rules.begin(), policy->rules.end(),
                                   [&](const Rule& one) { return one.id == target.first; });
    if (rule == policy->rules.end()) {
      if (!lifts.empty()) {
        entry.Fail(*entry.Find("lifts"), absl::StrCat("no rule is called '", target.first, "'"),
                   "name a rule of this policy, or rule.item");
      }
      continue;
    }
    exception.rule = static_cast<int>(rule - policy->rules.begin());
    if (rule->effect == Effect::kDeny && target.second.empty()) {
      if (rule->floor) {
        entry.Fail(*entry.Find("lifts"), absl::StrCat("no exception lifts '", lifts, "'"),
                   "it is a floor");
      }
    } else {
      const auto item = std::find_if(rule->items.begin(), rule->items.end(),
                                     [&](const Item& one) { return one.id == target.second; });
      exception.item = static_cast<int>(item - rule->items.begin());
      if (item == rule->items.end()) {
        entry.Fail(*entry.Find("lifts"),
                   absl::StrCat("'", lifts, "' is no deny and no requirement"),
                   "an exception lifts one deny, or one requirement written rule.item");
        continue;
      }
    }
    policy->exceptions.push_back(std::move(exception));
  }
}

}  // namespace carnet::policies
