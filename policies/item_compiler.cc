// The requirements of a rule: what must hold now, of the round's plan, by a person, or afterwards.
#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "policies/compiler.h"
#include "policies/dates.h"
#include "policies/loader.h"

namespace carnet::policies {
namespace {

constexpr double kApproversMax = 16;

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

// What must be done afterwards: {duty, of, within}.
void CompileDuty(MapReader& reader, Item* item) {
  item->duty = reader.RequireText("duty", kTextBytesMax);
  item->duty_of = reader.RequireId("of");
  const std::string within = reader.RequireText("within", kTextBytesMax);
  if (within.empty()) {
    return;
  }
  const absl::StatusOr<absl::Duration> span = ParseSpan(within);
  if (!span.ok() || *span == absl::ZeroDuration()) {
    reader.Fail(*reader.Find("within"), "'within' is no span of time",
                "expected a number of days or hours, such as 60d or 24h");
    return;
  }
  item->within = *span;
}

// A number of days under `key`; 0: there is none, or it was told that it is wrong.
int DaysOf(MapReader& reader, absl::string_view key) {
  const std::string text = reader.Text(key, kTextBytesMax);
  if (text.empty()) {
    return 0;
  }
  const absl::StatusOr<int> days = ParseDays(text);
  if (!days.ok() || *days == 0) {
    reader.Fail(*reader.Find(key), absl::StrCat("'", key, "' is no number of days"),
                "expected a number of days, such as 30d");
    return 0;
  }
  return *days;
}

// For whom the round's deltas are kept, and how long: {for, at_least, at_most}.
void CompileRetention(MapReader& item_reader, const yaml::Node& node, Item* item) {
  MapReader reader(item_reader.diagnostics(), item_reader.file(), node, "a retention",
                   RetentionKeys());
  if (!reader.ok()) {
    return;
  }
  Retention retention;
  retention.person = reader.RequireText("for", kIdBytesMax);
  if (!retention.person.empty() && !carnet::IsId("u", retention.person)) {
    reader.Fail(*reader.Find("for"), "'for' is no person's id",
                "expected an id such as u-7k2m4p5q6rst2uvw (carnet user list)");
  }
  retention.days_min = DaysOf(reader, "at_least");
  retention.days_max = DaysOf(reader, "at_most");
  if (reader.Find("at_least") == nullptr && reader.Find("at_most") == nullptr) {
    reader.Fail(node, "the retention says no span of time", "add at_least or at_most, or both");
  } else if (retention.days_max != 0 && retention.days_min > retention.days_max) {
    reader.Fail(*reader.Find("at_least"), "'at_least' is more than 'at_most'",
                "expected a span that satisfies both");
  }
  item->retention = std::move(retention);
}

// Which phase, before the other keys are read; a mistake in it is told by the reader.
Phase PhaseOf(const yaml::Node& node) {
  const yaml::Node* phase = node.is_map() ? node.Find("phase") : nullptr;
  const absl::string_view word = phase == nullptr ? absl::string_view() : phase->text;
  return word == "runtime"    ? Phase::kRuntime
         : word == "post"     ? Phase::kPost
         : word == "approval" ? Phase::kApproval
                              : Phase::kPre;
}

void CompileCheck(const PolicyScope& scope, MapReader& reader, Item* item) {
  const yaml::Node* retention = reader.Find("retain_deltas");
  if (retention != nullptr) {
    if (const yaml::Node* both = reader.Find("check"); both != nullptr) {
      reader.Fail(*both, "the requirement has a check and 'retain_deltas'",
                  "make them two requirements");
    }
    CompileRetention(reader, *retention, item);
    return;
  }
  const yaml::Node* check = reader.Require("check");
  if (check == nullptr) {
    return;
  }
  item->check = ParseCondition(scope.conditions, *check);
  if (item->check.children.empty() && check->is_map() && check->entries.empty()) {
    reader.Fail(*check, "the requirement asks nothing", "say which fact must hold");
  }
  if (item->phase == Phase::kRuntime) {
    CheckRuntime(reader, *check, item->check);
  }
}

Item CompileItem(const PolicyScope& scope, MapReader& rule_reader, const yaml::Node& node) {
  Item item;
  item.phase = PhaseOf(node);
  MapReader reader(rule_reader.diagnostics(), rule_reader.file(), node, "a requirement",
                   ItemKeys(item.phase));
  item.id = reader.RequireId("id");
  item.fix = reader.Text("fix", kTextBytesMax);
  reader.Word("phase", {"pre", "runtime", "post", "approval"});
  switch (item.phase) {
    case Phase::kPost:
      CompileDuty(reader, &item);
      break;
    case Phase::kApproval:
      item.approvers = CompileApprovers(reader);
      break;
    default:
      CompileCheck(scope, reader, &item);
  }
  return item;
}

}  // namespace

std::vector<std::string> ItemKeys(Phase phase) {
  switch (phase) {
    case Phase::kPost:
      return {"id", "phase", "fix", "note", "duty", "of", "within"};
    case Phase::kApproval:
      return {"id", "phase", "fix", "note", "from", "need"};
    case Phase::kRuntime:
      return {"id", "phase", "fix", "note", "check", "retain_deltas"};
    case Phase::kPre:
      break;
  }
  return {"id", "phase", "fix", "note", "check"};
}

std::vector<std::string> RetentionKeys() {
  return {"for", "at_least", "at_most"};
}

Approvers CompileApprovers(MapReader& reader) {
  Approvers approvers;
  if (reader.Require("from") != nullptr) {
    approvers.roles = reader.Texts("from", kIdBytesMax);
    std::sort(approvers.roles.begin(), approvers.roles.end());
    const auto same = std::unique(approvers.roles.begin(), approvers.roles.end());
    approvers.roles.erase(same, approvers.roles.end());
    if (approvers.roles.empty() ||
        !std::all_of(approvers.roles.begin(), approvers.roles.end(),
                     [](const std::string& role) { return IsId(role); })) {
      reader.Fail(*reader.Find("from"), "'from' names no role", "expected roles such as [dpo]");
    }
  }
  if (const yaml::Node* need = reader.Require("need"); need != nullptr) {
    const absl::StatusOr<double> count = ParseDecimal(need->text);
    if (!count.ok() || *count < 1 || *count > kApproversMax || *count != std::floor(*count)) {
      reader.Fail(*need, "'need' is no number of persons",
                  absl::StrCat("expected a whole number from 1 to ", kApproversMax));
    } else {
      approvers.need = static_cast<std::uint32_t>(*count);
    }
  }
  return approvers;
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

}  // namespace carnet::policies
