#include "policies/sweep_values.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "policies/condition.h"
#include "policies/jurisdictions.h"

namespace carnet::policies {
namespace {

// Words named by rules up to which every set of them is tried; beyond, none, each, and all.
constexpr std::size_t kSubsetWordsMax = 6;
// Places told apart up to which every pair of them is tried.
constexpr std::size_t kPairPlacesMax = 32;

class Collector {
 public:
  Collector(const CompiledBundle& bundle, const Policy& policy, std::vector<SweptAtom>* atoms)
      : bundle_(bundle), policy_(policy), atoms_(atoms) {}

  void Add(const Condition& condition) {
    switch (condition.kind) {
      case Condition::Kind::kAtom:
        atoms_->push_back({&condition, &policy_, &bundle_});
        for (const int group : condition.places.groups) {
          AddGroup(group);
        }
        return;
      case Condition::Kind::kTerm:
        Add(policy_.terms[static_cast<std::size_t>(condition.term)].condition);
        return;
      default:
        for (const Condition& child : condition.children) {
          Add(child);
        }
    }
  }

  void AddRule(const Rule& rule) {
    Add(rule.when);
    if (rule.unless.has_value()) {
      Add(*rule.unless);
    }
    for (const Item& item : rule.items) {
      Add(item.check);
    }
    if (rule.effect == Effect::kLimit) {
      Add(rule.limit);
    }
  }

 private:
  void AddGroup(int position) {
    if (!groups_.insert(position).second) {
      return;
    }
    const Group& group = bundle_.groups[static_cast<std::size_t>(position)];
    for (const ConditionalMember& member : group.conditional) {
      Add(member.when);
    }
    for (const Group::Term& term : group.expression) {
      AddGroup(term.group);
    }
  }

  const CompiledBundle& bundle_;
  const Policy& policy_;
  std::vector<SweptAtom>* atoms_;
  std::set<int> groups_;
};

using Atoms = std::vector<SweptAtom>;

// Whether the outcome of an atom that reads a place can hang on other facts too.
bool HasConditionalMember(const SweptAtom& atom) {
  return std::any_of(
      atom.condition->places.groups.begin(), atom.condition->places.groups.end(),
      [&atom](int group) { return !atom.bundle->groups[static_cast<std::size_t>(group)].flat; });
}

// How the atoms come out when the fact is `value` and nothing else is known. What hangs on another
// fact as well is told apart by the value itself.
std::string Outcome(const Atoms& atoms, const std::string& path, const Value& value,
                    absl::Time at) {
  FactSet facts;
  if (!facts.Set(path, value).ok()) {
    return "";
  }
  std::string outcome;
  for (const SweptAtom& atom : atoms) {
    FactView view(*atom.bundle, facts, at);
    view.Enter(*atom.policy);
    const Truth truth = Test(*atom.condition, view);
    outcome.push_back(static_cast<char>('0' + static_cast<int>(truth)));
    if (truth == Truth::kUnknown && !value.is_unknown() && HasConditionalMember(atom)) {
      absl::StrAppend(&outcome, value.ToString());
    }
  }
  return outcome;
}

// Collects values, the first of each outcome.
class Representatives {
 public:
  Representatives(const Atoms& atoms, std::string path, absl::Time at)
      : atoms_(atoms), path_(std::move(path)), at_(at) {}

  void Try(Value value) {
    std::string outcome = Outcome(atoms_, path_, value, at_);
    if (!outcome.empty() && outcomes_.insert(std::move(outcome)).second) {
      values_.push_back(std::move(value));
    }
  }
  const std::vector<Value>& values() const { return values_; }

 private:
  const Atoms& atoms_;
  std::string path_;
  absl::Time at_;
  std::set<std::string> outcomes_;
  std::vector<Value> values_;
};

// Every country, and what the atoms name beyond.
std::vector<std::string> Codes(const Atoms& atoms) {
  const std::vector<std::string> countries = CountryCodes();
  std::set<std::string> codes(countries.begin(), countries.end());
  for (const SweptAtom& atom : atoms) {
    codes.insert(atom.condition->places.codes.begin(), atom.condition->places.codes.end());
    for (const Group& group : atom.bundle->groups) {
      codes.insert(group.parts.begin(), group.parts.end());
      for (const ConditionalMember& member : group.conditional) {
        codes.insert(member.code);
      }
    }
  }
  codes.erase("home");
  return std::vector<std::string>(codes.begin(), codes.end());
}

std::vector<std::string> Words(const Atoms& atoms) {
  std::set<std::string> words;
  for (const SweptAtom& atom : atoms) {
    words.insert(atom.condition->words.begin(), atom.condition->words.end());
  }
  return std::vector<std::string>(words.begin(), words.end());
}

void TryPlaceLists(const Atoms& atoms, Representatives* representatives) {
  representatives->Try(Value::List({}));
  for (const std::string& code : Codes(atoms)) {
    representatives->Try(Value::List({code}));
  }
  const std::vector<Value> singles = representatives->values();
  for (std::size_t i = 1; i < std::min(singles.size(), kPairPlacesMax); ++i) {
    for (std::size_t j = i + 1; j < std::min(singles.size(), kPairPlacesMax); ++j) {
      representatives->Try(Value::List({singles[i].list().front(), singles[j].list().front()}));
    }
  }
}

void TryWordLists(const std::vector<std::string>& words, Representatives* representatives) {
  representatives->Try(Value::List({}));
  if (words.size() > kSubsetWordsMax) {
    for (const std::string& word : words) {
      representatives->Try(Value::List({word}));
    }
    representatives->Try(Value::List(words));
    return;
  }
  for (std::size_t set = 1; set < (std::size_t{1} << words.size()); ++set) {
    std::vector<std::string> chosen;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if ((set >> i & 1U) != 0) {
        chosen.push_back(words[i]);
      }
    }
    representatives->Try(Value::List(std::move(chosen)));
  }
}

void TryOwners(const Atoms& atoms, Representatives* representatives) {
  representatives->Try(Value::Owners({}));
  for (const std::string& code : Codes(atoms)) {
    representatives->Try(Value::Owners({{code, 100}}));
    for (const SweptAtom& atom : atoms) {
      representatives->Try(Value::Owners({{code, atom.condition->number}}));
      representatives->Try(Value::Owners({{code, atom.condition->number / 2}}));
    }
  }
}

void TryNumbers(const Atoms& atoms, Representatives* representatives) {
  for (const SweptAtom& atom : atoms) {
    const double bound = atom.condition->number;
    for (const double number : {bound, bound + 1, bound / 2, std::max(0.0, bound - 1)}) {
      representatives->Try(Value::Number(number));
    }
  }
}

std::vector<Value> ValuesOf(const FactSpec& spec, const std::string& path, const Atoms& atoms,
                            absl::Time at) {
  Representatives representatives(atoms, path, at);
  switch (spec.type) {
    case FactType::kWord:
    case FactType::kRank:
    case FactType::kChip:
      for (const std::string& word : spec.words) {
        representatives.Try(Value::Text(word));
      }
      break;
    case FactType::kYesNo:
      representatives.Try(Value::YesNo(true));
      representatives.Try(Value::YesNo(false));
      break;
    case FactType::kJurisdiction:
      for (const std::string& code : Codes(atoms)) {
        representatives.Try(Value::Text(code));
      }
      break;
    case FactType::kJurisdictions:
      TryPlaceLists(atoms, &representatives);
      break;
    case FactType::kName:
      representatives.Try(Value::Text("somebody-else"));
      for (const std::string& word : Words(atoms)) {
        representatives.Try(Value::Text(word));
      }
      break;
    case FactType::kNumber:
      TryNumbers(atoms, &representatives);
      break;
    case FactType::kWords:
      TryWordLists(Words(atoms), &representatives);
      break;
    case FactType::kOwners:
      TryOwners(atoms, &representatives);
      break;
    default:
      break;
  }
  representatives.Try(Value::Unknown());
  return representatives.values();
}

}  // namespace

void CollectAtoms(const CompiledBundle& bundle, const std::string& policy,
                  const std::set<std::string>& rules, std::vector<SweptAtom>* atoms) {
  for (const Policy& candidate : bundle.policies) {
    if (candidate.name != policy) {
      continue;
    }
    Collector collector(bundle, candidate, atoms);
    collector.Add(candidate.applies_when);
    if (candidate.unless.has_value()) {
      collector.Add(*candidate.unless);
    }
    for (const Rule& rule : candidate.rules) {
      if (rules.count(rule.id) != 0) {
        collector.AddRule(rule);
      }
    }
    for (const Exception& exception : candidate.exceptions) {
      const Rule& rule = candidate.rules[static_cast<std::size_t>(exception.rule)];
      if (rules.count(rule.id) != 0) {
        collector.Add(exception.only_when);
      }
    }
  }
}

std::map<std::string, std::vector<Value>> RepresentativeValues(const std::vector<SweptAtom>& atoms,
                                                               absl::Time at) {
  std::map<std::string, Atoms> by_path;
  for (const SweptAtom& atom : atoms) {
    const FactId fact = atom.condition->fact;
    if (fact == kCounters) {
      by_path[atom.condition->counter].push_back(atom);
    } else if (fact != kOp && fact != kArtifactKind && fact != kAt && fact != kApprovals) {
      by_path[FactTable()[static_cast<std::size_t>(fact)].path].push_back(atom);
    }
  }
  std::map<std::string, std::vector<Value>> values;
  for (const auto& [path, of_fact] : by_path) {
    values[path] = ValuesOf(*FindFactSpec(path), path, of_fact, at);
  }
  return values;
}

}  // namespace carnet::policies
