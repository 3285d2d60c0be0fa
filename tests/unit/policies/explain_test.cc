// Golden texts: what people read is part of the contract.
#include "policies/explain.h"

#include <catch2/catch.hpp>

#include "policies/packs.h"
#include "policies/test_runner.h"
#include "policies/warnings.h"
#include "testing.h"

namespace carnet::policies {
namespace {

// The decision of one case of the worked bundle.
v1::Decision OfCase(const std::string& name) {
  const auto bundle = StarterBundle("DE");
  REQUIRE(bundle.ok());
  const auto report = RunTests(**bundle);
  REQUIRE(report.ok());
  for (const TestOutcome& outcome : report->outcomes) {
    if (outcome.name == name) {
      return outcome.decision;
    }
  }
  FAIL("no case is called " << name);
  return {};
}

// What a rule of the starter bundle says beside each model whose class nobody assessed.
constexpr char kUnassessed[] =
    "  warn only, not part of the verdict: us-ear-ai/closed-weights: not permitted while a fact is "
    "unknown: Closed weights of models trained with 1e26 operations or more need a licence, once "
    "this is enforced again. Missing: model.export_class.\n"
    "     Fix: nobody recorded model.export_class: carnet data assess MODEL --controlled no "
    "--export-class none --document FILE --until DAY. Or: It would pass if the evidence on file "
    "includes one of bis-license, license-exception.\n";

TEST_CASE("Explain: the ML team reads what is wrong and what would make it pass") {
  CHECK(ExplainLine(OfCase("too few workers in the sum")) ==
        "Denied: model to Saudi Arabia (SA). 1 problem: not permitted: The number of organisations "
        "in each secure sum is 7; needed: at least 8. Fix: Use secure aggregation over at least 8 "
        "endorsed organisations.");
  CHECK(Explain(OfCase("Saudi supplier on SCC but no TIA"), Reader::kTeam) ==
        "Denied: model to Saudi Arabia (SA).\n"
        "  1 problem: not permitted: The evidence on file holds [scc-2021-914]; needed: tia.\n"
        "     Fix: Attach the transfer impact assessment for this recipient.\n" +
            std::string(kUnassessed));
  CHECK(Explain(OfCase("Norway is in the EEA and is not 'false'"), Reader::kTeam) ==
        "Allowed: model to Norway (NO).\n" + std::string(kUnassessed));
}

TEST_CASE("Explain: the ML team reads what only warns, with its fix, and nothing of shadow rules") {
  v1::Decision decision = OfCase("affiliates rule only warns");
  v1::Failure& shadow = *decision.add_warnings();
  shadow.set_reason("trial/r");
  shadow.set_mode("shadow");
  CHECK_THAT(
      Explain(decision, Reader::kTeam),
      Catch::StartsWith("Allowed: job to Germany (DE).\n"
                        "  warn only, not part of the verdict: us-ear-ai/affiliates-50: forbidden: "
                        "BIS Affiliates Rule, 50 percent or more owned by listed parties.\n"
                        "     Fix: "));
  CHECK(Explain(decision, Reader::kTeam).find("trial/r") == std::string::npos);
  CHECK_THAT(Explain(decision, Reader::kOfficer),
             Catch::Contains("  shadow only, not part of the verdict: trial/r: "));
}

TEST_CASE("Explain: the words of a warning come from the bundle, and none of what does not warn") {
  const auto bundle = StarterBundle("DE");
  REQUIRE(bundle.ok());
  const auto warning = WarningOf(**bundle, "us-ear-ai/affiliates-50");
  REQUIRE(warning.has_value());
  CHECK(IsWarning(*warning));
  CHECK(warning->because() == OfCase("affiliates rule only warns").warnings(0).because());
  CHECK_FALSE(WarningOf(**bundle, "us-ear-ai/hq-in-d5").has_value());  // it decides
  CHECK_FALSE(WarningOf(**bundle, "nobody/knows").has_value());
}

TEST_CASE("Explain: several problems are counted and all of them told") {
  v1::Decision decision = OfCase("101 genomes and a Macau operator");
  const std::string text = Explain(decision, Reader::kTeam);
  CHECK_THAT(text, Catch::Contains("  1 of 4 problems: forbidden: No covered person may get bulk "
                                   "human 'omic data, encrypted or not.\n") &&
                       Catch::Contains("  4 of 4 problems: not permitted: No policy in force "
                                       "speaks for people in United States (US).\n"));
  CHECK_THAT(ExplainLine(decision), Catch::StartsWith("Denied: model to Singapore (SG). 1 of 4 "
                                                      "problems: forbidden: No covered person"));
  decision.add_other_regions("fr");
  CHECK_THAT(Explain(decision, Reader::kTeam),
             Catch::EndsWith("  regions that would pass now: fr\n" + std::string(kUnassessed)));
  CHECK(Explain(decision, Reader::kOfficer).find("would pass now") == std::string::npos);
}

TEST_CASE("Explain: the organisation's own policy engine is heard where a rule reads it") {
  v1::Decision decision;
  decision.set_verdict(v1::VERDICT_DENY);
  decision.set_bridge("the organisation's Open Policy Agent said no: not there");
  decision.mutable_flow()->set_artifact(v1::ARTIFACT_KIND_MODEL);
  v1::Failure& failure = *decision.add_failures();
  failure.set_because("It must agree");
  CHECK(ExplainLine(decision).find("said no") == std::string::npos);
  failure.add_facts_used("bridge.opa = deny");
  CHECK(ExplainLine(decision) ==
        "Denied: model. 1 problem: not permitted: It must agree. The organisation's Open Policy "
        "Agent said no: not there. Fix: Nothing that this flow can change.");
  CHECK_THAT(Explain(decision, Reader::kTeam),
             Catch::Contains("It must agree. The organisation's Open Policy Agent said no: not "
                             "there.\n     Fix: "));
}

TEST_CASE("Explain: forbidden, merely not permitted and waiting read differently") {
  const auto problem = [](bool forbidden, bool hold) {
    v1::Decision decision;
    decision.set_verdict(hold ? v1::VERDICT_HOLD : v1::VERDICT_DENY);
    decision.mutable_flow()->set_artifact(v1::ARTIFACT_KIND_DELTA);
    v1::Failure& failure = *decision.add_failures();
    failure.set_because("So it is");
    failure.set_forbidden(forbidden);
    failure.set_hold(hold);
    return ExplainLine(decision);
  };
  CHECK(problem(true, false) ==
        "Denied: delta. 1 problem: forbidden: So it is. Fix: Nothing that this flow can change.");
  CHECK(problem(false, false) ==
        "Denied: delta. 1 problem: not permitted: So it is. Fix: Nothing "
        "that this flow can change.");
  CHECK(problem(false, true) ==
        "On hold: delta. 1 problem: waiting for a person: So it is. Fix: "
        "Nothing that this flow can change.");
}

TEST_CASE(
    "Explain: the officer reads rule, citations, facts and whether an exception is possible") {
  CHECK(Explain(OfCase("H100 in Frankfurt with a Chinese parent"), Reader::kOfficer) ==
        "Denied: job to Germany (DE).\n"
        "  1 problem: forbidden: The licence requirement follows the parent company, wherever the "
        "machine is.\n"
        "     Fix: It would pass if the evidence on file includes bis-license.\n"
        "     rule: us-ear-ai/hq-in-d5 of \"US export controls on AI chips, controlled weights and "
        "decryption keys\"\n"
        "     cites: BIS guidance 2026-05-31\n"
        "     facts: evidence = []; recipient.ultimate_parent = CN; worker.chip_eccn = 3A090.a\n"
        "     exception: possible, with a ticket, an end of at most 180 days and the approvals of "
        "the policy\n"
        "  permissions that were given: house/operations; house/non-personal\n");
  const auto bundle = Load(
      {House(), Guardrail("g",
                          "rules:\n  - {id: r, effect: deny}\nexceptions:\n  - {id: E-1, lifts: r, "
                          "only_when: {to.jurisdiction: {is: SG}}, ticket: T, valid: {from: "
                          "2026-11-01, to: 2026-11-30}}\n")});
  FactSet approved = PlainModel();
  REQUIRE(approved.Set("approvals", Value::Approvals({{"g/E-1", "u-1", "compliance"}})).ok());
  CHECK(Explain(Evaluate(*bundle, approved, Noon()), Reader::kOfficer) ==
        "Allowed: model to Singapore (SG).\n"
        "  granted by: house/yes-indeed\n"
        "  exceptions used: E-1\n");
  CHECK(Explain(OfCase("affiliates rule only warns"), Reader::kOfficer) ==
        "Allowed: job to Germany (DE).\n"
        "  granted by: house/operations; house/non-personal\n"
        "  warn only, not part of the verdict: us-ear-ai/affiliates-50: forbidden: BIS Affiliates "
        "Rule, 50 percent or more owned by listed parties.\n");
  CHECK_THAT(Explain(OfCase("Syria, licence or not"), Reader::kOfficer),
             Catch::Contains("     exception: not possible\n"));
}

TEST_CASE("Explain: what nobody knows is named") {
  CHECK_THAT(Explain(OfCase("nobody recorded the parent"), Reader::kTeam),
             Catch::Contains("wherever the machine is. Missing: recipient.ultimate_parent.\n"));
}

TEST_CASE("Explain: what hangs on an unknown fact is not called forbidden, and how to record it") {
  const std::string text = Explain(OfCase("nobody recorded the parent"), Reader::kTeam);
  CHECK(text.find("forbidden") == std::string::npos);
  CHECK_THAT(text, Catch::Contains("not permitted while a fact is unknown: The licence") &&
                       Catch::Contains("     Fix: nobody recorded recipient.ultimate_parent: "
                                       "carnet supplier update acme --parent PLACE. Or: It would "
                                       "pass if the evidence on file includes bis-license.\n"));
  v1::Decision decision;
  decision.set_verdict(v1::VERDICT_DENY);
  decision.mutable_flow()->set_artifact(v1::ARTIFACT_KIND_MODEL);
  v1::Failure& failure = *decision.add_failures();
  failure.set_because("So it is");
  failure.set_forbidden(true);
  failure.add_missing_facts("model.controlled");
  failure.add_missing_facts("people.CN.personal@01-01+08:00");
  CHECK(ExplainLine(decision) ==
        "Denied: model. 1 problem: not permitted while a fact is unknown: So it is. Missing: "
        "model.controlled, people.CN.personal@01-01+08:00. Fix: Nobody recorded model.controlled: "
        "carnet "
        "data assess MODEL --controlled no --export-class none --document FILE --until DAY; nobody "
        "recorded people.CN.personal@01-01+08:00: carnet policy counter open people.CN.personal "
        "--people N "
        "--as-of DAY.");
  SECTION("what no command records is told where the rule has no words of its own") {
    failure.clear_missing_facts();
    failure.add_missing_facts("worker.chip_eccn");
    CHECK_THAT(
        ExplainLine(decision),
        Catch::EndsWith("Fix: Nobody recorded worker.chip_eccn: `chip_eccn` of worker.yaml."));
    failure.set_fix("Use another site");
    CHECK_THAT(ExplainLine(decision), Catch::EndsWith("Fix: Use another site."));
  }
  SECTION("a permission that nobody gave names its cases, and not every unknown") {
    failure.set_forbidden(false);
    failure.set_reason("house/no-allow");
    failure.set_fix("One of these would do");
    CHECK_THAT(ExplainLine(decision), Catch::EndsWith("Fix: One of these would do."));
  }
}

TEST_CASE("Explain: conditions of an allowed flow are told") {
  CHECK(Explain(OfCase("Saudi supplier on SCC with TIA"), Reader::kTeam) ==
        "Allowed: model to Saudi Arabia (SA).\n"
        "  on condition that dp.epsilon stays at most 8 (protection-abroad/sums-only.dp)\n"
        "  on condition that secagg.k stays at least 8 (protection-abroad/sums-only.secagg)\n" +
            std::string(kUnassessed));
}

TEST_CASE("Explain: the auditor reads the basis and how to derive the verdict again") {
  v1::Decision decision = Evaluate(*Load({House()}), PlainModel(), Noon());
  decision.set_id("d-7k2m");
  decision.set_facts_sha256(std::string(32, '\x01'));
  decision.set_bundle_sha256(std::string(32, '\xAB'));
  decision.set_revision(7);
  decision.set_state_size(19);
  CHECK(Explain(decision, Reader::kAuditor) ==
        "Allowed: model to Singapore (SG).\n"
        "  granted by: house/yes-indeed\n"
        "  flow: send model of model, from unknown to SG, recipient unknown\n"
        "  decision: d-7k2m\n"
        "  decided at 2026-11-21T12:00:00Z, revision 7, evaluator 1, state size 19\n"
        "  facts sha256:  "
        "0101010101010101010101010101010101010101010101010101010101010101\n"
        "  bundle sha256: "
        "abababababababababababababababababababababababababababababababab\n"
        "  to derive it again: carnet audit decision d-7k2m --state DIR --trust trust.policy --out "
        "again\n"
        "  and by hand:        carnet policy decide --bundle again/bundle.json --facts "
        "again/facts.json --at 2026-11-21T12:00:00Z\n");
  decision.clear_id();
  CHECK_THAT(Explain(decision, Reader::kAuditor),
             Catch::EndsWith("  to derive it again: carnet policy decide --bundle bundle.json "
                             "--facts facts.json --at 2026-11-21T12:00:00Z\n"));
}

TEST_CASE("Explain: the officer reads whose approval is missing, what is unconfirmed and counted") {
  v1::Decision held;
  held.set_verdict(v1::VERDICT_HOLD);
  held.mutable_flow()->set_artifact(v1::ARTIFACT_KIND_MODEL);
  v1::Failure& failure = *held.add_failures();
  failure.set_reason("p/r.chief");
  failure.set_found("1 of 2 approvals given");
  failure.set_hold(true);
  failure.set_exception_possible(true);
  failure.set_approval_need(2);
  failure.add_approval_from("dpo");
  failure.add_approval_from("legal");
  failure.add_approved_by("u-1");
  failure.add_unconfirmed("that two are enough");
  CHECK(Explain(held, Reader::kOfficer) ==
        "On hold: model.\n"
        "  1 problem: waiting for a person: 1 of 2 approvals given.\n"
        "     Fix: nothing that this flow can change\n"
        "     rule: p/r.chief\n"
        "     approval: 1 of 2 given, by holders of dpo, legal; so far u-1\n"
        "     unconfirmed: that two are enough\n"
        "     exception: possible, with a ticket, an end of at most 180 days and the approvals of "
        "the policy\n");
  v1::Decision allowed;
  allowed.set_verdict(v1::VERDICT_ALLOW);
  allowed.mutable_flow()->set_artifact(v1::ARTIFACT_KIND_MODEL);
  v1::Reservation& reservation = *allowed.add_reservations();
  reservation.set_rule("p/few");
  reservation.set_counter("people.CN.sensitive@01-01+08:00");
  reservation.set_ceiling(9999);
  CHECK(Explain(allowed, Reader::kOfficer) ==
        "Allowed: model.\n"
        "  counted: people.CN.sensitive@01-01+08:00, at most 9999 (p/few)\n");
  CHECK(Explain(allowed, Reader::kTeam) == "Allowed: model.\n");
}

TEST_CASE("Explain: training names the place where it happens") {
  v1::Decision decision;
  decision.mutable_flow()->set_operation(v1::OPERATION_TRAIN);
  decision.mutable_flow()->set_artifact(v1::ARTIFACT_KIND_RAW_DATA);
  decision.mutable_flow()->set_to("AE-DIFC");
  CHECK(ExplainLine(decision) ==
        "Denied: training in DIFC, United Arab Emirates (AE-DIFC) on raw data.");
}

}  // namespace
}  // namespace carnet::policies
