// Groups of places: members, members under a condition, set expressions, aliases.
#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "policies/compiler.h"
#include "policies/dates.h"
#include "policies/jurisdictions.h"
#include "policies/keys.h"
#include "policies/loader.h"

namespace carnet::policies {
namespace {

constexpr std::size_t kGroupsMax = 256;
constexpr std::size_t kTermsMax = 16;
constexpr int kExpressionDepthMax = 3;

void CompileMembers(MapReader& reader, Group* group) {
  for (const yaml::Node& item : reader.List("members")) {
    const absl::Status checked =
        CheckJurisdiction(item.is_scalar() ? absl::string_view(item.text) : "");
    if (!checked.ok()) {
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(checked.message(), absl::MaxSplits("; ", 1));
      reader.Fail(item, parts.first, parts.second);
      continue;
    }
    const auto slot = static_cast<std::size_t>(CountrySlot(item.text));
    const bool part = item.text.size() > 2;
    const bool known =
        part ? std::find(group->parts.begin(), group->parts.end(), item.text) != group->parts.end()
             : group->countries.test(slot);
    if (known) {
      reader.Fail(item, absl::StrCat("group ", group->name, " holds ", item.text, " twice"),
                  "remove one");
    } else if (part) {
      group->parts.push_back(item.text);
    } else {
      group->countries.set(slot);
    }
  }
  std::sort(group->parts.begin(), group->parts.end());
}

void CompileConditional(const ConditionScope& scope, MapReader& reader, Group* group) {
  for (const yaml::Node& item : reader.List("conditional")) {
    MapReader member(reader.diagnostics(), reader.file(), item, "a conditional member",
                     {"code", "when", "note"});
    const yaml::Node* code = member.Require("code");
    const yaml::Node* when = member.Require("when");
    if (code == nullptr || when == nullptr) {
      continue;
    }
    ConditionalMember compiled;
    compiled.code = code->is_scalar() ? code->text : "";
    const absl::Status checked = CheckJurisdiction(compiled.code);
    if (!checked.ok()) {
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(checked.message(), absl::MaxSplits("; ", 1));
      member.Fail(*code, parts.first, parts.second);
      continue;
    }
    compiled.when = ParseCondition(scope, *when);
    if (compiled.when.children.empty()) {
      member.Fail(*when, "an empty condition is always true", "name it under 'members' instead");
    }
    group->conditional.push_back(std::move(compiled));
  }
}

// `ear-d1 + ear-d4 - ear-a5`: names with + and - between them, blanks around each.
void CompileExpression(const Names& names, MapReader& reader, Group* group) {
  const std::string text = reader.Text("expression", kTextBytesMax);
  if (text.empty()) {
    return;
  }
  const yaml::Node& node = *reader.Find("expression");
  bool subtract = false;
  bool name_next = true;
  for (const absl::string_view token : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!name_next && (token == "+" || token == "-")) {
      subtract = token == "-";
      name_next = true;
      continue;
    }
    const auto found = names.find(token);
    if (!name_next || found == names.end()) {
      std::vector<std::string> known;
      for (const auto& name : names) {
        known.push_back(name.first);
      }
      reader.Fail(node,
                  name_next ? absl::StrCat("no group is called '", token, "'")
                            : absl::StrCat("'", token, "' stands where + or - is expected"),
                  name_next ? Hint(token, known, "name groups of this file")
                            : "write a + b - c, with blanks around each sign");
      return;
    }
    group->expression.push_back({subtract, found->second});
    name_next = false;
  }
  if (name_next) {
    reader.Fail(node, "the expression ends with a sign", "name a group after it");
  }
}

// Where the list comes from, and until when it can be relied on.
void CheckAbout(MapReader& reader) {
  reader.Text("title", kTextBytesMax);
  reader.Texts("source", kTextBytesMax);
  reader.Texts("unconfirmed", kTextBytesMax);
  for (const char* key : {"as_of", "review_by"}) {
    const std::string day = reader.Text(key, kTextBytesMax);
    if (!day.empty() && !ParseDate(day).ok()) {
      reader.Fail(*reader.Find(key), absl::StrCat("'", key, "' is not a day"),
                  ParseDate(day).status().message());
    }
  }
}

Group CompileGroup(const ConditionScope& scope, const Names& names, const yaml::Entry& entry) {
  Group group;
  group.name = entry.key;
  MapReader reader(*scope.diagnostics, scope.file, entry.value, absl::StrCat("group ", entry.key),
                   keys::Group());
  if (!IsId(entry.key)) {
    reader.Fail(entry.value, absl::StrCat("a group is called '", entry.key, "'"),
                "expected letters, digits, '-' and '_'");
  }
  CheckAbout(reader);
  const bool lists = reader.Find("members") != nullptr || reader.Find("conditional") != nullptr;
  if (reader.ok() && lists == (reader.Find("expression") != nullptr)) {
    reader.Fail(entry.value, absl::StrCat("group ", entry.key, " is not said"),
                "give either members (and conditional ones) or an expression");
    return group;
  }
  CompileMembers(reader, &group);
  CompileConditional(scope, reader, &group);
  CompileExpression(names, reader, &group);
  return group;
}

// How deep each group's expression nests: 0 for members, -1 for one that is made from itself. Each
// group is walked once.
class Depths {
 public:
  explicit Depths(const std::vector<Group>& groups)
      : groups_(groups), depths_(groups.size(), kNotYet) {}

  int Of(int position) {
    int& depth = depths_[static_cast<std::size_t>(position)];
    if (depth != kNotYet) {
      return depth;
    }
    depth = kCircle;  // what a walk that comes back here finds
    int deepest = 0;
    bool circle = false;
    for (const Group::Term& term : groups_[static_cast<std::size_t>(position)].expression) {
      const int part = Of(term.group);
      circle = circle || part == kCircle;
      deepest = std::max(deepest, part + 1);
    }
    return depths_[static_cast<std::size_t>(position)] = circle ? kCircle : deepest;
  }

  static constexpr int kCircle = -1;

 private:
  static constexpr int kNotYet = -2;
  const std::vector<Group>& groups_;
  std::vector<int> depths_;
};

// Bounds what one membership test can cost: kTermsMax ^ kExpressionDepthMax looks.
void RefuseDeepExpressions(MapReader& reader, std::vector<Group>* groups) {
  Depths depths(*groups);
  std::vector<int> found;
  for (std::size_t i = 0; i < groups->size(); ++i) {
    found.push_back(depths.Of(static_cast<int>(i)));
  }
  for (std::size_t i = 0; i < groups->size(); ++i) {
    Group& group = (*groups)[i];
    const bool circle = found[i] == Depths::kCircle;
    if (circle || found[i] > kExpressionDepthMax || group.expression.size() > kTermsMax) {
      reader.Fail(*reader.node().Find("groups")->Find(group.name),
                  circle ? absl::StrCat("group ", group.name, " is made from itself")
                         : absl::StrCat("the expression of group ", group.name, " is too large"),
                  circle ? "remove the circle from the expressions"
                         : absl::StrCat("at most ", kTermsMax, " names, nested ",
                                        kExpressionDepthMax, " deep"));
      group.expression.clear();  // so that nothing walks it
    }
  }
}

// Groups without conditions as plain sets of countries; those that others are made from first.
void Flatten(std::vector<Group>* groups) {
  Depths depths(*groups);
  for (int depth = 0; depth <= kExpressionDepthMax; ++depth) {
    for (std::size_t i = 0; i < groups->size(); ++i) {
      if (depths.Of(static_cast<int>(i)) != depth) {
        continue;
      }
      Group& group = (*groups)[i];
      group.flat = group.conditional.empty();
      group.whole = group.countries;
      for (const Group::Term& term : group.expression) {
        const Group& part = (*groups)[static_cast<std::size_t>(term.group)];
        group.flat = group.flat && part.flat;
        group.whole = term.subtract ? group.whole & ~part.whole : group.whole | part.whole;
      }
    }
  }
}

void CompileAliases(MapReader& reader, CompiledBundle* bundle) {
  const yaml::Node* aliases = reader.Find("aliases");
  if (aliases == nullptr) {
    return;
  }
  if (!aliases->is_map()) {
    reader.Fail(*aliases, "'aliases' is no map", "expected a map such as {ear: {HK: CN}}");
    return;
  }
  for (const yaml::Entry& set : aliases->entries) {
    if (!set.value.is_map()) {
      reader.Fail(set.value, "a set of aliases is no map", "expected a map such as {HK: CN}");
      continue;
    }
    Aliases& compiled = bundle->aliases[set.key];
    for (const yaml::Entry& alias : set.value.entries) {
      const bool codes = CheckJurisdiction(alias.key).ok() && alias.value.is_scalar() &&
                         CheckJurisdiction(alias.value.text).ok();
      if (!codes || set.value.Find(alias.value.text) != nullptr) {
        reader.Fail(alias.value, absl::StrCat("'", alias.key, "' is no alias"),
                    "expected one country's code read as another that is no alias itself");
        continue;
      }
      compiled[alias.key] = alias.value.text;
    }
  }
}

}  // namespace

void CompileGroups(const Document& document, Diagnostics& diagnostics, CompiledBundle* bundle,
                   Names* group_names) {
  MapReader reader(diagnostics, document.file, document.root, "the groups file", keys::Groups());
  bundle->home = reader.Text("home", kTextBytesMax);
  if (!bundle->home.empty()) {
    if (const absl::Status checked = CheckJurisdiction(bundle->home); !checked.ok()) {
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(checked.message(), absl::MaxSplits("; ", 1));
      reader.Fail(*reader.Find("home"), parts.first, parts.second);
      bundle->home.clear();
    }
  }
  CompileAliases(reader, bundle);
  const yaml::Node* groups = reader.Require("groups");
  if (groups == nullptr) {
    return;
  }
  if (!groups->is_map() || groups->entries.size() > kGroupsMax) {
    reader.Fail(*groups, "'groups' is no map of groups",
                absl::StrCat("expected at most ", kGroupsMax, " groups by name"));
    return;
  }
  for (const yaml::Entry& entry : groups->entries) {
    const int position = static_cast<int>(group_names->size());
    group_names->emplace(entry.key, position);
  }
  ConditionScope scope;
  scope.diagnostics = &diagnostics;
  scope.file = document.file;
  scope.home = bundle->home;
  for (const yaml::Entry& entry : groups->entries) {
    bundle->groups.push_back(CompileGroup(scope, *group_names, entry));
  }
  RefuseDeepExpressions(reader, &bundle->groups);
  Flatten(&bundle->groups);
}

}  // namespace carnet::policies
