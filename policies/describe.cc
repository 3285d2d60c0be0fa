// Conditions in words.
#include <string>

#include "absl/strings/str_cat.h"
#include "policies/condition.h"

namespace carnet::policies {
namespace {

const FactSpec& SpecOf(const Condition& atom) {
  return atom.fact == kCounters ? CounterSpec() : FactTable()[static_cast<std::size_t>(atom.fact)];
}

// "the destination"; counters name whom they count.
std::string Subject(const Condition& atom) {
  const FactSpec& spec = SpecOf(atom);
  return atom.fact == kCounters ? absl::StrCat(spec.phrase, " (", atom.counter, ")") : spec.phrase;
}

// What the atom asks for, after "is" or "are".
std::string Wanted(const Condition& atom) {
  const bool group = atom.literal.rfind("group ", 0) == 0;
  switch (atom.op) {
    case Operator::kIsNot:
      return absl::StrCat("not ", atom.literal);
    case Operator::kIn:
      return absl::StrCat(group ? "in " : "one of ", atom.literal);
    case Operator::kNotIn:
      return absl::StrCat(group ? "not in " : "none of ", atom.literal);
    case Operator::kIs:
    case Operator::kHas:
    case Operator::kOwnedBy:
      return atom.literal;
    case Operator::kAnyIn:
      return absl::StrCat(group ? "any of " : "one of ", atom.literal);
    case Operator::kAllIn:
      return absl::StrCat("only of ", atom.literal);
    case Operator::kAtLeast:
      return absl::StrCat("at least ", atom.literal);
    case Operator::kAtMost:
      return absl::StrCat("at most ", atom.literal);
    case Operator::kMoreThan:
      return absl::StrCat("more than ", atom.literal);
    case Operator::kBefore:
      return absl::StrCat("before ", atom.literal);
    case Operator::kAfter:
      return absl::StrCat("after ", atom.literal);
  }
  return "";
}

std::string DescribeAtom(const Condition& atom) {
  const FactType type = SpecOf(atom).type;
  const char* verb = " is ";
  if (type == FactType::kWords || type == FactType::kJurisdictions) {
    const bool singular = atom.fact == kEvidence;
    verb = atom.op == Operator::kAllIn ? (singular ? " is " : " are ")
                                       : (singular ? " includes " : " include ");
  }
  return absl::StrCat(Subject(atom), verb, Wanted(atom));
}

std::string Join(const Condition& condition, const std::vector<NamedCondition>& terms,
                 absl::string_view word) {
  std::string text;
  for (const Condition& child : condition.children) {
    const std::string part = Describe(child, terms);
    const bool nested = child.kind != Condition::Kind::kAtom && child.children.size() > 1;
    absl::StrAppend(&text, text.empty() ? "" : word, nested ? "(" : "", part, nested ? ")" : "");
  }
  return text;
}

void AppendUnmet(const Condition& condition, const FactView& view, std::string* out) {
  if (Test(condition, view) == Truth::kTrue) {
    return;
  }
  switch (condition.kind) {
    case Condition::Kind::kTerm:
      AppendUnmet((*view.terms)[static_cast<std::size_t>(condition.term)].condition, view, out);
      return;
    case Condition::Kind::kAll:
      for (const Condition& child : condition.children) {
        AppendUnmet(child, view, out);
      }
      return;
    case Condition::Kind::kAny:
      absl::StrAppend(out, out->empty() ? "" : "; ", "needed: ", Describe(condition, *view.terms));
      return;
    case Condition::Kind::kAtom:
      break;
  }
  absl::StrAppend(out, out->empty() ? "" : "; ");
  if (condition.fact == kAt) {
    absl::StrAppend(out, "needed: ", DescribeAtom(condition));
    return;
  }
  const Value& value = condition.fact == kCounters
                           ? view.facts->GetCounter(condition.counter)
                           : *view.values[static_cast<std::size_t>(condition.fact)];
  std::string now = absl::StrCat("is ", value.ToString());
  if (value.is_unknown()) {
    now = "is not known";
  } else if (value.is_not_applicable()) {
    now = "does not apply here";
  } else if (value.kind() == Value::Kind::kList) {
    const bool plural = condition.fact != kEvidence;
    now = value.list().empty() ? (plural ? "are none" : "is empty")
                               : absl::StrCat(plural ? "are " : "holds ", value.ToString());
  }
  absl::StrAppend(out, Subject(condition), " ", now, "; needed: ", Wanted(condition));
}

}  // namespace

std::string Describe(const Condition& condition, const std::vector<NamedCondition>& terms) {
  switch (condition.kind) {
    case Condition::Kind::kAtom:
      return DescribeAtom(condition);
    case Condition::Kind::kTerm:
      return Describe(terms[static_cast<std::size_t>(condition.term)].condition, terms);
    case Condition::Kind::kAny:
      return Join(condition, terms, " or ");
    case Condition::Kind::kAll:
      break;
  }
  return condition.children.empty() ? "always" : Join(condition, terms, " and ");
}

std::string DescribeUnmet(const Condition& condition, const FactView& view) {
  std::string text;
  AppendUnmet(condition, view, &text);
  return text;
}

}  // namespace carnet::policies
