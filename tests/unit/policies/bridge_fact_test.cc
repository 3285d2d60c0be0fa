// Where a bundle may ask for the word of the organisation's own Open Policy Agent: where it can
// only refuse.
#include "testing.h"

namespace carnet::policies {
namespace {

constexpr char kYes[] = "{bridge.opa: {is: allow}}";
constexpr char kRefused[] = "the word of Open Policy Agent can refuse, and grant nothing";

std::string ErrorOf(const std::vector<std::string>& texts) {
  const auto bundle = TryLoad(texts);
  return bundle.ok() ? "loaded" : std::string(bundle.status().message());
}

std::string OfGuardrail(const std::string& rest) {
  return ErrorOf({"home: DE\ngroups: {eea: {members: [DE, FR]}}\n", House(), Guardrail("g", rest)});
}

TEST_CASE("Bridge fact: a guardrail denies and requires by it") {
  for (const std::string& rule :
       {absl::StrCat("{id: r, effect: deny, when: {bridge.opa: {is_not: allow}}}"),
        absl::StrCat("{id: r, effect: deny, floor: yes, when: {any: [{bridge.opa: {is: deny}}]}}"),
        absl::StrCat("{id: r, effect: require, when: {op: {is: train}}, require: [{id: w, check: ",
                     kYes, "}]}"),
        absl::StrCat("{id: r, effect: require, when: {bridge.opa: {is: deny}}, require: [{id: w, "
                     "check: {evidence: {has: tia}}}]}")}) {
    CAPTURE(rule);
    CHECK(OfGuardrail(absl::StrCat("rules:\n  - ", rule, "\n")) == "loaded");
  }
}

TEST_CASE("Bridge fact: nothing that grants reads it") {
  const std::string deny = "rules:\n  - {id: r, effect: deny, when: {op: {is: train}}}\n";
  for (const std::string& rest :
       {absl::StrCat("applies_when: ", kYes, "\n", deny),
        absl::StrCat("unless: ", kYes, "\n", deny),
        absl::StrCat("terms: {said: ", kYes, "}\n", deny),
        absl::StrCat("rules:\n  - {id: r, effect: deny, when: {op: {is: train}}, unless: ", kYes,
                     "}\n"),
        absl::StrCat("rules:\n  - {id: r, effect: require, unless: ", kYes,
                     ", require: [{id: w, check: {evidence: {has: tia}}}]}\n"),
        absl::StrCat("rules:\n  - {id: r, effect: allow, when: ", kYes, "}\n"),
        absl::StrCat("rules:\n  - {id: r, effect: declassify, removes: [personal], when: ", kYes,
                     "}\n"),
        absl::StrCat("rules:\n  - {id: r, effect: limit, count: people.DE.health, window: 30d, "
                     "ceiling: 5, when: ",
                     kYes, "}\n"),
        absl::StrCat(deny, "exceptions: [{id: E, lifts: r, only_when: ", kYes,
                     ", ticket: T, valid: {from: 2026-01-01, to: 2026-02-01}}]\n")}) {
    CAPTURE(rest);
    CHECK_THAT(OfGuardrail(rest), Catch::Contains(kRefused));
  }
}

TEST_CASE("Bridge fact: no regime reads it, and no group has members by it") {
  for (const std::string& rule :
       {absl::StrCat("{id: r, effect: allow, when: ", kYes, "}"),
        absl::StrCat("{id: r, effect: allow, require: [{id: w, check: ", kYes, "}]}"),
        absl::StrCat("{id: r, effect: deny, when: ", kYes, "}"),
        absl::StrCat("{id: r, effect: require, require: [{id: w, check: ", kYes, "}]}")}) {
    CAPTURE(rule);
    CHECK_THAT(ErrorOf({"home: DE\ngroups: {eea: {members: [DE, FR]}}\n", House(),
                        Regime("p", "no personal data",
                               absl::StrCat("rules:\n  - {id: yes-too, effect: allow, when: {op: "
                                            "{is: train}}}\n  - ",
                                            rule, "\n"))}),
               Catch::Contains(kRefused));
  }
  CHECK_THAT(ErrorOf({absl::StrCat("home: DE\ngroups: {near: {members: [FR], conditional: [{code: "
                                   "US, when: ",
                                   kYes, "}]}}\n"),
                      House()}),
             Catch::Contains(kRefused));
}

}  // namespace
}  // namespace carnet::policies
