#include "policies/difference_of_flows.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/condition.h"
#include "policies/evaluate.h"
#include "policies/explain.h"
#include "policies/jurisdictions.h"
#include "policies/operations.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

constexpr std::size_t kNamesMax = 3;  // of a list of places; the rest is counted
constexpr char kNobody[] = "";        // data about no people

struct Movement {
  v1::Operation operation;
  v1::ArtifactKind kind;
};
constexpr Movement kMovements[] = {
    {v1::OPERATION_PLACE, v1::ARTIFACT_KIND_JOB},
    {v1::OPERATION_STAGE_DATA, v1::ARTIFACT_KIND_RAW_DATA},
    {v1::OPERATION_TRAIN, v1::ARTIFACT_KIND_RAW_DATA},
    {v1::OPERATION_SEND_MODEL, v1::ARTIFACT_KIND_MODEL},
    {v1::OPERATION_SEND_DELTA, v1::ARTIFACT_KIND_DELTA},
    {v1::OPERATION_SEND_METRICS, v1::ARTIFACT_KIND_METRICS},
    {v1::OPERATION_AGGREGATE, v1::ARTIFACT_KIND_AGGREGATE},
    {v1::OPERATION_STORE_CHECKPOINT, v1::ARTIFACT_KIND_CHECKPOINT},
    {v1::OPERATION_RELEASE_MODEL, v1::ARTIFACT_KIND_MODEL},
};

// Every code that stands somewhere in a policy or group.
void CollectCodes(const yaml::Node& node, std::set<std::string>* codes) {
  if (node.is_scalar() && CheckJurisdiction(node.text).ok()) {
    codes->insert(node.text);
  }
  for (const yaml::Node& item : node.items) {
    CollectCodes(item, codes);
  }
  for (const yaml::Entry& entry : node.entries) {
    CollectCodes(entry.value, codes);
  }
}

// Places between which no rule of the two bundles can tell a difference.
using PlaceClass = std::vector<std::string>;

class Places {
 public:
  Places(const Bundle& before, const Bundle& after) {
    std::set<std::string> in_rules = {before.home(), after.home()};
    std::set<std::string> all;
    for (const Bundle* bundle : {&before, &after}) {
      for (const Document& document : bundle->source().policies) {
        CollectCodes(document.root, &in_rules);
      }
      if (bundle->source().groups.has_value()) {
        CollectCodes(bundle->source().groups->root, &all);
      }
      for (const auto& aliases : bundle->compiled().aliases) {
        for (const auto& alias : aliases.second) {
          in_rules.insert(alias.first);
        }
      }
    }
    in_rules.erase("");
    all.insert(in_rules.begin(), in_rules.end());
    for (const std::string& code : CountryCodes()) {
      all.insert(code);
    }
    std::map<std::string, PlaceClass> classes;
    for (const std::string& code : all) {
      classes[absl::StrCat(KeyOf(before, code), KeyOf(after, code),
                           in_rules.count(code) > 0 ? code : InRules(in_rules, code))]
          .push_back(code);
    }
    for (auto& entry : classes) {
      classes_.push_back(std::move(entry.second));
    }
  }

  const std::vector<PlaceClass>& classes() const { return classes_; }

 private:
  // A part of a country that rules name is told apart with it.
  static std::string InRules(const std::set<std::string>& in_rules, const std::string& code) {
    const std::string country = code.substr(0, 2);
    return in_rules.count(country) > 0 ? country : "";
  }

  static std::string KeyOf(const Bundle& bundle, const std::string& code) {
    const FactSet nothing;
    const FactView view(bundle.compiled(), nothing, absl::InfinitePast());
    std::string key;
    for (std::size_t i = 0; i < bundle.compiled().groups.size(); ++i) {
      PlaceSet place;
      place.groups.push_back(static_cast<int>(i));
      const Truth held = PlaceIn(code, place, view);
      // What is conditional is conditional on something else for each member.
      key.push_back(static_cast<char>('0' + static_cast<int>(held)));
      if (held == Truth::kUnknown) {
        absl::StrAppend(&key, code);
      }
    }
    return key;
  }

  std::vector<PlaceClass> classes_;
};

void CollectDeniedEvidence(const Condition& condition, std::set<std::string>* words) {
  if (condition.kind == Condition::Kind::kAtom && condition.fact == kEvidence) {
    words->insert(condition.words.begin(), condition.words.end());
  }
  for (const Condition& child : condition.children) {
    CollectDeniedEvidence(child, words);
  }
}

// All evidence that helps and none that a deny rule is about.
std::vector<std::string> EveryPaper(const Bundle& before, const Bundle& after) {
  std::set<std::string> denied;
  for (const Bundle* bundle : {&before, &after}) {
    for (const Policy& policy : bundle->compiled().policies) {
      for (const Rule& rule : policy.rules) {
        if (rule.effect == Effect::kDeny) {
          CollectDeniedEvidence(rule.when, &denied);
        }
      }
    }
  }
  std::vector<std::string> papers;
  for (const EvidenceKind& kind : EvidenceKinds()) {
    if (denied.count(kind.name) == 0) {
      papers.emplace_back(kind.name);
    }
  }
  return papers;
}

// Sets what the operation has; what means nothing for it stays not applicable.
void SetIf(FactSet* facts, FactId fact, Value value) {
  if (facts->Get(fact).kind() != Value::Kind::kNotApplicable) {
    facts->Set(fact, std::move(value)).IgnoreError();
  }
}

// Nothing but the flow itself is against it.
FactSet FactsOfFlow(const Movement& movement, const std::string& subject, const std::string& to,
                    const std::vector<std::string>& papers) {
  FactSet facts = FactsFor(movement.operation, movement.kind);
  facts.SetCountersZero();
  const bool personal = !subject.empty();
  SetIf(&facts, kArtifactAnonymity, Value::Text("none"));
  SetIf(&facts, kArtifactEndToEndEncrypted, Value::YesNo(true));
  SetIf(&facts, kDataPersonal, Value::YesNo(personal));
  SetIf(&facts, kDataSubjectsIn,
        Value::List(personal ? std::vector<std::string>{subject} : std::vector<std::string>{}));
  SetIf(&facts, kDataCategories, Value::List({"public"}));
  SetIf(&facts, kDealKind, Value::Text("compute-rental"));
  SetIf(&facts, kDpEpsilon, Value::Number(0.01));
  SetIf(&facts, kSecaggK, Value::Number(1000));
  SetIf(&facts, kEvidence, Value::List(papers));
  SetIf(&facts, kFromJurisdiction, Value::Text("home"));
  SetIf(&facts, kToJurisdiction, Value::Text(to));
  SetIf(&facts, kToLocationGrade, Value::Text("provider"));
  SetIf(&facts, kKeyHeldIn, Value::Text("home"));
  SetIf(&facts, kModelControlled, Value::YesNo(false));
  SetIf(&facts, kModelExportClass, Value::Text("none"));
  SetIf(&facts, kRoundRepeating, Value::YesNo(true));
  SetIf(&facts, kWorkerAttested, Value::YesNo(true));
  SetIf(&facts, kWorkerMemoryProtected, Value::YesNo(true));
  SetIf(&facts, kWorkerTrainerIsolated, Value::YesNo(true));
  SetIf(&facts, kWorkerChipEccn, Value::Text("none"));
  SetIf(&facts, kRecipientListedOwnerPct, Value::Number(0));
  SetIf(&facts, kRecipientCertifications, Value::List({}));
  for (const FactId place :
       {kRecipientOrganisedIn, kRecipientPrincipalPlace, kRecipientUltimateParent}) {
    SetIf(&facts, place, Value::Text(to));
  }
  SetIf(&facts, kRecipientOwners, Value::Owners({{to, 100}}));
  return facts;
}

// A change of one operation with one class of destinations and one of people.
struct Change {
  bool gain = false;
  bool with_papers = false;
  std::size_t movement = 0;
  std::size_t subjects = 0;  // position in the classes; one past them: nobody
};

class Sweep {
 public:
  Sweep(const Bundle& before, const Bundle& after, absl::Time at)
      : before_(before),
        after_(after),
        at_(at),
        places_(before, after),
        papers_(EveryPaper(before, after)) {}

  void Run() {
    for (std::size_t to = 0; to < places_.classes().size(); ++to) {
      std::vector<Change> changes;
      for (std::size_t movement = 0; movement < std::size(kMovements); ++movement) {
        for (std::size_t subjects = 0; subjects <= places_.classes().size(); ++subjects) {
          Try(to, movement, subjects, &changes);
        }
      }
      if (!changes.empty()) {
        Note(to, changes);
      }
    }
  }

  std::vector<std::string> Sentences(bool gain) const {
    std::vector<std::string> sentences;
    for (const auto& [what, destinations] : destinations_) {
      if (what.first == gain) {
        const std::vector<std::string> names = NamesOf(destinations);
        sentences.push_back(absl::StrCat(Listed(names), " ", Verb(names.size() == 1, gain), ": ",
                                         what.second, "."));
      }
    }
    std::sort(sentences.begin(), sentences.end());
    return sentences;
  }

 private:
  static std::string Verb(bool one, bool gain) {
    return gain ? (one ? "gains" : "gain") : (one ? "loses" : "lose");
  }

  bool Allows(const Bundle& bundle, const FactSet& facts) const {
    return Evaluate(bundle, facts, at_).verdict() == v1::VERDICT_ALLOW;
  }

  void Try(std::size_t to, std::size_t movement, std::size_t subjects,
           std::vector<Change>* changes) const {
    const std::vector<PlaceClass>& classes = places_.classes();
    const std::string subject = subjects < classes.size() ? classes[subjects].front() : kNobody;
    for (const bool with_papers : {false, true}) {
      const FactSet facts = FactsOfFlow(kMovements[movement], subject, classes[to].front(),
                                        with_papers ? papers_ : std::vector<std::string>{});
      const bool then = Allows(before_, facts);
      const bool now = Allows(after_, facts);
      if (then != now) {
        changes->push_back({now, with_papers, movement, subjects});
        return;
      }
    }
  }

  // Operations with the same people and papers are one sentence.
  void Note(std::size_t to, const std::vector<Change>& changes) {
    std::map<std::tuple<bool, bool, std::size_t>, std::vector<std::size_t>> people;
    for (const Change& change : changes) {
      people[{change.gain, change.with_papers, change.movement}].push_back(change.subjects);
    }
    std::map<std::tuple<bool, bool, std::vector<std::size_t>>, std::vector<std::string>> movements;
    for (const auto& [key, subjects] : people) {
      const auto& [gain, with_papers, movement] = key;
      movements[{gain, with_papers, subjects}].push_back(
          OperationName(kMovements[movement].operation));
    }
    for (const auto& [key, names] : movements) {
      const auto& [gain, with_papers, subjects] = key;
      destinations_[{gain, absl::StrCat(absl::StrJoin(names, ", "), " of ", DataOf(subjects),
                                        with_papers ? ", with all papers" : ", without papers")}]
          .push_back(to);
    }
  }

  std::vector<std::string> NamesOf(const std::vector<std::size_t>& positions) const {
    std::vector<std::string> names;
    for (const std::size_t position : positions) {
      for (const std::string& code : places_.classes()[position]) {
        names.push_back(JurisdictionNameAndCode(code));
      }
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  static std::string Listed(const std::vector<std::string>& names) {
    if (names.size() <= kNamesMax) {
      return absl::StrJoin(names, ", ");
    }
    const std::vector<std::string> first(names.begin(), names.begin() + kNamesMax);
    return absl::StrCat(absl::StrJoin(first, ", "), " and ", names.size() - kNamesMax,
                        " more places");
  }

  std::string DataOf(const std::vector<std::size_t>& subjects) const {
    std::vector<std::size_t> people = subjects;
    const auto nobody = std::find(people.begin(), people.end(), places_.classes().size());
    const bool other_data = nobody != people.end();
    if (other_data) {
      people.erase(nobody);
    }
    if (people.empty()) {
      return "data about no people";
    }
    return absl::StrCat(other_data ? "data about no people, and of " : "",
                        "personal data about people in ", Listed(NamesOf(people)));
  }

  const Bundle& before_;
  const Bundle& after_;
  absl::Time at_;
  Places places_;
  std::vector<std::string> papers_;
  std::map<std::pair<bool, std::string>, std::vector<std::size_t>> destinations_;
};

}  // namespace

void CompareFlows(const Bundle& before, const Bundle& after, absl::Time at,
                  std::vector<std::string>* gains, std::vector<std::string>* losses) {
  Sweep sweep(before, after, at);
  sweep.Run();
  *gains = sweep.Sentences(true);
  *losses = sweep.Sentences(false);
}

}  // namespace carnet::policies
