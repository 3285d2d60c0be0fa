// Who notices a change of a bundle: its loader, one of its cases, or nobody.
#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "mutants.h"
#include "policies/loader.h"
#include "policies/test_runner.h"

namespace carnet::policies::testing {
namespace {

using nlohmann::json;

// What changes no verdict, and why.
const std::map<std::string, std::string>& Equivalent() {
  constexpr char kOther[] =
      "each of the two allows of house grants only what the other grants too, or what needs no "
      "grant: a third kind of flow without people does not exist";
  static const auto& names = *new std::map<std::string, std::string>{
      {"house/operations: without when", kOther},
      {"house/operations: when without artifact.kind", kOther},
      {"house/non-personal: without when", kOther},
      {"house/non-personal: when without data.personal", kOther},
      {"group ear-chip-scope: without ear-a5",
       "no member of A:5 is in D:1, D:4 or D:5 today; the rule names it for the day one is"}};
  return names;
}

json ListOf(const json& value) {
  return value.is_array() ? value : json::array({value});
}

// A reason that no rule of the bundle gives: of a policy that is not there, so that it loads.
std::string Renamed(const std::string& reason, const std::set<std::string>& gone) {
  return gone.count(reason) == 0 ? reason : absl::StrCat("gone", reason.substr(reason.find('/')));
}

// Cases name reasons that no rule gives any more, and would not load. Where a verdict must tell,
// the name is taken away, with what is said about it; a warning or a duty is still expected.
void ForgetIn(const std::set<std::string>& gone, json* test) {
  for (const char* key : {"reason", "not_reason"}) {
    if (!test->contains(key)) {
      continue;
    }
    json kept = ListOf((*test)[key]);
    kept.erase(std::remove_if(kept.begin(), kept.end(),
                              [&gone](const json& reason) {
                                return gone.count(reason.get<std::string>()) > 0;
                              }),
               kept.end());
    if (!kept.empty()) {
      (*test)[key] = std::move(kept);
      continue;
    }
    test->erase(key);
    if (std::string(key) == "reason") {
      test->erase("missing");
      test->erase("exception_possible");
    }
  }
  for (const char* key : {"warns", "shadows", "not_warns", "duty"}) {
    if (!test->contains(key)) {
      continue;
    }
    json named = ListOf((*test)[key]);
    for (json& one : named) {
      json& reason = one.is_object() ? one["rule"] : one;
      reason = Renamed(reason.get<std::string>(), gone);
    }
    (*test)[key] = std::move(named);
  }
}

void Forget(const std::set<std::string>& gone, json* bundle) {
  for (json& suite : (*bundle)["tests"]) {
    for (std::size_t i = 0; suite.contains("cases") && i < suite["cases"].size(); ++i) {
      ForgetIn(gone, &suite["cases"][i]);
    }
  }
}

// Only the tests that see the policy are run, and those of groups where one was changed.
void KeepTestsOf(const Mutant& mutant, json* bundle) {
  json kept = json::array();
  for (json& suite : (*bundle)["tests"]) {
    const json names = ListOf(suite.value("bundle", json::array()));
    if ((mutant.of_group && suite.contains("groups")) ||
        std::find(names.begin(), names.end(), mutant.policy) != names.end()) {
      kept.push_back(std::move(suite));
    }
  }
  (*bundle)["tests"] = std::move(kept);
}

// Keeps the policies that the remaining tests name.
void KeepPoliciesOf(json* bundle) {
  std::set<std::string> named;
  for (const json& suite : (*bundle)["tests"]) {
    const json names = ListOf(suite.value("bundle", json::array()));
    for (const json& name : names) {
      named.insert(name.get<std::string>());
    }
  }
  json kept = json::array();
  for (json& policy : (*bundle)["policies"]) {
    if (named.count(policy["policy"].get<std::string>()) > 0) {
      kept.push_back(std::move(policy));
    }
  }
  (*bundle)["policies"] = std::move(kept);
}

enum class Fate : std::uint8_t { kSurvives, kRefused, kFound };

Fate FateOf(const json& bundle, const Mutant& mutant) {
  json changed = bundle;
  mutant.apply(changed);
  KeepTestsOf(mutant, &changed);
  KeepPoliciesOf(&changed);
  if (!mutant.gone.empty()) {
    Forget(mutant.gone, &changed);
  }
  const auto text = CanonicalJson(changed);
  const auto loaded = text.ok() ? BundleFromJson(*text) : text.status();
  if (!loaded.ok()) {
    return Fate::kRefused;
  }
  const auto report = RunTests(**loaded);
  return report.ok() && report->failed == 0 ? Fate::kSurvives : Fate::kFound;
}

}  // namespace

Unnoticed UnnoticedOf(const json& bundle, const std::vector<Mutant>& mutants) {
  Unnoticed unnoticed;
  for (const Mutant& mutant : mutants) {
    if (Equivalent().count(mutant.name) > 0) {
      continue;
    }
    const Fate fate = FateOf(bundle, mutant);
    if (fate == Fate::kSurvives) {
      unnoticed.survivors.push_back(mutant.name);
    } else if (fate == Fate::kRefused) {
      unnoticed.refused.push_back(mutant.name);
    }
  }
  return unnoticed;
}

}  // namespace carnet::policies::testing
