// Changes of the bundle in force, for a compliance office to propose.
#ifndef CARNET_TESTS_SCENARIO_POLICY_CHANGES_H_
#define CARNET_TESTS_SCENARIO_POLICY_CHANGES_H_

#include <nlohmann/json.hpp>
#include <string>

#include "scenario/policy_office.h"

namespace carnet::coordinator {

// One more country may have it: a change of gdpr-chapter-v alone, which asks for 2 of dpo, legal.
inline nlohmann::json Looser(const PolicyOffice& office) {
  nlohmann::json bundle = office.Json();
  PolicyOffice::Policy(bundle, "gdpr-chapter-v")["rules"].push_back(
      {{"id", "pilot"}, {"effect", "allow"}, {"when", {{"to.jurisdiction", {{"is", "AE"}}}}}});
  return bundle;
}

// zz-locked, a guardrail that lets nothing train: `from` alone approves changes of it. Compliance
// may propose them, because the author must be able to write it at all.
inline nlohmann::json Locked(const PolicyOffice& office, const std::string& from) {
  nlohmann::json bundle = office.Json();
  bundle["policies"].push_back(
      {{"policy", "zz-locked"},
       {"kind", "guardrail"},
       {"title", "Nothing moves"},
       {"approvals",
        {{"propose", nlohmann::json::array({"compliance"})},
         {"need", "1"},
         {"from", nlohmann::json::array({from})}}},
       {"effective", {{"from", "2026-01-01"}}},
       {"rules", {{{"id", "never"}, {"effect", "deny"}, {"when", {{"op", {{"is", "train"}}}}}}}}});
  return bundle;
}

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_POLICY_CHANGES_H_
