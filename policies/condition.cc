#include "policies/condition.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace carnet::policies {
namespace {

constexpr char kUnknownItem[] = "unknown";
// Shares are summed in millionths of a percent, so that 49 and 2 make exactly 51.
constexpr double kShareUnit = 1e6;

Truth FromBool(bool value) {
  return value ? Truth::kTrue : Truth::kFalse;
}

std::int64_t Share(double percent) {
  return std::llround(percent * kShareUnit);
}

// The country of a code, or all of it: AE of AE-DIFC.
absl::string_view CountryOf(absl::string_view code) {
  return code.substr(0, 2);
}

// A place stands for itself and for what it is part of, never for its parts.
bool IsOrIsPartOf(absl::string_view code, absl::string_view place) {
  return code == place || (place.size() == 2 && code.size() > 2 && CountryOf(code) == place);
}

Truth GroupHolds(const Group& group, absl::string_view code, const FactView& view) {
  if (group.flat && code.size() == 2) {
    return FromBool(group.whole.test(static_cast<std::size_t>(CountrySlot(code))));
  }
  if (!group.expression.empty()) {
    Truth held = Truth::kFalse;
    for (const Group::Term& term : group.expression) {
      const Truth here =
          GroupHolds(view.bundle->groups[static_cast<std::size_t>(term.group)], code, view);
      held = term.subtract ? And(held, Not(here)) : Or(held, here);
    }
    return held;
  }
  if (group.countries.test(static_cast<std::size_t>(CountrySlot(code))) ||
      (code.size() > 2 && std::binary_search(group.parts.begin(), group.parts.end(), code))) {
    return Truth::kTrue;
  }
  Truth held = Truth::kFalse;
  for (const ConditionalMember& member : group.conditional) {
    if (IsOrIsPartOf(code, member.code)) {
      held = Or(held, Test(member.when, view));
    }
  }
  return held;
}

// The code that a value stands for under the policy's aliases; empty: nobody knows.
absl::string_view ResolvePlace(absl::string_view code, const FactView& view) {
  if (code == "home") {
    code = view.bundle->home;
  }
  if (view.aliases != nullptr && !code.empty()) {
    auto alias = view.aliases->find(code);
    if (alias == view.aliases->end()) {
      alias = view.aliases->find(CountryOf(code));
    }
    if (alias != view.aliases->end()) {
      return alias->second;
    }
  }
  return code;
}

Truth Compare(const Condition& atom, double value) {
  switch (atom.op) {
    case Operator::kAtLeast:
      return FromBool(value >= atom.number);
    case Operator::kAtMost:
      return FromBool(value <= atom.number);
    case Operator::kMoreThan:
      return FromBool(value > atom.number);
    case Operator::kIs:
      return FromBool(value == atom.number);
    case Operator::kIsNot:
      return FromBool(value != atom.number);
    default:
      break;
  }
  return Truth::kUnknown;
}

// The value's place among the ordered words.
double RankOf(std::uint64_t bits) {
  return static_cast<double>(std::countr_zero(bits));
}

Truth TestText(const Condition& atom, const std::string& text, const FactView& view) {
  const std::uint64_t bits = view.bits[static_cast<std::size_t>(atom.fact)];
  Truth held;
  switch (atom.type) {
    case FactType::kJurisdiction:
      held = PlaceIn(text, atom.places, view);
      break;
    case FactType::kName:
      held = FromBool(std::find(atom.words.begin(), atom.words.end(), text) != atom.words.end());
      break;
    case FactType::kRank:
      if (atom.op == Operator::kAtLeast || atom.op == Operator::kAtMost ||
          atom.op == Operator::kMoreThan) {
        return Compare(atom, RankOf(bits));
      }
      [[fallthrough]];
    default:
      held = FromBool((bits & atom.bits) != 0);
  }
  return atom.op == Operator::kIsNot || atom.op == Operator::kNotIn ? Not(held) : held;
}

// Decided by the known members only; a member that nobody knows leaves it open.
Truth TestWords(const Condition& atom, std::uint64_t bits) {
  const std::uint64_t known = bits & ~kUnknownWordBit;
  const Truth otherwise = (bits & kUnknownWordBit) != 0 ? Truth::kUnknown : Truth::kFalse;
  if (atom.op == Operator::kAllIn) {
    const bool outside = (known & ~atom.bits) != 0;
    return outside                        ? Truth::kFalse
           : otherwise == Truth::kUnknown ? otherwise
                                          : FromBool(known != 0);
  }
  return (known & atom.bits) != 0 ? Truth::kTrue : otherwise;
}

// The same for places, of which each may itself be in a group only under a condition.
Truth TestPlaces(const Condition& atom, const std::vector<std::string>& list,
                 const FactView& view) {
  if (list.empty()) {
    return Truth::kFalse;
  }
  const bool all = atom.op == Operator::kAllIn;
  Truth result = all ? Truth::kTrue : Truth::kFalse;
  for (const std::string& item : list) {
    const Truth held = item == kUnknownItem ? Truth::kUnknown : PlaceIn(item, atom.places, view);
    result = all ? And(result, held) : Or(result, held);
  }
  return result;
}

Truth TestOwners(const Condition& atom, const std::vector<Owner>& owners, const FactView& view) {
  std::int64_t inside = 0;
  std::int64_t outside = 0;
  for (const Owner& owner : owners) {
    const Truth held = owner.jurisdiction == kUnknownItem
                           ? Truth::kUnknown
                           : PlaceIn(owner.jurisdiction, atom.places, view);
    inside += held == Truth::kTrue ? Share(owner.percent) : 0;
    outside += held == Truth::kFalse ? Share(owner.percent) : 0;
  }
  const std::int64_t at_most_inside = Share(100) - outside;
  const std::int64_t bound = Share(atom.number) + (atom.more_than ? 1 : 0);
  if (inside >= bound) {
    return Truth::kTrue;
  }
  return at_most_inside < bound ? Truth::kFalse : Truth::kUnknown;
}

const Value& ValueOf(const Condition& atom, const FactView& view) {
  return atom.fact == kCounters ? view.facts->GetCounter(atom.counter)
                                : *view.values[static_cast<std::size_t>(atom.fact)];
}

Truth TestAtom(const Condition& atom, const FactView& view) {
  if (atom.fact == kAt) {
    return FromBool(atom.op == Operator::kBefore ? view.at < atom.time : view.at >= atom.time);
  }
  const Value& value = ValueOf(atom, view);
  switch (value.kind()) {
    case Value::Kind::kUnknown:
      return Truth::kUnknown;
    case Value::Kind::kNotApplicable:
      return Truth::kFalse;
    case Value::Kind::kText:
      return TestText(atom, value.text(), view);
    case Value::Kind::kNumber:
      return Compare(atom, value.number());
    case Value::Kind::kList:
      return atom.type == FactType::kWords
                 ? TestWords(atom, view.bits[static_cast<std::size_t>(atom.fact)])
                 : TestPlaces(atom, value.list(), view);
    case Value::Kind::kOwners:
      return TestOwners(atom, value.owners(), view);
    case Value::Kind::kApprovals:
      break;
  }
  return Truth::kUnknown;
}

// Each comparison once a decision.
Truth AnswerOf(const Condition& atom, const FactView& view) {
  if (atom.memo < 0) {
    return TestAtom(atom, view);
  }
  std::uint8_t& answer = view.memo[static_cast<std::size_t>(atom.memo)];
  if (answer == FactView::kNotAsked) {
    answer = static_cast<std::uint8_t>(TestAtom(atom, view));
  }
  return static_cast<Truth>(answer);
}

const Condition& TermOf(const Condition& condition, const std::vector<NamedCondition>& terms) {
  return terms[static_cast<std::size_t>(condition.term)].condition;
}

void AddFact(const Condition& atom, NamedFacts* facts) {
  static_assert(kFactCount <= 64);
  if (atom.fact == kCounters) {
    facts->counters.insert(atom.counter);
  } else {
    facts->of_table |= std::uint64_t{1} << atom.fact;
  }
}

// Calls `of_table` and `counter` for each, in the order of their paths.
template <typename OfTable, typename Counter>
void ForEachFact(const NamedFacts& facts, const OfTable& of_table, const Counter& counter) {
  constexpr std::uint64_t kBeforeCounters = (std::uint64_t{1} << kRecipientCertifications) - 1;
  const auto each = [&of_table](std::uint64_t bits) {
    for (; bits != 0; bits &= bits - 1) {
      of_table(static_cast<std::size_t>(std::countr_zero(bits)));
    }
  };
  each(facts.of_table & kBeforeCounters);
  for (const std::string& path : facts.counters) {  // "people." sorts before "recipient."
    counter(path);
  }
  each(facts.of_table & ~kBeforeCounters);
}

// The single places that a value names.
std::vector<std::string> PlacesOf(const Value& value) {
  std::vector<std::string> codes = value.list();
  if (value.kind() == Value::Kind::kText) {
    codes.push_back(value.text());
  }
  for (const Owner& owner : value.owners()) {
    codes.push_back(owner.jurisdiction);
  }
  std::erase(codes, kUnknownItem);
  return codes;
}

// Calls `visit` for every conditional member of `group` that is about `code`.
template <typename Visit>
void ForEachMember(const Group& group, absl::string_view code, const FactView& view,
                   const Visit& visit) {
  for (const Group::Term& term : group.expression) {
    ForEachMember(view.bundle->groups[static_cast<std::size_t>(term.group)], code, view, visit);
  }
  for (const ConditionalMember& member : group.conditional) {
    if (IsOrIsPartOf(code, member.code)) {
      visit(member.when);
    }
  }
}

// Calls `visit` for each condition that decides whether the places in `value` belong to the groups
// of `atom`.
template <typename Visit>
void ForEachMemberCondition(const Condition& atom, const Value& value, const FactView& view,
                            const Visit& visit) {
  if (atom.places.groups.empty()) {
    return;
  }
  for (const std::string& place : PlacesOf(value)) {
    const absl::string_view code = ResolvePlace(place, view);
    for (const int group : atom.places.groups) {
      if (!code.empty()) {
        ForEachMember(view.bundle->groups[static_cast<std::size_t>(group)], code, view, visit);
      }
    }
  }
}

}  // namespace

FactView::FactView(const CompiledBundle& bundle_in, const FactSet& facts_in, absl::Time at_in)
    : bundle(&bundle_in),
      facts(&facts_in),
      bits(facts_in.bits()),
      at(at_in),
      memo(bundle_in.memo_count, kNotAsked) {
  for (std::size_t i = 0; i < kFactCount; ++i) {
    values[i] = &facts_in.Get(static_cast<FactId>(i));
  }
}

Truth PlaceIn(absl::string_view code, const PlaceSet& places, const FactView& view) {
  code = ResolvePlace(code, view);
  if (code.empty()) {
    return Truth::kUnknown;
  }
  for (const std::string& place : places.codes) {
    if (IsOrIsPartOf(code, place)) {
      return Truth::kTrue;
    }
  }
  Truth held = Truth::kFalse;
  for (const int group : places.groups) {
    held = Or(held, GroupHolds(view.bundle->groups[static_cast<std::size_t>(group)], code, view));
  }
  return held;
}

namespace {

// The same as Test, without a call for what was answered before: most is.
Truth Ask(const Condition& condition, const FactView& view) {
  if (condition.kind == Condition::Kind::kAtom && condition.memo >= 0) {
    const std::uint8_t answer = view.memo[static_cast<std::size_t>(condition.memo)];
    if (answer != FactView::kNotAsked) {
      return static_cast<Truth>(answer);
    }
  }
  return Test(condition, view);
}

}  // namespace

Truth Test(const Condition& condition, const FactView& view) {
  switch (condition.kind) {
    case Condition::Kind::kAtom:
      return AnswerOf(condition, view);
    case Condition::Kind::kTerm:
      return Test(TermOf(condition, *view.terms), view);
    case Condition::Kind::kAll: {
      Truth result = Truth::kTrue;
      for (const Condition& child : condition.children) {
        result = And(result, Ask(child, view));
        if (result == Truth::kFalse) {
          return result;
        }
      }
      return result;
    }
    case Condition::Kind::kAny: {
      Truth result = Truth::kFalse;
      for (const Condition& child : condition.children) {
        result = Or(result, Ask(child, view));
        if (result == Truth::kTrue) {
          return result;
        }
      }
      return result;
    }
  }
  return Truth::kUnknown;
}

void NamedFacts::Add(const NamedFacts& more) {
  of_table |= more.of_table;
  counters.insert(more.counters.begin(), more.counters.end());
}

void AddPaths(const NamedFacts& facts, TextList* paths) {
  ForEachFact(
      facts, [paths](std::size_t fact) { *paths->Add() = FactTable()[fact].path; },
      [paths](const std::string& path) { *paths->Add() = path; });
}

void AddTexts(const NamedFacts& facts, const FactView& view, TextList* texts) {
  const auto add = [texts](absl::string_view path, const Value& value) {
    absl::StrAppend(texts->Add(), path, " = ", value.ToString());
  };
  ForEachFact(
      facts, [&](std::size_t fact) { add(FactTable()[fact].path, *view.values[fact]); },
      [&](const std::string& path) { add(path, view.facts->GetCounter(path)); });
}

void CollectMissing(const Condition& condition, const FactView& view, NamedFacts* missing) {
  if (Test(condition, view) != Truth::kUnknown) {
    return;
  }
  if (condition.kind == Condition::Kind::kTerm) {
    CollectMissing(TermOf(condition, *view.terms), view, missing);
    return;
  }
  for (const Condition& child : condition.children) {
    CollectMissing(child, view, missing);
  }
  if (condition.kind != Condition::Kind::kAtom) {
    return;
  }
  // The fact itself, a part of its value, or what the membership of its places depends on.
  const Value& value = ValueOf(condition, view);
  NamedFacts behind_members;
  ForEachMemberCondition(condition, value, view, [&](const Condition& when) {
    CollectMissing(when, view, &behind_members);
  });
  const auto& list = value.list();
  if (behind_members.empty() || std::find(list.begin(), list.end(), kUnknownItem) != list.end()) {
    AddFact(condition, missing);
  }
  missing->Add(behind_members);
}

void CollectUsed(const Condition& condition, const FactView& view, NamedFacts* used) {
  if (condition.kind == Condition::Kind::kTerm) {
    CollectUsed(TermOf(condition, *view.terms), view, used);
    return;
  }
  for (const Condition& child : condition.children) {
    CollectUsed(child, view, used);
  }
  if (condition.kind != Condition::Kind::kAtom || condition.fact == kAt) {
    return;
  }
  AddFact(condition, used);
  ForEachMemberCondition(condition, ValueOf(condition, view), view,
                         [&](const Condition& when) { CollectUsed(when, view, used); });
}

}  // namespace carnet::policies
