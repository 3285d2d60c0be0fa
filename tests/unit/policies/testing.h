// Small bundles and facts for the tests of policies/.
#ifndef CARNET_TESTS_UNIT_POLICIES_TESTING_H_
#define CARNET_TESTS_UNIT_POLICIES_TESTING_H_

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "policies/dates.h"
#include "policies/evaluate.h"
#include "policies/facts.h"
#include "policies/loader.h"

namespace carnet::policies {

inline constexpr char kHead[] =
    "approvals: {propose: [compliance], need: 1, from: [compliance]}\n"
    "effective: {from: 2026-01-01}\n";

// A guardrail with these rules.
inline std::string Guardrail(const std::string& name, const std::string& rest) {
  return absl::StrCat("policy: ", name, "\nkind: guardrail\ntitle: The ", name, " rules\n", kHead,
                      rest);
}

// A regime that covers `covers` with these rules.
inline std::string Regime(const std::string& name, const std::string& covers,
                          const std::string& rest) {
  return absl::StrCat("policy: ", name, "\nkind: regime\ntitle: The ", name,
                      " regime\ncovers: ", covers, "\n", kHead, rest);
}

// Says yes to everything where no personal data is concerned.
inline std::string House() {
  return Regime("house", "no personal data", "rules:\n  - {id: yes-indeed, effect: allow}\n");
}

inline absl::StatusOr<std::shared_ptr<const Bundle>> TryLoad(
    const std::vector<std::string>& texts) {
  std::vector<SourceFile> files;
  for (const std::string& text : texts) {
    files.push_back({absl::StrCat("f", files.size(), ".yaml"), text});
  }
  return BundleFromFiles(files);
}

inline std::shared_ptr<const Bundle> Load(const std::vector<std::string>& texts) {
  const auto bundle = TryLoad(texts);
  INFO(bundle.status().ToString());
  REQUIRE(bundle.ok());
  return *bundle;
}

inline absl::Time At(const std::string& text) {
  const auto at = ParseInstant(text);
  REQUIRE(at.ok());
  return *at;
}

inline absl::Time Noon() {
  return At("2026-11-21T12:00:00Z");
}

inline FactSet Facts(const std::string& json) {
  const auto facts = FactSet::FromJson(json);
  INFO(facts.status().ToString());
  REQUIRE(facts.ok());
  return *facts;
}

// A model without personal data on its way to Singapore.
inline FactSet PlainModel() {
  return Facts(R"({"op":"send_model","artifact.kind":"model","data.personal":"no",
                   "data.subjects_in":[],"to.jurisdiction":"SG"})");
}

inline std::vector<std::string> Reasons(const v1::Decision& decision) {
  std::vector<std::string> reasons;
  for (const v1::Failure& failure : decision.failures()) {
    reasons.push_back(failure.reason());
  }
  return reasons;
}

inline std::vector<std::string> Warnings(const v1::Decision& decision) {
  std::vector<std::string> reasons;
  for (const v1::Failure& failure : decision.warnings()) {
    reasons.push_back(failure.reason());
  }
  return reasons;
}

using Texts = std::vector<std::string>;

}  // namespace carnet::policies

#endif  // CARNET_TESTS_UNIT_POLICIES_TESTING_H_
