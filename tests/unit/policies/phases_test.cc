// What a person approves, and what is to be done afterwards.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crypto/hash.h"
#include "policies/exceptions.h"
#include "policies/explain.h"
#include "policies/test_runner.h"
#include "testing.h"

namespace carnet::policies {
namespace {

constexpr char kSignOff[] =
    "rules:\n"
    "  - id: abroad\n"
    "    effect: require\n"
    "    when: {to.jurisdiction: {is: SG}}\n"
    "    require:\n"
    "      - {id: sign-off, phase: approval, from: [legal, dpo], need: 2}\n"
    "      - {id: dossier, phase: post, duty: File the dossier., of: legal, within: 60d}\n";

FactSet ApprovedBy(const std::vector<Approval>& approvals) {
  FactSet facts = PlainModel();
  REQUIRE(facts.Set("approvals", Value::Approvals(approvals)).ok());
  return facts;
}

std::string ErrorOf(const std::string& item) {
  const auto bundle = TryLoad({House(), Guardrail("p",
                                                  "rules:\n  - id: r\n    effect: require\n    "
                                                  "require: [" +
                                                      item + "]\n")});
  return bundle.ok() ? "loaded" : std::string(bundle.status().message());
}

TEST_CASE("Approval: only persons missing is a hold, and says whose word is missing") {
  const auto bundle = Load({House(), Guardrail("p", kSignOff)});
  const v1::Decision none = Evaluate(*bundle, PlainModel(), Noon());
  CHECK(none.verdict() == v1::VERDICT_HOLD);
  REQUIRE(none.failures_size() == 1);
  CHECK(none.failures(0).reason() == "p/abroad.sign-off");
  CHECK(none.failures(0).hold());
  CHECK_FALSE(none.failures(0).forbidden());
  CHECK(none.failures(0).approval_need() == 2);
  REQUIRE(none.failures(0).approval_from_size() == 2);
  CHECK(none.failures(0).approval_from(0) == "dpo");
  CHECK(none.failures(0).approval_from(1) == "legal");
  CHECK(none.failures(0).missing_facts().empty());
  CHECK(none.failures(0).fix() == "Ask for the approval by 2 persons of dpo, legal.");
  CHECK(none.obligations().empty());
  CHECK_THAT(ExplainLine(none), Catch::Contains("waiting for a person: 0 of 2 approvals given"));

  const v1::Decision half =
      Evaluate(*bundle, ApprovedBy({{"p/abroad.sign-off", "u-1", "dpo"}}), Noon());
  CHECK(half.verdict() == v1::VERDICT_HOLD);
  REQUIRE(half.failures(0).approved_by_size() == 1);
  CHECK(half.failures(0).approved_by(0) == "u-1");
}

TEST_CASE("Approval: enough different persons in the right roles let it pass") {
  const auto bundle = Load({House(), Guardrail("p", kSignOff)});
  const Approval first{"p/abroad.sign-off", "u-1", "dpo"};
  const v1::Decision both =
      Evaluate(*bundle, ApprovedBy({first, {"p/abroad.sign-off", "u-2", "legal"}}), Noon());
  CHECK(both.verdict() == v1::VERDICT_ALLOW);
  CHECK(Evaluate(*bundle, ApprovedBy({first, {"job", "u-2", "legal"}}), Noon()).verdict() ==
        v1::VERDICT_ALLOW);
  const std::vector<Approval> useless = {{"p/abroad.sign-off", "u-1", "legal"},  // the same person
                                         {"p/abroad.sign-off", "u-2", "admin"},  // another role
                                         {"p/abroad.dossier", "u-2", "dpo"},     // another item
                                         {"q/abroad.sign-off", "u-2", "dpo"}};   // another policy
  for (const Approval& second : useless) {
    CAPTURE(second.rule, second.person, second.role);
    CHECK(Evaluate(*bundle, ApprovedBy({first, second}), Noon()).verdict() == v1::VERDICT_HOLD);
  }
}

TEST_CASE("Approval: with anything else missing it is a denial") {
  const auto bundle = Load({House(), Guardrail("p", kSignOff),
                            Guardrail("q", "rules:\n  - {id: never, effect: deny}\n")});
  const v1::Decision decision = Evaluate(*bundle, PlainModel(), Noon());
  CHECK(decision.verdict() == v1::VERDICT_DENY);
  CHECK(Reasons(decision) == Texts{"p/abroad.sign-off", "q/never"});
}

TEST_CASE("Approval: one that an allow asks for holds too, in a regime and in the house") {
  const std::string allow =
      "rules:\n  - id: ok\n    effect: allow\n    require: [{id: chief, phase: approval, from: "
      "[dpo], need: 1}]\n";
  const auto house = Load({Regime("house", "no personal data", allow)});
  CHECK(Evaluate(*house, PlainModel(), Noon()).verdict() == v1::VERDICT_HOLD);
  CHECK(Reasons(Evaluate(*house, PlainModel(), Noon())) == Texts{"house/ok.chief"});
  CHECK(Evaluate(*house, ApprovedBy({{"house/ok.chief", "u-1", "dpo"}}), Noon()).verdict() ==
        v1::VERDICT_ALLOW);

  const auto regime = Load({House(), Regime("gdpr", "{subjects_in: [DE]}", allow)});
  FactSet facts = PlainModel();
  REQUIRE(facts.Set("data.personal", Value::YesNo(true)).ok());
  REQUIRE(facts.Set("data.subjects_in", Value::List({"DE"})).ok());
  CHECK(Evaluate(*regime, facts, Noon()).verdict() == v1::VERDICT_HOLD);
  REQUIRE(facts.Set("approvals", Value::Approvals({{"gdpr/ok.chief", "u-1", "dpo"}})).ok());
  CHECK(Evaluate(*regime, facts, Noon()).verdict() == v1::VERDICT_ALLOW);
}

TEST_CASE("Approval: an exception that asks for persons lifts nothing before they said so") {
  const auto bundle =
      Load({House(),
            Guardrail("p",
                      "rules:\n  - {id: never, effect: deny}\nexceptions:\n  - {id: E-1, lifts: "
                      "never, only_when: {to.jurisdiction: {is: SG}}, ticket: T, valid: {from: "
                      "2026-11-01, to: 2026-12-01}, approvals: {need: 1, from: [dpo]}}\n")});
  CHECK(Evaluate(*bundle, PlainModel(), Noon()).verdict() == v1::VERDICT_DENY);
  CHECK(Evaluate(*bundle, ApprovedBy({{"job", "u-1", "dpo"}}), Noon()).verdict() ==
        v1::VERDICT_DENY);
  const v1::Decision approved = Evaluate(*bundle, ApprovedBy({{"p/E-1", "u-1", "dpo"}}), Noon());
  CHECK(approved.verdict() == v1::VERDICT_ALLOW);
  CHECK(approved.exceptions(0) == "E-1");
}

TEST_CASE("Post: what is allowed says what is to be done afterwards, by whom and until when") {
  const auto bundle = Load({House(), Guardrail("p", kSignOff)});
  const v1::Decision decision = Evaluate(
      *bundle,
      ApprovedBy({{"p/abroad.sign-off", "u-1", "dpo"}, {"p/abroad.sign-off", "u-2", "dpo"}}),
      Noon());
  REQUIRE(decision.obligations_size() == 1);
  const v1::Obligation& duty = decision.obligations(0);
  CHECK(duty.phase() == "post");
  CHECK(duty.rule() == "p/abroad.dossier");
  CHECK(duty.duty() == "File the dossier.");
  CHECK(duty.of() == "legal");
  CHECK(duty.within_seconds() == 60U * 24 * 3600);
  CHECK_THAT(Explain(decision, Reader::kTeam),
             Catch::Contains("and afterwards, within 60d, legal: File the dossier."));
}

TEST_CASE("Post: several duties stand side by side with the duties of the round") {
  const auto bundle = Load(
      {House(), Guardrail("p",
                          "rules:\n  - id: r\n    effect: require\n    require:\n"
                          "      - {id: a, phase: post, duty: A, of: dpo, within: 24h}\n"
                          "      - {id: b, phase: post, duty: B, of: dpo, within: 2d}\n"
                          "      - {id: k, phase: runtime, check: {secagg.k: {at_least: 2}}}\n")});
  FactSet facts = PlainModel();
  REQUIRE(facts.Set("secagg.k", Value::Number(3)).ok());
  const v1::Decision decision = Evaluate(*bundle, facts, Noon());
  REQUIRE(decision.obligations_size() == 3);
  CHECK(decision.obligations(0).kind() == "secagg.k");
  CHECK(decision.obligations(1).bound() == "within 1d");
  CHECK(decision.obligations(2).bound() == "within 2d");
}

TEST_CASE("Post: a case can ask for a duty, and states approvals like any fact") {
  const auto bundle =
      Load({House(), Guardrail("p", kSignOff),
            "tests: t\nat: 2026-11-21T09:00:00Z\n"
            "base: {op: send_model, artifact.kind: model, data.personal: no, data.subjects_in: [], "
            "to.jurisdiction: SG}\ncases:\n"
            "  - {name: nobody approved, expect: hold, reason: p/abroad.sign-off}\n"
            "  - name: two did\n"
            "    set:\n"
            "      approvals:\n"
            "        - {rule: p/abroad.sign-off, person: anna, role: dpo}\n"
            "        - {rule: p/abroad.sign-off, person: ben, role: legal}\n"
            "    expect: allow\n"
            "    duty: p/abroad.dossier\n"
            "  - {name: elsewhere, set: {to.jurisdiction: DE}, expect: allow, duty: "
            "p/abroad.dossier}\n"});
  const auto report = RunTests(*bundle);
  REQUIRE(report.ok());
  REQUIRE(report->outcomes.size() == 3);
  CHECK(report->outcomes[0].passed);
  CHECK(report->outcomes[1].passed);
  CHECK_FALSE(report->outcomes[2].passed);  // no duty there
  const FactSet read = Facts(R"({"approvals":[{"person":"a","role":"dpo","rule":"p/r.i"}]})");
  CHECK(read.CanonicalJson() == R"({"approvals":[{"person":"a","role":"dpo","rule":"p/r.i"}]})");
}

TEST_CASE("Phases: mistakes are named with a hint") {
  CHECK(ErrorOf("{id: i, phase: approval, from: [dpo], need: 1}") == "loaded");
  CHECK(ErrorOf("{id: i, phase: post, duty: D, of: dpo, within: 24h}") == "loaded");
  CHECK_THAT(ErrorOf("{id: i, phase: approval, from: [dpo]}"), Catch::Contains("has no 'need'"));
  CHECK_THAT(ErrorOf("{id: i, phase: approval, need: 1}"), Catch::Contains("has no 'from'"));
  CHECK_THAT(ErrorOf("{id: i, phase: approval, from: [], need: 1}"), Catch::Contains("no role"));
  CHECK_THAT(ErrorOf("{id: i, phase: approval, from: [a b], need: 1}"), Catch::Contains("no role"));
  for (const char* need : {"0", "17", "1.5", "two"}) {
    CHECK_THAT(ErrorOf(absl::StrCat("{id: i, phase: approval, from: [dpo], need: ", need, "}")),
               Catch::Contains("no number of persons"));
  }
  CHECK_THAT(ErrorOf("{id: i, phase: approval, from: [dpo], need: 1, check: {op: {is: train}}}"),
             Catch::Contains("unknown key 'check'"));
  CHECK_THAT(ErrorOf("{id: i, phase: post, of: dpo, within: 1d}"), Catch::Contains("no 'duty'"));
  CHECK_THAT(ErrorOf("{id: i, phase: post, duty: D, within: 1d}"), Catch::Contains("has no 'of'"));
  CHECK_THAT(ErrorOf("{id: i, phase: post, duty: D, of: dpo}"), Catch::Contains("no 'within'"));
  for (const char* within : {"0d", "5", "soon", "9999d", "1w"}) {
    CHECK_THAT(
        ErrorOf(absl::StrCat("{id: i, phase: post, duty: D, of: dpo, within: ", within, "}")),
        Catch::Contains("no span of time"));
  }
  CHECK_THAT(ErrorOf("{id: i, phase: later, check: {op: {is: train}}}"),
             Catch::Contains("'phase' is 'later'"));
  CHECK_THAT(ErrorOf("{id: i, check: {approvals: {has: dpo}}}"),
             Catch::Contains("no condition reads approvals"));
}

TEST_CASE("Approval: what persons sign of each exception is made once, when a bundle is loaded") {
  std::string rest = "rules:\n  - {id: r, effect: deny}\nexceptions:\n";
  for (int i = 0; i < 50; ++i) {
    absl::StrAppend(&rest, "  - {id: E-", i, ", lifts: r, only_when: {job.id: {is: job-", i,
                    "}}, ticket: L-1, valid: {from: 2026-11-01, to: 2026-11-30}}\n");
  }
  const auto bundle = Load({House(), Guardrail("p", rest)});
  const std::vector<ApprovedException>& exceptions = ExceptionsOf(*bundle);
  REQUIRE(exceptions.size() == 50);
  CHECK(&ExceptionsOf(*bundle) == &exceptions);
  CHECK(ExceptionsOf(*bundle->ValidForEver()).size() == 50);
  for (const ApprovedException& exception : exceptions) {
    CHECK(exception.subject == crypto::Sha256(AsBytes(*ExceptionTerms(*bundle, exception.name))));
    CHECK(exception.from == std::vector<std::string>{"compliance"});
    CHECK(FindException(*bundle, exception.name)->subject == exception.subject);
  }
  CHECK_FALSE(FindException(*bundle, "p/E-50").has_value());
}

}  // namespace
}  // namespace carnet::policies
