#include "policies/sweep_values.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "policies/condition.h"
#include "policies/jurisdictions.h"

namespace carnet::policies {
namespace {

// Words named by rules up to which every set of them is tried; beyond, none, each, every pair, all
// but one, and all.
constexpr std::size_t kSubsetWordsMax = 6;
// Places told apart up to which every pair, and every three of them, are tried.
constexpr std::size_t kPairPlacesMax = 32;
constexpr std::size_t kTriplePlacesMax = 12;

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

// Comparisons that differ; both bundles hold most of them.
std::size_t Differing(const Atoms& atoms) {
  std::set<std::pair<Operator, std::string>> differing;
  for (const SweptAtom& atom : atoms) {
    differing.emplace(atom.condition->op, atom.condition->literal);
  }
  return differing.size();
}

// False: some sets of places that the atoms could tell apart were not tried. Of n comparisons no
// more than n places decide.
bool TryPlaceLists(const Atoms& atoms, Representatives* representatives) {
  representatives->Try(Value::List({}));
  for (const std::string& code : Codes(atoms)) {
    representatives->Try(Value::List({code}));
  }
  std::vector<std::string> places;
  for (const Value& single : representatives->values()) {
    if (!single.list().empty()) {
      places.push_back(single.list().front());
    }
  }
  const std::size_t pairs = std::min(places.size(), kPairPlacesMax);
  for (std::size_t i = 0; i < pairs; ++i) {
    for (std::size_t j = i + 1; j < pairs; ++j) {
      representatives->Try(Value::List({places[i], places[j]}));
      for (std::size_t k = j + 1; k < places.size() && places.size() <= kTriplePlacesMax; ++k) {
        representatives->Try(Value::List({places[i], places[j], places[k]}));
      }
    }
  }
  const std::size_t comparisons = Differing(atoms);
  return places.size() <= 1 || comparisons == 1 ||
         (comparisons == 2 && places.size() <= kPairPlacesMax) ||
         (comparisons == 3 && places.size() <= kTriplePlacesMax);
}

std::vector<std::string> Without(std::vector<std::string> words, std::size_t position) {
  words.erase(words.begin() + static_cast<std::ptrdiff_t>(position));
  return words;
}

// False: not every set of the words was tried.
bool TryWordLists(const std::vector<std::string>& words, Representatives* representatives) {
  representatives->Try(Value::List({}));
  if (words.size() > kSubsetWordsMax) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      representatives->Try(Value::List({words[i]}));
      representatives->Try(Value::List(Without(words, i)));
      for (std::size_t j = i + 1; j < words.size(); ++j) {
        representatives->Try(Value::List({words[i], words[j]}));
      }
    }
    representatives->Try(Value::List(words));
    return false;
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
  return true;
}

// The bounds, a number between each two that follow one another, and one below and above all.
std::vector<double> NumbersAround(const Atoms& atoms) {
  std::set<double> bounds;
  for (const SweptAtom& atom : atoms) {
    bounds.insert(atom.condition->number);
  }
  std::vector<double> numbers;
  for (auto bound = bounds.begin(); bound != bounds.end(); ++bound) {
    numbers.push_back(*bound);
    const auto next = std::next(bound);
    numbers.push_back(next == bounds.end() ? *bound + 1 : (*bound + *next) / 2);
  }
  if (!bounds.empty()) {
    numbers.push_back(*bounds.begin() / 2);
    numbers.push_back(std::max(0.0, *bounds.begin() - 1));
  }
  return numbers;
}

// False: owners at several places together were not tried, and more than one comparison reads them.
bool TryOwners(const Atoms& atoms, Representatives* representatives) {
  representatives->Try(Value::Owners({}));
  const std::vector<double> numbers = NumbersAround(atoms);
  for (const std::string& code : Codes(atoms)) {
    representatives->Try(Value::Owners({{code, 100}}));
    for (const double number : numbers) {
      representatives->Try(Value::Owners({{code, number}}));
    }
  }
  return Differing(atoms) == 1;
}

std::vector<Value> ValuesOf(const FactSpec& spec, const std::string& path, const Atoms& atoms,
                            absl::Time at, std::set<std::string>* cut) {
  Representatives representatives(atoms, path, at);
  bool whole = true;
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
      whole = TryPlaceLists(atoms, &representatives);
      break;
    case FactType::kName:
      representatives.Try(Value::Text("somebody-else"));
      for (const std::string& word : Words(atoms)) {
        representatives.Try(Value::Text(word));
      }
      break;
    case FactType::kNumber:
      for (const double number : NumbersAround(atoms)) {
        representatives.Try(Value::Number(number));
      }
      break;
    case FactType::kWords:
      whole = TryWordLists(Words(atoms), &representatives);
      break;
    case FactType::kOwners:
      whole = TryOwners(atoms, &representatives);
      break;
    default:
      break;
  }
  representatives.Try(Value::Unknown());
  if (!whole) {
    cut->insert(path);
  }
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
                                                               absl::Time at,
                                                               std::set<std::string>* cut) {
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
    values[path] = ValuesOf(*FindFactSpec(path), path, of_fact, at, cut);
  }
  return values;
}

}  // namespace carnet::policies
