#include "policies/situations.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "policies/condition.h"
#include "policies/jurisdictions.h"
#include "policies/operations.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

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

// A part of a country that rules name is told apart with it.
std::string InRules(const std::set<std::string>& in_rules, const std::string& code) {
  const std::string country = code.substr(0, 2);
  return in_rules.count(country) > 0 ? country : "";
}

std::string KeyOf(const Bundle& bundle, const std::string& code) {
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

void CollectDeniedEvidence(const Condition& condition, std::set<std::string>* words) {
  if (condition.kind == Condition::Kind::kAtom && condition.fact == kEvidence) {
    words->insert(condition.words.begin(), condition.words.end());
  }
  for (const Condition& child : condition.children) {
    CollectDeniedEvidence(child, words);
  }
}

}  // namespace

const std::vector<Movement>& Movements() {
  static const auto* const movements = new std::vector<Movement>{
      {v1::OPERATION_PLACE, v1::ARTIFACT_KIND_JOB},
      {v1::OPERATION_STAGE_DATA, v1::ARTIFACT_KIND_RAW_DATA},
      {v1::OPERATION_TRAIN, v1::ARTIFACT_KIND_RAW_DATA},
      {v1::OPERATION_SEND_MODEL, v1::ARTIFACT_KIND_MODEL},
      {v1::OPERATION_SEND_DELTA, v1::ARTIFACT_KIND_DELTA},
      {v1::OPERATION_SEND_METRICS, v1::ARTIFACT_KIND_METRICS},
      {v1::OPERATION_AGGREGATE, v1::ARTIFACT_KIND_AGGREGATE},
      {v1::OPERATION_STORE_CHECKPOINT, v1::ARTIFACT_KIND_CHECKPOINT},
      {v1::OPERATION_RESUME, v1::ARTIFACT_KIND_CHECKPOINT},
      {v1::OPERATION_USE_KEY, v1::ARTIFACT_KIND_KEY},
      {v1::OPERATION_USE_KEY, v1::ARTIFACT_KIND_MODEL},
      {v1::OPERATION_RELEASE_MODEL, v1::ARTIFACT_KIND_MODEL},
      {v1::OPERATION_READ_LOG, v1::ARTIFACT_KIND_LOG},
  };
  return *movements;
}

PlaceClasses::PlaceClasses(const Bundle& before, const Bundle& after) {
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

void SetIfApplicable(FactSet* facts, FactId fact, Value value) {
  if (facts->Get(fact).kind() != Value::Kind::kNotApplicable) {
    facts->Set(fact, std::move(value)).IgnoreError();
  }
}

FactSet NeutralFacts(const Movement& movement, const std::string& subject, const std::string& to,
                     const std::vector<std::string>& papers) {
  FactSet facts = FactsFor(movement.operation, movement.kind);
  facts.SetCountersZero();
  const bool personal = !subject.empty();
  SetIfApplicable(&facts, kArtifactAnonymity, Value::Text("none"));
  SetIfApplicable(&facts, kArtifactEndToEndEncrypted, Value::YesNo(true));
  SetIfApplicable(&facts, kDataPersonal, Value::YesNo(personal));
  SetIfApplicable(
      &facts, kDataSubjectsIn,
      Value::List(personal ? std::vector<std::string>{subject} : std::vector<std::string>{}));
  SetIfApplicable(&facts, kDataCategories, Value::List({"public"}));
  SetIfApplicable(&facts, kDealKind, Value::Text("compute-rental"));
  SetIfApplicable(&facts, kDpEpsilon, Value::Number(0.01));
  SetIfApplicable(&facts, kSecaggK, Value::Number(1000));
  SetIfApplicable(&facts, kEvidence, Value::List(papers));
  SetIfApplicable(&facts, kFromJurisdiction, Value::Text("home"));
  SetIfApplicable(&facts, kToJurisdiction, Value::Text(to));
  SetIfApplicable(&facts, kToLocationGrade, Value::Text("provider"));
  SetIfApplicable(&facts, kKeyHeldIn, Value::Text("home"));
  SetIfApplicable(&facts, kModelControlled, Value::YesNo(false));
  SetIfApplicable(&facts, kModelExportClass, Value::Text("none"));
  SetIfApplicable(&facts, kRoundRepeating, Value::YesNo(true));
  SetIfApplicable(&facts, kWorkerAttested, Value::YesNo(true));
  SetIfApplicable(&facts, kWorkerMemoryProtected, Value::YesNo(true));
  SetIfApplicable(&facts, kWorkerTrainerIsolated, Value::YesNo(true));
  SetIfApplicable(&facts, kWorkerChipEccn, Value::Text("none"));
  SetIfApplicable(&facts, kRecipientListedOwnerPct, Value::Number(0));
  SetIfApplicable(&facts, kRecipientCertifications, Value::List({}));
  for (const FactId place :
       {kRecipientOrganisedIn, kRecipientPrincipalPlace, kRecipientUltimateParent}) {
    SetIfApplicable(&facts, place, Value::Text(to));
  }
  SetIfApplicable(&facts, kRecipientOwners, Value::Owners({{to, 100}}));
  return facts;
}

}  // namespace carnet::policies
