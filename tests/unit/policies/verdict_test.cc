// The verdict, step by step (docs/policies.md).
#include <catch2/catch.hpp>

#include "policies/evaluate.h"
#include "testing.h"

namespace carnet::policies {
namespace {

constexpr char kGroups[] =
    "home: DE\n"
    "groups:\n"
    "  eea: {members: [DE, FR]}\n"
    "  adequate: {conditional: [{code: US, when: {recipient.certifications: {has: eu-us-dpf}}}]}\n";

// People in the EEA, who may go where the rules say.
std::string Eu(const std::string& rules) {
  return Regime("eu", "{subjects_in: group:eea}",
                "applies_when: {data.subjects_in: {any_in: group:eea}}\nrules:\n" + rules);
}

constexpr char kInside[] =
    "  - {id: inside, effect: allow, when: {to.jurisdiction: {in: group:eea}}}\n";

// A model that people in `subjects` (JSON list) helped to train, to `to`.
FactSet PersonalModel(const std::string& subjects, const std::string& to,
                      const std::string& more = "") {
  return Facts(R"({"op":"send_model","artifact.kind":"model","data.personal":"yes",)"
               R"("data.subjects_in":)" +
               subjects + R"(,"to.jurisdiction":")" + to + "\"" + more + "}");
}

v1::Decision Decide(const std::vector<std::string>& texts, const FactSet& facts,
                    absl::Time at = Noon()) {
  return Evaluate(*Load(texts), facts, at);
}

TEST_CASE("Verdict: a bundle counts only within its validity, which ends exclusive") {
  const auto bundle = Load({House()});
  BundleHead head;
  head.revision = 3;
  head.valid_from = At("2026-11-01T00:00:00Z");
  head.valid_to = At("2026-12-01T00:00:00Z");
  const auto issued = IssueBundle(*bundle, head);
  REQUIRE(issued.ok());
  const auto reasons = [&](const std::string& at) {
    return Reasons(Evaluate(**issued, PlainModel(), At(at)));
  };
  CHECK(reasons("2026-10-31T23:59:59Z") == Texts{"bundle/not-yet-valid"});
  CHECK(reasons("2026-11-01T00:00:00Z").empty());
  CHECK(reasons("2026-11-30T23:59:59Z").empty());
  CHECK(reasons("2026-12-01T00:00:00Z") == Texts{"bundle/expired"});
  CHECK(Evaluate(**issued, PlainModel(), At("2026-12-01T00:00:00Z")).verdict() == v1::VERDICT_DENY);
  CHECK(Evaluate(*bundle, PlainModel(), At("2026-12-01T00:00:00Z")).verdict() == v1::VERDICT_ALLOW);
}

TEST_CASE("Verdict: labels that contradict themselves deny by themselves") {
  CHECK(Reasons(Decide({kGroups, House(), Eu(kInside)}, PersonalModel("[]", "DE"))) ==
        Texts{"facts/inconsistent"});
}

TEST_CASE("Verdict: the basis of a decision is in it") {
  const auto bundle = Load({House()});
  const FactSet facts = Facts(
      R"({"op":"send_model","artifact.kind":"model","data.personal":"no","from.jurisdiction":"DE",
          "to.jurisdiction":"SG","recipient.org":"lion","data.label":"shard-a"})");
  const v1::Decision decision = Evaluate(*bundle, facts, Noon());
  CHECK(decision.flow().operation() == v1::OPERATION_SEND_MODEL);
  CHECK(decision.flow().artifact() == v1::ARTIFACT_KIND_MODEL);
  CHECK(decision.flow().from() == "DE");
  CHECK(decision.flow().to() == "SG");
  CHECK(decision.flow().recipient() == "lion");
  CHECK(decision.flow().label_class() == "shard-a");
  CHECK(decision.facts_sha256() == ToString(facts.Sha256()));
  CHECK(decision.bundle_sha256() == ToString(bundle->sha256()));
  CHECK(decision.evaluator() == kEvaluatorVersion);
  CHECK(decision.at().seconds() == absl::ToUnixSeconds(Noon()));
  CHECK(decision.rules_size() == 1);
  CHECK(decision.rules(0) == "house/yes-indeed");
}

TEST_CASE("Verdict: facts that nobody set deny") {
  const v1::Decision decision = Decide({kGroups, House(), Eu(kInside)}, FactSet());
  CHECK(decision.verdict() == v1::VERDICT_DENY);
  CHECK(Reasons(decision) == Texts{"eu/no-allow", "uncovered/unknown"});
}

TEST_CASE("Verdict: a deny fails when it is true or unknown, and not when it is false") {
  const std::string guard =
      Guardrail("g", "rules:\n  - {id: r, effect: deny, when: {to.jurisdiction: {is: SG}}}\n");
  const auto reasons = [&](const std::string& to) {
    FactSet facts = PlainModel();
    CHECK(facts.Set("to.jurisdiction", to.empty() ? Value() : Value::Text(to)).ok());
    return Reasons(Decide({House(), guard}, facts));
  };
  CHECK(reasons("SG") == Texts{"g/r"});
  CHECK(reasons("") == Texts{"g/r"});
  CHECK(reasons("DE").empty());
}

TEST_CASE("Verdict: unless is and not, so what it does not know does not help") {
  const std::string guard = Guardrail(
      "g",
      "rules:\n  - {id: r, effect: deny, when: {to.jurisdiction: {is: SG}}, unless: {evidence: "
      "{has: bis-license}}}\n");
  const auto reasons = [&](const Value& evidence) {
    FactSet facts = PlainModel();
    CHECK(facts.Set("evidence", evidence).ok());
    return Reasons(Decide({House(), guard}, facts));
  };
  CHECK(reasons(Value::List({})) == Texts{"g/r"});
  CHECK(reasons(Value::Unknown()) == Texts{"g/r"});
  CHECK(reasons(Value::NotApplicable()) == Texts{"g/r"});
  CHECK(reasons(Value::List({"bis-license"})).empty());
}

TEST_CASE("Verdict: a requirement fails for each item whose check is not true") {
  const std::string guard = Guardrail("g",
                                      "rules:\n"
                                      "  - id: r\n"
                                      "    effect: require\n"
                                      "    when: {to.jurisdiction: {is: SG}}\n"
                                      "    require:\n"
                                      "      - {id: paper, check: {evidence: {has: tia}}}\n"
                                      "      - {id: k, check: {secagg.k: {at_least: 8}}}\n");
  const auto reasons = [&](const std::string& more) {
    return Reasons(Decide(
        {House(), guard},
        Facts(R"({"op":"send_model","artifact.kind":"model","data.personal":"no")" + more + "}")));
  };
  CHECK(reasons(R"(,"to.jurisdiction":"SG")") == Texts{"g/r.paper", "g/r.k"});
  CHECK(reasons("") == Texts{"g/r.paper", "g/r.k"});  // nobody knows whether it is asked
  CHECK(reasons(R"(,"to.jurisdiction":"SG","evidence":["tia"],"secagg.k":7)") == Texts{"g/r.k"});
  CHECK(reasons(R"(,"to.jurisdiction":"SG","evidence":["tia"],"secagg.k":"not_applicable")") ==
        Texts{"g/r.k"});
  CHECK(reasons(R"(,"to.jurisdiction":"SG","evidence":["tia"],"secagg.k":8)").empty());
  CHECK(reasons(R"(,"to.jurisdiction":"DE")").empty());
}

TEST_CASE("Verdict: a policy applies when applies_when is true or unknown and unless is not true") {
  const std::string guard =
      Guardrail("g",
                "applies_when: {op: {is: send_model}, job.purpose: {is: fraud}}\n"
                "unless: {recipient.org: {is: acme}}\n"
                "rules:\n  - {id: r, effect: deny}\n");
  const auto reasons = [&](const Value& purpose, const Value& recipient) {
    FactSet facts = PlainModel();
    CHECK(facts.Set("job.purpose", purpose).ok());
    CHECK(facts.Set("recipient.org", recipient).ok());
    return Reasons(Decide({House(), guard}, facts));
  };
  const Value fraud = Value::Text("fraud");
  CHECK(reasons(fraud, Value::Text("lion")) == Texts{"g/r"});
  CHECK(reasons(fraud, Value::Unknown()) == Texts{"g/r"});
  CHECK(reasons(Value::Unknown(), Value::Text("lion")) == Texts{"g/r"});
  CHECK(reasons(Value::Text("other"), Value::Text("lion")).empty());
  CHECK(reasons(fraud, Value::Text("acme")).empty());
}

TEST_CASE("Verdict: an allow that is not satisfied is no failure by itself") {
  const std::string eu =
      Eu(std::string(kInside) +
         "  - {id: papers, effect: allow, when: {evidence: {has: bcr}}, require: "
         "[{id: tia, check: {evidence: {has: tia}}}]}\n");
  const v1::Decision decision =
      Decide({kGroups, House(), eu}, PersonalModel("[\"DE\"]", "FR", R"(,"evidence":["bcr"])"));
  CHECK(decision.verdict() == v1::VERDICT_ALLOW);
  CHECK(Texts(decision.rules().begin(), decision.rules().end()) ==
        Texts{"eu/inside", "house/yes-indeed"});
}

TEST_CASE("Verdict: without a satisfied allow, the unmet items of the allows that are meant fail") {
  const std::string eu = Eu(
      std::string(kInside) +
      "  - {id: papers, effect: allow, when: {evidence: {has: bcr}}, require: [{id: tia, check: "
      "{evidence: {has: tia}}}, {id: k, check: {secagg.k: {at_least: 8}}}]}\n"
      "  - {id: noise, effect: allow, when: {dp.epsilon: {at_most: 1}}, require: [{id: k, check: "
      "{secagg.k: {at_least: 2}}}]}\n");
  const auto reasons = [&](const std::string& more) {
    return Reasons(Decide({kGroups, House(), eu}, PersonalModel("[\"DE\"]", "SG", more)));
  };
  const std::string no_noise = R"(,"dp.epsilon":"not_applicable")";
  CHECK(reasons(R"(,"evidence":[])" + no_noise) == Texts{"eu/no-allow"});
  CHECK(reasons(no_noise) == Texts{"eu/no-allow"});  // its `when` is unknown, not true
  CHECK(reasons(R"(,"evidence":["bcr"])" + no_noise) == Texts{"eu/papers.tia", "eu/papers.k"});
  CHECK(reasons(R"(,"evidence":["bcr","tia"],"secagg.k":7)" + no_noise) == Texts{"eu/papers.k"});
  CHECK(reasons(R"(,"evidence":["bcr","tia"],"secagg.k":1,"dp.epsilon":1)") ==
        Texts{"eu/papers.k", "eu/noise.k"});
  CHECK(reasons(R"(,"evidence":["bcr","tia"],"secagg.k":2,"dp.epsilon":1)").empty());
  CHECK(reasons(R"(,"evidence":["bcr","tia"],"secagg.k":8)" + no_noise).empty());
}

TEST_CASE("Verdict: what would permit it and what nobody knows stand in the failure") {
  const std::string eu = Eu(std::string(kInside) +
                            "  - {id: adequate, effect: allow, when: {to.jurisdiction: {in: "
                            "group:adequate}}}\n");
  const v1::Decision decision = Decide({kGroups, House(), eu}, PersonalModel("[\"DE\"]", "US"));
  REQUIRE(Reasons(decision) == Texts{"eu/no-allow"});
  const v1::Failure& failure = decision.failures(0);
  CHECK(failure.missing_facts_size() == 1);
  CHECK(failure.missing_facts(0) == "recipient.certifications");
  CHECK(failure.fix() ==
        "One of these would do: inside: the destination is in group eea; or adequate: the "
        "destination is in group adequate.");
  CHECK_FALSE(failure.forbidden());
  CHECK_FALSE(failure.exception_possible());
}

TEST_CASE("Verdict: regimes are conjunctive, each that applies says yes itself") {
  const std::string sg =
      Regime("sg", "{subjects_in: [SG]}",
             "applies_when: {data.subjects_in: {has: SG}}\nrules:\n"
             "  - {id: inside, effect: allow, when: {to.jurisdiction: {is: SG}}}\n");
  const std::vector<std::string> texts = {kGroups, House(), Eu(kInside), sg};
  CHECK(Reasons(Decide(texts, PersonalModel(R"(["DE","SG"])", "DE"))) == Texts{"sg/no-allow"});
  CHECK(Reasons(Decide(texts, PersonalModel(R"(["DE","SG"])", "SG"))) == Texts{"eu/no-allow"});
  CHECK(Reasons(Decide(texts, PersonalModel(R"(["DE","SG"])", "KE"))) ==
        Texts{"eu/no-allow", "sg/no-allow"});
  CHECK(Reasons(Decide(texts, PersonalModel(R"(["SG"])", "SG"))).empty());
}

TEST_CASE("Verdict: everybody must be covered by a regime that applied") {
  const std::vector<std::string> texts = {kGroups, House(), Eu(kInside)};
  CHECK(Reasons(Decide(texts, PersonalModel(R"(["DE","KE","SG"])", "DE"))) ==
        Texts{"uncovered/KE", "uncovered/SG"});
  CHECK(Reasons(Decide(texts, PersonalModel(R"(["DE-BY"])", "DE"))).empty());
  CHECK(Reasons(Decide(texts, PersonalModel(R"(["home"])", "DE"))).empty());
  const v1::Decision unknown = Decide(texts, PersonalModel(R"(["DE","unknown"])", "DE"));
  CHECK(Reasons(unknown) == Texts{"uncovered/unknown"});
  CHECK(unknown.failures(0).missing_facts(0) == "data.subjects_in");
  // The house says yes only where no personal data is concerned.
  CHECK(Reasons(Decide({House()}, PersonalModel(R"(["DE"])", "DE"))) == Texts{"uncovered/DE"});
}

TEST_CASE("Verdict: a policy that is not in force covers nobody") {
  const std::string text = Eu(kInside);
  const auto reasons = [&](const std::string& at) {
    return Reasons(Decide({kGroups, House(), text}, PersonalModel(R"(["DE"])", "DE"), At(at)));
  };
  CHECK(reasons("2025-12-31T23:59:59Z") == Texts{"uncovered/DE"});
  CHECK(reasons("2026-01-01T00:00:00Z").empty());
}

TEST_CASE("Verdict: effective days are whole, both included, in the zone of the policy") {
  std::string text = Guardrail("g", "zone: +08:00\nrules:\n  - {id: r, effect: deny}\n");
  text.replace(text.find("{from: 2026-01-01}"), 18, "{from: 2026-11-21, to: 2026-11-22}");
  const auto denied = [&](const std::string& at) {
    return !Reasons(Decide({House(), text}, PlainModel(), At(at))).empty();
  };
  CHECK_FALSE(denied("2026-11-20T15:59:59Z"));
  CHECK(denied("2026-11-20T16:00:00Z"));
  CHECK(denied("2026-11-22T15:59:59Z"));
  CHECK_FALSE(denied("2026-11-22T16:00:00Z"));
}

TEST_CASE("Verdict: where no personal data is concerned, the house itself says yes") {
  const std::string house = Regime("house", "no personal data",
                                   "rules:\n  - {id: some, effect: allow, when: {artifact.kind: "
                                   "{in: [model, metrics]}}}\n");
  const auto reasons = [&](const std::string& kind, const std::string& personal) {
    return Reasons(
        Decide({kGroups, house, Eu(kInside)},
               Facts(R"({"op":"send_model","artifact.kind":")" + kind + R"(","data.personal":")" +
                     personal + R"(","data.subjects_in":["DE"],"to.jurisdiction":"DE"})")));
  };
  CHECK(reasons("model", "no").empty());
  CHECK(reasons("delta", "no") == Texts{"no-policy-applies"});
  CHECK(reasons("metrics", "yes").empty());
  CHECK(reasons("key", "yes") == Texts{"no-policy-applies"});
  CHECK(reasons("job", "yes") == Texts{"no-policy-applies"});
  CHECK(reasons("log", "yes") == Texts{"no-policy-applies"});
  CHECK(reasons("delta", "yes").empty());
  CHECK(Reasons(Decide({kGroups, Eu(kInside)}, PlainModel())) == Texts{"no-policy-applies"});
}

TEST_CASE("Verdict: a regime that covers everything must say yes to both") {
  const std::string all = Regime("all", "everything",
                                 "rules:\n  - {id: home, effect: allow, when: {to.jurisdiction: "
                                 "{is: DE}}}\n");
  CHECK(Reasons(Decide({all}, PersonalModel(R"(["KE"])", "DE"))).empty());
  CHECK(Reasons(Decide({all}, PersonalModel(R"(["KE"])", "SG"))) == Texts{"all/no-allow"});
  CHECK(Reasons(Decide({all}, PlainModel())) == Texts{"all/no-allow", "no-policy-applies"});
}

TEST_CASE("Verdict: declassification comes first, needs certainty, and removes what hangs on it") {
  const std::string house =
      Regime("house", "no personal data",
             "rules:\n"
             "  - {id: plain, effect: allow, when: {data.personal: {is: no}}}\n"
             "  - {id: anonymous, effect: declassify, removes: [personal], "
             "when: {artifact.anonymity: {is: approved}}}\n"
             "  - {id: no-health, effect: declassify, removes: [health], "
             "when: {evidence: {has: tia}}}\n");
  const std::string guard =
      Guardrail("g",
                "rules:\n"
                "  - {id: health, effect: deny, when: {data.categories: {has: health}}}\n"
                "  - {id: contact, effect: deny, when: {data.categories: {has: contact}}}\n"
                "  - {id: people, effect: deny, when: {data.subjects_in: {has: DE}}}\n");
  const auto reasons = [&](const std::string& more) {
    return Reasons(Decide(
        {kGroups, house, Eu(kInside), guard},
        PersonalModel(R"(["DE"])", "DE", R"(,"data.categories":["contact","health"])" + more)));
  };
  CHECK(reasons(R"(,"artifact.anonymity":"none","evidence":[])") ==
        Texts{"g/health", "g/contact", "g/people"});
  CHECK(reasons(R"(,"artifact.anonymity":"approved","evidence":[])").empty());
  CHECK(reasons(R"(,"evidence":[])") == Texts{"g/health", "g/contact", "g/people"});
  CHECK(reasons(R"(,"artifact.anonymity":"none","evidence":["tia"])") ==
        Texts{"g/contact", "g/people"});
}

TEST_CASE("Verdict: the decision keeps the facts as they were given, declassified or not") {
  const FactSet facts =
      PersonalModel(R"(["DE"])", "SG", R"(,"artifact.anonymity":"approved","evidence":[])");
  const std::string house =
      Regime("house", "no personal data",
             "rules:\n"
             "  - {id: plain, effect: allow, when: {data.personal: {is: no}}}\n"
             "  - {id: anonymous, effect: declassify, removes: [personal], "
             "when: {artifact.anonymity: {is: approved}}}\n");
  const v1::Decision decision = Decide({kGroups, house, Eu(kInside)}, facts);
  CHECK(decision.verdict() == v1::VERDICT_ALLOW);
  CHECK(decision.facts_sha256() == ToString(facts.Sha256()));
  CHECK(Texts(decision.rules().begin(), decision.rules().end()) ==
        Texts{"house/anonymous", "house/plain"});
}

}  // namespace
}  // namespace carnet::policies
