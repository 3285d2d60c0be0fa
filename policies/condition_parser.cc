#include "policies/condition_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "policies/counters.h"
#include "policies/dates.h"
#include "policies/jurisdictions.h"
#include "policies/operations.h"

namespace carnet::policies {
namespace {

constexpr char kGroupPrefix[] = "group:";
constexpr double kPercentMax = 100;

struct OperatorName {
  const char* name;
  Operator op;
};
constexpr OperatorName kOperators[] = {
    {"is", Operator::kIs},
    {"is_not", Operator::kIsNot},
    {"in", Operator::kIn},
    {"not_in", Operator::kNotIn},
    {"has", Operator::kHas},
    {"any_in", Operator::kAnyIn},
    {"all_in", Operator::kAllIn},
    {"at_least", Operator::kAtLeast},
    {"at_most", Operator::kAtMost},
    {"more_than", Operator::kMoreThan},
    {"before", Operator::kBefore},
    {"after", Operator::kAfter},
    {"owned_by", Operator::kOwnedBy},
};

bool TakesOne(Operator op) {
  return op == Operator::kIs || op == Operator::kIsNot || op == Operator::kHas;
}

void Fail(const ConditionScope& scope, const yaml::Node& node, absl::string_view what,
          absl::string_view expected) {
  scope.diagnostics->Add(scope.file, node.position, what, expected);
}

// An error of a checker, "<what>; <what was expected>".
void FailWith(const ConditionScope& scope, const yaml::Node& node, const absl::Status& status) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(absl::string_view(status.message().data(), status.message().size()),
                     absl::MaxSplits("; ", 1));
  Fail(scope, node, parts.first, parts.second);
}

// A group that is read with aliases must not hold a code that the aliases take away, unless it
// holds the code that stands for it too: it would silently lose a member.
void CheckAliases(const ConditionScope& scope, const yaml::Node& node, int position) {
  const Group& group = (*scope.group_table)[static_cast<std::size_t>(position)];
  for (const Group::Term& term : group.expression) {
    CheckAliases(scope, node, term.group);
  }
  for (const auto& alias : *scope.aliases) {
    const auto holds = [&group](const std::string& code) {
      return code.size() == 2 ? group.countries.test(static_cast<std::size_t>(CountrySlot(code)))
                              : std::binary_search(group.parts.begin(), group.parts.end(), code);
    };
    if (holds(alias.first) && !holds(alias.second)) {
      Fail(scope, node,
           absl::StrCat("group ", group.name, " holds ", alias.first,
                        ", which this policy reads as ", alias.second),
           absl::StrCat("add ", alias.second, " to the group, or name another group"));
    }
  }
}

void ParsePlace(const ConditionScope& scope, const yaml::Node& node, PlaceSet* places) {
  if (!node.is_scalar()) {
    Fail(scope, node, absl::StrCat("a place is ", yaml::KindName(node.kind)),
         "expected a country's code, home or group:NAME");
    return;
  }
  absl::string_view name = node.text;
  if (absl::ConsumePrefix(&name, kGroupPrefix)) {
    if (scope.groups == nullptr) {
      Fail(scope, node, "a group cannot be named here", "name single places");
      return;
    }
    const auto found = scope.groups->find(name);
    if (found == scope.groups->end()) {
      std::vector<std::string> names;
      for (const auto& group : *scope.groups) {
        names.push_back(group.first);
      }
      Fail(scope, node, absl::StrCat("no group is called '", name, "'"),
           Hint(name, names, "define it in the groups file"));
      return;
    }
    if (scope.aliases != nullptr) {
      CheckAliases(scope, node, found->second);
    }
    places->groups.push_back(found->second);
    return;
  }
  if (node.text == "home") {
    if (scope.home.empty()) {
      Fail(scope, node, "no home is known", "add 'home: CODE' to the groups file");
      return;
    }
    places->codes.push_back(scope.home);
    return;
  }
  if (const absl::Status checked = CheckJurisdiction(node.text); !checked.ok()) {
    FailWith(scope, node, checked);
    return;
  }
  if (scope.aliases != nullptr && scope.aliases->find(node.text) != scope.aliases->end()) {
    Fail(scope, node,
         absl::StrCat("this policy reads ", node.text, " as ",
                      scope.aliases->find(node.text)->second),
         "name the code that it is read as");
    return;
  }
  places->codes.push_back(node.text);
}

void ParseWord(const ConditionScope& scope, const FactSpec& spec, const yaml::Node& node,
               Condition* atom) {
  if (!node.is_scalar()) {
    Fail(scope, node, absl::StrCat("a value of ", spec.path, " is ", yaml::KindName(node.kind)),
         "expected one word");
    return;
  }
  if (node.text == "unknown" || node.text == "not_applicable") {
    Fail(scope, node, absl::StrCat("a rule cannot compare ", spec.path, " with ", node.text),
         "what is unknown never helps: name the values that count");
    return;
  }
  const bool single = spec.type == FactType::kWords;
  const absl::Status checked =
      CheckValue(spec, single ? Value::List({node.text}) : Value::Text(node.text));
  if (!checked.ok()) {
    std::vector<std::string> words = spec.words;
    if (spec.type == FactType::kYesNo) {
      words = {"yes", "no"};
    }
    Fail(scope, node, absl::StrCat("'", node.text, "' is no value of ", spec.path),
         words.empty() ? std::string(checked.message())
                       : Hint(node.text, words,
                              absl::StrCat("expected one of ", absl::StrJoin(words, ", "))));
    return;
  }
  atom->words.push_back(node.text);
  atom->bits |= WordBits(spec, absl::string_view(node.text));
}

void ParseNumber(const ConditionScope& scope, const FactSpec& spec, const yaml::Node& node,
                 Condition* atom) {
  const absl::StatusOr<double> number =
      node.is_scalar() ? ParseDecimal(node.text) : absl::InvalidArgumentError("expected a number");
  if (!number.ok() || *number < 0) {
    Fail(scope, node, absl::StrCat("a value of ", spec.path, " is no number"),
         "expected a decimal number of 0 or more, such as 8 or 0.5");
    return;
  }
  atom->number = *number;
}

void ParseRank(const ConditionScope& scope, const FactSpec& spec, const yaml::Node& node,
               Condition* atom) {
  ParseWord(scope, spec, node, atom);
  if (!atom->words.empty()) {
    atom->number = static_cast<double>(std::find(spec.words.begin(), spec.words.end(), node.text) -
                                       spec.words.begin());
  }
}

void ParseOwnedBy(const ConditionScope& scope, const yaml::Node& node, Condition* atom) {
  MapReader reader(*scope.diagnostics, scope.file, node, "owned_by",
                   {"group", "at_least", "more_than"});
  const yaml::Node* group = reader.Require("group");
  if (group != nullptr && group->is_scalar()) {
    yaml::Node named = *group;
    named.text = absl::StrCat(kGroupPrefix, absl::StripPrefix(group->text, kGroupPrefix));
    ParsePlace(scope, named, &atom->places);
  }
  const yaml::Node* at_least = reader.Find("at_least");
  const yaml::Node* more_than = reader.Find("more_than");
  if (!reader.ok() || group == nullptr) {
    return;
  }
  if ((at_least == nullptr) == (more_than == nullptr)) {
    Fail(scope, node, "owned_by needs one bound", "add 'at_least: 50' or 'more_than: 50'");
    return;
  }
  atom->more_than = more_than != nullptr;
  const yaml::Node& bound = atom->more_than ? *more_than : *at_least;
  ParseNumber(scope, CounterSpec(), bound, atom);
  if (atom->number > kPercentMax) {
    Fail(scope, bound, "a share of more than 100 percent", "expected 0 to 100");
  }
  atom->literal = absl::StrCat(atom->more_than ? "more than " : "at least ", bound.text,
                               " percent by group ", group->text);
}

void ParseDay(const ConditionScope& scope, const yaml::Node& node, Condition* atom) {
  const absl::StatusOr<absl::CivilDay> day =
      ParseDate(node.is_scalar() ? absl::string_view(node.text) : "");
  if (!day.ok()) {
    Fail(scope, node, "not a day", day.status().message());
    return;
  }
  atom->time = StartOf(atom->op == Operator::kBefore ? *day : *day + 1, scope.zone);
}

std::string LiteralText(const yaml::Node& node) {
  if (node.is_scalar()) {
    absl::string_view text = node.text;
    return absl::ConsumePrefix(&text, kGroupPrefix) ? absl::StrCat("group ", text)
                                                    : std::string(text);
  }
  return absl::StrJoin(node.items, ", ", [](std::string* out, const yaml::Node& item) {
    out->append(LiteralText(item));
  });
}

void ParseLiteral(const ConditionScope& scope, const FactSpec& spec, const yaml::Node& node,
                  Condition* atom) {
  const bool comparison = atom->op == Operator::kAtLeast || atom->op == Operator::kAtMost ||
                          atom->op == Operator::kMoreThan;
  atom->literal = LiteralText(node);
  if (spec.type == FactType::kOwners) {
    return ParseOwnedBy(scope, node, atom);
  }
  if (spec.type == FactType::kTime) {
    return ParseDay(scope, node, atom);
  }
  if (spec.type == FactType::kNumber) {
    return ParseNumber(scope, spec, node, atom);
  }
  if (spec.type == FactType::kRank && comparison) {
    return ParseRank(scope, spec, node, atom);
  }
  const bool places = spec.type == FactType::kJurisdiction || spec.type == FactType::kJurisdictions;
  if (TakesOne(atom->op)) {
    if (places && node.is_scalar() && absl::StartsWith(node.text, kGroupPrefix)) {
      Fail(scope, node, "one place is asked for, not a group", "use in, not_in, any_in or all_in");
    } else if (places) {
      ParsePlace(scope, node, &atom->places);
    } else {
      ParseWord(scope, spec, node, atom);
    }
    return;
  }
  if (places) {
    atom->places = ParsePlaces(scope, node);
    return;
  }
  if (!node.is_list() || node.items.empty() || node.items.size() > kListItemsMax) {
    Fail(scope, node, "not a list of values", "expected a list such as [model, delta]");
    return;
  }
  for (const yaml::Node& item : node.items) {
    ParseWord(scope, spec, item, atom);
  }
}

Condition ParseAtom(const ConditionScope& scope, absl::string_view path, const FactSpec& spec,
                    const yaml::Entry& entry) {
  Condition atom;
  atom.kind = Condition::Kind::kAtom;
  atom.fact = FindFact(path);
  atom.type = FindFactSpec(path)->type;
  if (atom.fact == kCounters) {
    atom.counter = CanonicalCounter(path);
  }
  const std::vector<std::string> allowed = OperatorsOf(spec.type);
  if (std::find(allowed.begin(), allowed.end(), entry.key) == allowed.end()) {
    scope.diagnostics->Add(
        scope.file, entry.key_position, absl::StrCat("'", entry.key, "' is no operator of ", path),
        Hint(entry.key, allowed, absl::StrCat("expected one of ", absl::StrJoin(allowed, ", "))));
    return atom;
  }
  for (const OperatorName& row : kOperators) {
    if (entry.key == row.name) {
      atom.op = row.op;
    }
  }
  ParseLiteral(scope, spec, entry.value, &atom);
  return atom;
}

void ParseFact(const ConditionScope& scope, const yaml::Entry& entry, Condition* block) {
  const FactSpec* spec = FindFactSpec(entry.key);
  if (spec == nullptr) {
    const bool counter = absl::StartsWith(entry.key, "people.");
    scope.diagnostics->Add(
        scope.file, entry.key_position, absl::StrCat("no fact is called '", entry.key, "'"),
        counter ? absl::StrCat("expected people.<country>.<category>, with @30d, @01-01 or "
                               "@2026-01-01 for another window, the category one of ",
                               absl::StrJoin(CounterCategories(), ", "))
                : Hint(entry.key, FactPaths(), "docs/facts.md lists every fact"));
    return;
  }
  if (FindFact(entry.key) == kBridgeOpa && !scope.may_ask_bridge) {
    scope.diagnostics->Add(scope.file, entry.key_position,
                           "the word of Open Policy Agent can refuse, and grant nothing",
                           "bridge.opa stands in 'when' of a guardrail's deny or require, or in a "
                           "'check', written out and not as a term");
    return;
  }
  if (spec->type == FactType::kApprovals) {
    scope.diagnostics->Add(scope.file, entry.key_position, "no condition reads approvals",
                           "add a requirement with 'phase: approval', 'from' and 'need'");
    return;
  }
  if (!entry.value.is_map() || entry.value.entries.empty()) {
    Fail(scope, entry.value, absl::StrCat("what ", entry.key, " should be is not said"),
         absl::StrCat("expected an operator, such as {", OperatorsOf(spec->type).front(), ": …}"));
    return;
  }
  for (const yaml::Entry& test : entry.value.entries) {
    block->children.push_back(ParseAtom(scope, entry.key, *spec, test));
  }
}

void ParseTerms(const ConditionScope& scope, const yaml::Node& node, Condition* block) {
  if (scope.terms == nullptr) {
    Fail(scope, node, "terms cannot be used here", "write the condition out");
    return;
  }
  if (!node.is_list() || node.items.empty()) {
    Fail(scope, node, "'terms' is not a list of names", "expected a list such as [ai-chip]");
    return;
  }
  for (const yaml::Node& item : node.items) {
    const auto found = scope.terms->find(item.text);
    if (!item.is_scalar() || found == scope.terms->end()) {
      std::vector<std::string> names;
      for (const auto& term : *scope.terms) {
        names.push_back(term.first);
      }
      Fail(scope, item, absl::StrCat("no term is called '", item.text, "'"),
           Hint(item.text, names, "define it under 'terms'"));
      continue;
    }
    Condition term;
    term.kind = Condition::Kind::kTerm;
    term.term = found->second;
    block->children.push_back(std::move(term));
  }
}

void ParseAny(const ConditionScope& scope, const yaml::Node& node, Condition* block) {
  if (!node.is_list() || node.items.empty() || node.items.size() > kListItemsMax) {
    Fail(scope, node, "'any' is not a list of conditions", "expected at least one '- fact: {…}'");
    return;
  }
  Condition any;
  any.kind = Condition::Kind::kAny;
  for (const yaml::Node& item : node.items) {
    any.children.push_back(ParseCondition(scope, item));
    if (item.is_map() && item.entries.empty()) {
      Fail(scope, item, "an empty condition is always true", "remove it, or say what is asked");
    }
  }
  block->children.push_back(std::move(any));
}

// About how much work a test is, compared with a look at a few bits.
int CostOf(const Condition& condition) {
  if (condition.kind != Condition::Kind::kAtom) {
    int cost = 2;
    for (const Condition& child : condition.children) {
      cost += CostOf(child);
    }
    return condition.kind == Condition::Kind::kTerm ? 4 : cost;
  }
  const int places = static_cast<int>(condition.places.codes.size()) +
                     3 * static_cast<int>(condition.places.groups.size());
  const bool list = condition.fact == kDataSubjectsIn || condition.fact == kRecipientOwners;
  return 1 + places * (list ? 3 : 1) + (condition.fact == kCounters ? 4 : 0);
}

// A block is false as soon as one part is, in whatever order: the cheap parts first.
void SortByCost(Condition* block) {
  std::stable_sort(block->children.begin(), block->children.end(),
                   [](const Condition& a, const Condition& b) { return CostOf(a) < CostOf(b); });
}

std::uint32_t BitsOf(const Condition& atom) {
  std::uint32_t bits = 0;
  for (const std::string& word : atom.words) {
    const int position = atom.fact == kOp ? static_cast<int>(OperationFromWord(word))
                                          : static_cast<int>(ArtifactFromWord(word));
    bits |= std::uint32_t{1} << position;
  }
  return atom.op == Operator::kIsNot || atom.op == Operator::kNotIn ? ~bits : bits;
}

}  // namespace

std::vector<std::string> OperatorsOf(FactType type) {
  switch (type) {
    case FactType::kYesNo:
      return {"is", "is_not"};
    case FactType::kWord:
    case FactType::kName:
    case FactType::kChip:
    case FactType::kJurisdiction:
      return {"is", "is_not", "in", "not_in"};
    case FactType::kRank:
      return {"is", "is_not", "in", "not_in", "at_least", "at_most", "more_than"};
    case FactType::kNumber:
      return {"is", "is_not", "at_least", "at_most", "more_than"};
    case FactType::kWords:
    case FactType::kJurisdictions:
      return {"has", "any_in", "all_in"};
    case FactType::kOwners:
      return {"owned_by"};
    case FactType::kTime:
      return {"before", "after"};
    case FactType::kApprovals:
      return {};
  }
  return {};
}

PlaceSet ParsePlaces(const ConditionScope& scope, const yaml::Node& node) {
  PlaceSet places;
  if (node.is_scalar() && absl::StartsWith(node.text, kGroupPrefix)) {
    ParsePlace(scope, node, &places);
    return places;
  }
  if (!node.is_list() || node.items.empty() || node.items.size() > kListItemsMax) {
    Fail(scope, node, "not a list of places", "expected group:NAME or a list such as [DE, FR]");
    return places;
  }
  for (const yaml::Node& item : node.items) {
    ParsePlace(scope, item, &places);
  }
  return places;
}

Condition ParseCondition(const ConditionScope& scope, const yaml::Node& node) {
  Condition block;
  if (!node.is_map()) {
    Fail(scope, node, absl::StrCat("a condition is ", yaml::KindName(node.kind)),
         "expected facts with operators, such as 'to.jurisdiction: {in: group:eea}'");
    return block;
  }
  for (const yaml::Entry& entry : node.entries) {
    if (entry.key == "any") {
      ParseAny(scope, entry.value, &block);
    } else if (entry.key == "terms") {
      ParseTerms(scope, entry.value, &block);
    } else {
      ParseFact(scope, entry, &block);
    }
  }
  SortByCost(&block);
  return block;
}

Reach ReachOf(const Condition& condition, const std::vector<NamedCondition>& terms) {
  Reach reach;
  if (condition.kind == Condition::Kind::kTerm) {
    return ReachOf(terms[static_cast<std::size_t>(condition.term)].condition, terms);
  }
  if (condition.kind == Condition::Kind::kAtom) {
    if (condition.fact == kOp) {
      reach.operations = BitsOf(condition);
    } else if (condition.fact == kArtifactKind) {
      reach.kinds = BitsOf(condition);
    }
    return reach;
  }
  if (condition.kind == Condition::Kind::kAny && !condition.children.empty()) {
    reach = {0, 0};
  }
  for (const Condition& child : condition.children) {
    const Reach part = ReachOf(child, terms);
    if (condition.kind == Condition::Kind::kAny) {
      reach.operations |= part.operations;
      reach.kinds |= part.kinds;
    } else {
      reach.operations &= part.operations;
      reach.kinds &= part.kinds;
    }
  }
  return reach;
}

}  // namespace carnet::policies
