// Modes, status, reviews, exceptions, obligations.
#include "policies/evaluate.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/base_allow.h"
#include "policies/compiled.h"
#include "policies/packs.h"
#include "policies/source.h"
#include "testing.h"

namespace carnet::policies {
namespace {

v1::Decision Decide(const std::string& guardrail, const FactSet& facts = PlainModel(),
                    absl::Time at = Noon()) {
  return Evaluate(*Load({House(), guardrail}), facts, at);
}

std::string OneDeny(const std::string& policy_keys, const std::string& rule_keys) {
  return Guardrail("g",
                   absl::StrCat(policy_keys, "rules:\n  - {id: r, effect: deny", rule_keys, "}\n"));
}

TEST_CASE("Evaluate: warn and shadow go into the record and never into the verdict") {
  const std::vector<std::pair<std::string, std::string>> weak = {
      {OneDeny("mode: warn\n", ""), "warn"},
      {OneDeny("mode: shadow\n", ""), "shadow"},
      {OneDeny("", ", mode: warn"), "warn"},
      {OneDeny("", ", mode: shadow"), "shadow"},
      {OneDeny("mode: shadow\n", ", mode: enforce"), "shadow"},
      {OneDeny("mode: warn\n", ", mode: shadow"), "shadow"},
      {OneDeny("", ", status: not_enforced"), "warn"},
      {OneDeny("", ", status: proposed"), "shadow"},
      {OneDeny("", ", status: {not_enforced: yes, note: n}"), "warn"},
      {OneDeny("", ", mode: shadow, status: not_enforced"), "shadow"}};
  for (const auto& one : weak) {
    CAPTURE(one.first);
    const v1::Decision decision = Decide(one.first);
    CHECK(decision.verdict() == v1::VERDICT_ALLOW);
    REQUIRE(Warnings(decision) == Texts{"g/r"});
    CHECK(decision.warnings(0).mode() == one.second);
  }
  CHECK(Reasons(Decide(OneDeny("", ", status: in_force"))) == Texts{"g/r"});
  CHECK(Reasons(Decide(OneDeny("mode: enforce\n", ", mode: enforce"))) == Texts{"g/r"});
}

TEST_CASE("Evaluate: a regime or an allow that only warns grants and covers nothing") {
  const FactSet facts = Facts(
      R"({"op":"send_model","artifact.kind":"model","data.personal":"yes","data.subjects_in":["DE"],
          "to.jurisdiction":"DE"})");
  const auto decide = [&](const std::string& policy_keys, const std::string& rule_keys) {
    return Evaluate(*Load({House(), Regime("eu", "{subjects_in: [DE]}",
                                           absl::StrCat(policy_keys,
                                                        "rules:\n  - {id: a, effect: "
                                                        "allow",
                                                        rule_keys, "}\n"))}),
                    facts, Noon());
  };
  CHECK(Reasons(decide("", "")).empty());
  CHECK(Reasons(decide("mode: warn\n", "")) == Texts{"uncovered/DE"});
  CHECK(Reasons(decide("mode: shadow\n", "")) == Texts{"uncovered/DE"});
  CHECK(Reasons(decide("", ", mode: warn")) == Texts{"eu/no-allow"});
  CHECK(Reasons(decide("", ", status: not_enforced")) == Texts{"eu/no-allow"});
  CHECK(Reasons(decide("", ", status: {in_force_from: 2026-11-22}")) == Texts{"eu/no-allow"});
  const v1::Decision shadowed = decide("mode: shadow\n", ", when: {op: {is: train}}");
  CHECK(Reasons(shadowed) == Texts{"uncovered/DE"});
  CHECK(Warnings(shadowed) == Texts{"eu/no-allow"});
  CHECK(Texts(shadowed.rules().begin(), shadowed.rules().end()) == Texts{"house/yes-indeed"});
}

TEST_CASE("Evaluate: legal status has dates, whole days in the zone of the policy") {
  const auto denied = [](const std::string& status, const std::string& at) {
    return !Reasons(Decide(OneDeny("", ", status: " + status), PlainModel(), At(at))).empty();
  };
  CHECK_FALSE(denied("{in_force_from: 2026-11-10}", "2026-11-09T23:59:59Z"));
  CHECK(denied("{in_force_from: 2026-11-10}", "2026-11-10T00:00:00Z"));
  CHECK_FALSE(denied("{stayed_until: 2026-11-09}", "2026-11-09T23:59:59Z"));
  CHECK(denied("{stayed_until: 2026-11-09}", "2026-11-10T00:00:00Z"));
}

TEST_CASE("Evaluate: a review that is late warns, and after its grace does what the policy says") {
  const auto decide = [](const std::string& then, const std::string& at) {
    return Decide(Guardrail("g", absl::StrCat("review: {by: 2026-10-31, grace: 10d", then,
                                              "}\nrules:\n  - {id: r, effect: deny, when: {op: "
                                              "{is: train}}}\n")),
                  PlainModel(), At(at));
  };
  CHECK(decide("", "2026-10-31T23:59:59Z").warnings_size() == 0);
  const v1::Decision due = decide("", "2026-11-01T00:00:00Z");
  CHECK(due.verdict() == v1::VERDICT_ALLOW);
  CHECK(Warnings(due) == Texts{"g/review"});
  CHECK(decide("", "2026-11-10T23:59:59Z").verdict() == v1::VERDICT_ALLOW);
  const v1::Decision overdue = decide("", "2026-11-11T00:00:00Z");
  CHECK(overdue.verdict() == v1::VERDICT_HOLD);
  CHECK(Reasons(overdue) == Texts{"g/review"});
  CHECK(decide(", then: hold", "2026-11-11T00:00:00Z").verdict() == v1::VERDICT_HOLD);
  CHECK(decide(", then: deny", "2026-11-11T00:00:00Z").verdict() == v1::VERDICT_DENY);
  const v1::Decision warned = decide(", then: warn", "2027-11-11T00:00:00Z");
  CHECK(warned.verdict() == v1::VERDICT_ALLOW);
  CHECK(Warnings(warned) == Texts{"g/review"});
}

TEST_CASE("Evaluate: a hold is only a hold while nothing else is wrong") {
  const v1::Decision decision =
      Decide(Guardrail("g", "review: {by: 2026-10-31}\nrules:\n  - {id: r, effect: deny}\n"));
  CHECK(decision.verdict() == v1::VERDICT_DENY);
  CHECK(Reasons(decision) == Texts{"g/review", "g/r"});
}

TEST_CASE("Evaluate: a policy that does not apply is not asked for its review") {
  const v1::Decision decision = Decide(
      Guardrail("g",
                "review: {by: 2026-10-31}\napplies_when: {op: {is: train}}\nrules:\n  - {id: r, "
                "effect: deny}\n"));
  CHECK(decision.verdict() == v1::VERDICT_ALLOW);
}

std::string WithException(const std::string& rules, const std::string& lifts) {
  return Guardrail("g",
                   absl::StrCat("rules:\n", rules, "exceptions:\n  - {id: E-1, lifts: ", lifts,
                                ", only_when: {job.id: {is: triage-7}}, ticket: L-1, valid: {from: "
                                "2026-11-01, to: 2026-11-30}}\n"));
}

// A model of this job, with the yes of the one person that the exception's policy asks for.
FactSet Approved(const std::string& job) {
  FactSet facts = PlainModel();
  REQUIRE(facts.Set("job.id", Value::Text(job)).ok());
  REQUIRE(facts.Set("approvals", Value::Approvals({{"g/E-1", "u-1", "compliance"}})).ok());
  return facts;
}

TEST_CASE("Evaluate: an exception lifts its rule on its days, where it is surely meant") {
  const std::string guard = WithException(
      "  - {id: r, effect: deny}\n  - {id: s, effect: deny, when: "
      "{op: {is: train}}}\n",
      "r");
  const FactSet meant = Approved("triage-7");
  const v1::Decision lifted = Decide(guard, meant);
  CHECK(lifted.verdict() == v1::VERDICT_ALLOW);
  CHECK(Texts(lifted.exceptions().begin(), lifted.exceptions().end()) == Texts{"E-1"});
  CHECK(Reasons(Decide(guard, meant, At("2026-10-31T23:59:59Z"))) == Texts{"g/r"});
  CHECK(Decide(guard, meant, At("2026-11-30T23:59:59Z")).verdict() == v1::VERDICT_ALLOW);
  CHECK(Reasons(Decide(guard, meant, At("2026-12-01T00:00:00Z"))) == Texts{"g/r"});
  FactSet any_job = meant;
  REQUIRE(any_job.Set("job.id", Value()).ok());
  const v1::Decision unknown = Decide(guard, any_job);
  CHECK(Reasons(unknown) == Texts{"g/r"});
  CHECK(unknown.exceptions_size() == 0);
  CHECK(Reasons(Decide(guard, Approved("triage-8"))) == Texts{"g/r"});
}

TEST_CASE("Evaluate: an exception that names nobody waits for the approvals of its policy") {
  const std::string guard = WithException("  - {id: r, effect: deny}\n", "r");
  const auto with = [&](std::vector<Approval> approvals) {
    FactSet facts = Approved("triage-7");
    REQUIRE(facts.Set("approvals", Value::Approvals(std::move(approvals))).ok());
    return Reasons(Decide(guard, facts));
  };
  FactSet nobody_knows = PlainModel();
  REQUIRE(nobody_knows.Set("job.id", Value::Text("triage-7")).ok());
  CHECK(Reasons(Decide(guard, nobody_knows)) == Texts{"g/r"});
  CHECK(with({}) == Texts{"g/r"});
  CHECK(with({{"g/E-1", "u-1", "dpo"}}) == Texts{"g/r"});
  CHECK(with({{"job", "u-1", "compliance"}}) == Texts{"g/r"});
  CHECK(with({{"g/E-1", "u-1", "compliance"}}).empty());
}

TEST_CASE("Evaluate: an exception lifts one requirement and no other") {
  const std::string guard = WithException(
      "  - {id: r, effect: require, require: [{id: a, check: {secagg.k: {at_least: 8}}}, {id: b, "
      "check: {evidence: {has: tia}}}]}\n",
      "r.a");
  FactSet facts = Approved("triage-7");
  REQUIRE(facts.Set("evidence", Value::List({})).ok());
  CHECK(Reasons(Decide(guard, facts)) == Texts{"g/r.b"});
  REQUIRE(facts.Set("evidence", Value::List({"tia"})).ok());
  const v1::Decision decision = Decide(guard, facts);
  CHECK(decision.verdict() == v1::VERDICT_ALLOW);
  CHECK(decision.exceptions(0) == "E-1");
  CHECK(decision.obligations_size() == 0);
}

TEST_CASE("Evaluate: an exception that was not needed is not named") {
  const FactSet facts = Approved("triage-7");
  const v1::Decision decision =
      Decide(WithException("  - {id: r, effect: deny, when: {op: {is: train}}}\n", "r"), facts);
  CHECK(decision.verdict() == v1::VERDICT_ALLOW);
  CHECK(decision.exceptions_size() == 0);
}

TEST_CASE("Evaluate: checks of the round's plan stay as obligations, the strictest of each") {
  const std::string first = Guardrail(
      "a",
      "rules:\n  - {id: r, effect: require, require: [{id: k, phase: runtime, check: {secagg.k: "
      "{at_least: 8}}}, {id: place, phase: runtime, check: {key.held_in: {in: [DE, FR]}}}, {id: "
      "paper, check: {evidence: {has: tia}}}]}\n");
  const std::string second = Guardrail(
      "b",
      "rules:\n  - {id: r, effect: require, require: [{id: k, phase: runtime, check: {secagg.k: "
      "{at_least: 12, at_most: 100}}}]}\n"
      "  - {id: never, effect: require, when: {op: {is: train}}, require: [{id: k, phase: runtime, "
      "check: {secagg.k: {at_least: 50}}}]}\n"
      "  - {id: weak, effect: require, mode: warn, require: [{id: k, phase: runtime, check: "
      "{secagg.k: {at_least: 14}}}]}\n");
  FactSet facts = PlainModel();
  REQUIRE(facts.Set("secagg.k", Value::Number(15)).ok());
  REQUIRE(facts.Set("key.held_in", Value::Text("DE")).ok());
  REQUIRE(facts.Set("evidence", Value::List({"tia"})).ok());
  const auto bundle = Load({"home: DE\ngroups: {}\n", House(), first, second});
  const v1::Decision decision = Evaluate(*bundle, facts, Noon());
  REQUIRE(decision.verdict() == v1::VERDICT_ALLOW);
  Texts words;
  for (const v1::Obligation& obligation : decision.obligations()) {
    words.push_back(absl::StrCat(obligation.kind(), " ", obligation.bound(), " ", obligation.rule(),
                                 " ", obligation.phase()));
  }
  CHECK(words == Texts{"key.held_in in DE FR a/r.place runtime",
                       "secagg.k at_least 12 b/r.k runtime", "secagg.k at_most 100 b/r.k runtime"});
  REQUIRE(facts.Set("secagg.k", Value::Number(11)).ok());
  const v1::Decision denied = Evaluate(*bundle, facts, Noon());
  CHECK(Reasons(denied) == Texts{"b/r.k"});
  CHECK(denied.obligations_size() == 0);
}

TEST_CASE("Evaluate: an allow that is not satisfied asks nothing of the round") {
  const auto bundle = Load(
      {House(),
       Regime("eu", "{subjects_in: [DE]}",
              "rules:\n"
              "  - {id: plain, effect: allow}\n"
              "  - {id: summed, effect: allow, require: [{id: k, phase: runtime, check: {secagg.k: "
              "{at_least: 2}}}, {id: paper, check: {evidence: {has: tia}}}]}\n")});
  FactSet facts = Facts(
      R"({"op":"send_model","artifact.kind":"model","data.personal":"yes","data.subjects_in":["DE"],
          "evidence":[],"secagg.k":5})");
  CHECK(Evaluate(*bundle, facts, Noon()).obligations_size() == 0);
  REQUIRE(facts.Set("evidence", Value::List({"tia"})).ok());
  const v1::Decision decision = Evaluate(*bundle, facts, Noon());
  REQUIRE(decision.obligations_size() == 1);
  CHECK(decision.obligations(0).rule() == "eu/summed.k");
}

TEST_CASE("Evaluate: a failure carries the rule's words, its facts, and what is missing") {
  const v1::Decision decision = Decide(
      Guardrail("g",
                "rules:\n"
                "  - {id: r, effect: deny, floor: yes, when: {to.jurisdiction: {is: SG}, secagg.k: "
                "{at_most: 3}}, because: Why., fix: How., cites: [Art. 1, Art. 2]}\n"
                "  - {id: s, effect: require, require: [{id: k, check: {secagg.k: {at_least: 8}}, "
                "fix: More.}]}\n"
                "  - {id: t, effect: deny, unless: {evidence: {has: tia}}}\n"));
  REQUIRE(Reasons(decision) == Texts{"g/r", "g/s.k", "g/t"});
  const v1::Failure& deny = decision.failures(0);
  CHECK(deny.title() == "The g rules");
  CHECK(deny.because() == "Why.");
  CHECK(deny.fix() == "How.");
  CHECK(Texts(deny.cites().begin(), deny.cites().end()) == Texts{"Art. 1", "Art. 2"});
  CHECK(Texts(deny.facts_used().begin(), deny.facts_used().end()) ==
        Texts{"secagg.k = unknown", "to.jurisdiction = SG"});
  CHECK(Texts(deny.missing_facts().begin(), deny.missing_facts().end()) == Texts{"secagg.k"});
  CHECK(deny.forbidden());
  CHECK_FALSE(deny.exception_possible());
  const v1::Failure& item = decision.failures(1);
  CHECK(item.fix() == "More.");
  CHECK(item.found() ==
        "the number of organisations in each secure sum is not known; needed: at least 8");
  CHECK_FALSE(item.forbidden());
  CHECK(item.exception_possible());
  CHECK(decision.failures(2).fix() == "It would pass if the evidence on file includes tia.");
}

TEST_CASE("Evaluate: rules that cannot concern an operation or kind are passed over, no others") {
  // The index by operation and kind must never change a verdict: every combination, once with the
  // condition where the index sees it and once where it does not (behind an always-true `any`).
  const std::vector<std::string> conditions = {
      "op: {is: train}",
      "op: {in: [train, send_model]}",
      "op: {is_not: train}",
      "op: {not_in: [train, send_model]}",
      "artifact.kind: {is: model}",
      "artifact.kind: {not_in: [model, delta]}",
      "op: {is: send_model}, artifact.kind: {is_not: delta}",
      "any: [{op: {is: train}}, {artifact.kind: {is: delta}}]",
      "any: [{op: {is: train}}, {to.jurisdiction: {is: SG}}]"};
  const auto bundle_with = [](const std::string& condition) {
    return Load({House(),
                 Guardrail("g", "rules:\n  - {id: r, effect: deny, when: {" + condition + "}}\n")});
  };
  for (const std::string& condition : conditions) {
    const auto seen = bundle_with(condition);
    const auto unseen = bundle_with("any: [{" + condition + "}, {secagg.k: {more_than: 99}}]");
    for (const char* op : {"train", "send_model", "place", "unknown"}) {
      for (const char* kind : {"model", "delta", "job", "unknown"}) {
        CAPTURE(condition, op, kind);
        const FactSet facts =
            Facts(absl::StrCat(R"({"op":")", op, R"(","artifact.kind":")", kind,
                               R"(","data.personal":"no","secagg.k":1,"to.jurisdiction":"SG"})"));
        CHECK(Reasons(Evaluate(*seen, facts, Noon())) == Reasons(Evaluate(*unseen, facts, Noon())));
      }
    }
  }
}

TEST_CASE("Evaluate: the same bundle, facts and time give the same bytes") {
  const auto bundle = Load({House(), OneDeny("", ", when: {to.jurisdiction: {is: SG}}")});
  const FactSet facts = PlainModel();
  const std::string first = Evaluate(*bundle, facts, Noon()).SerializeAsString();
  CHECK(Evaluate(*bundle, facts, Noon()).SerializeAsString() == first);
  const auto again = BundleFromJson(bundle->CanonicalJson());
  REQUIRE(again.ok());
  CHECK(Evaluate(**again, facts, Noon()).SerializeAsString() == first);
}

// What is said of failures without their words.
std::vector<std::string> Kept(const google::protobuf::RepeatedPtrField<v1::Failure>& failures) {
  std::vector<std::string> kept;
  for (const v1::Failure& failure : failures) {
    kept.push_back(absl::StrCat(failure.reason(), " ", failure.mode(), " ", failure.hold(), " ",
                                failure.approval_need(), " ",
                                absl::StrJoin(failure.approval_from(), ","), " ",
                                absl::StrJoin(failure.approved_by(), ",")));
  }
  return kept;
}

TEST_CASE(
    "Evaluate: without words it decides every case of the packs alike, for the same reasons") {
  const auto bundle = *StarterBundle("DE");
  std::size_t refused = 0;
  for (const TestSuite& suite : bundle->compiled().suites) {
    for (const TestCase& test : suite.cases) {
      CAPTURE(test.name);
      v1::Decision worded = Evaluate(*bundle, test.facts, test.at);
      v1::Decision judged = Evaluate(*bundle, test.facts, test.at, Words::kLeftOut);
      REQUIRE(Kept(judged.failures()) == Kept(worded.failures()));
      REQUIRE(Kept(judged.warnings()) == Kept(worded.warnings()));
      refused += worded.failures_size() > 0 ? 1 : 0;
      for (v1::Decision* decision : {&worded, &judged}) {
        decision->clear_failures();
        decision->clear_warnings();
      }
      REQUIRE(judged.SerializeAsString() == worded.SerializeAsString());
    }
  }
  CHECK(refused > 100);
}

// The same bundle with an index that passes no rule by, so that each is read.
std::shared_ptr<const Bundle> ReadingEachRule(const Bundle& bundle) {
  const CompiledBundle& from = bundle.compiled();
  auto compiled = std::make_shared<CompiledBundle>();
  compiled->home = from.home;
  compiled->groups = from.groups;
  compiled->aliases = from.aliases;
  compiled->policies = from.policies;
  compiled->memo_count = from.memo_count;
  for (Policy& policy : compiled->policies) {
    for (const auto& entry : from.aliases) {
      if (policy.aliases == &entry.second) {
        policy.aliases = &compiled->aliases.find(entry.first)->second;
      }
    }
    for (RuleIndex& index : policy.index) {
      index.reach = Reach();
      index.conjuncts.fill(-1);
    }
  }
  return std::make_shared<const Bundle>(bundle.head(),
                                        std::make_shared<const BundleSource>(bundle.source()),
                                        std::move(compiled), bundle.CanonicalJson());
}

// How many of every `step`th case of `cases`, with and without words, some policy refuses; each is
// decided alike whether or not the index passes rules by.
std::size_t DecideEachWay(const Bundle& indexed, const CompiledBundle& cases, std::size_t step) {
  const auto each = ReadingEachRule(indexed);
  std::size_t refused = 0;
  std::size_t number = 0;
  for (const TestSuite& suite : cases.suites) {
    for (const TestCase& test : suite.cases) {
      if (number++ % step != 0) {
        continue;
      }
      for (const Words words : {Words::kLeftOut, Words::kWritten}) {
        const v1::Decision decision = Evaluate(indexed, test.facts, test.at, words);
        CAPTURE(test.name);
        REQUIRE(decision.SerializeAsString() ==
                Evaluate(*each, test.facts, test.at, words).SerializeAsString());
        refused += decision.failures().empty() ? 0 : 1;
      }
    }
  }
  return refused;
}

TEST_CASE("Evaluate: the index of rules changes no decision, in any bundle that is made of one") {
  const auto bundle = *StarterBundle("DE");
  const CompiledBundle& cases = bundle->compiled();
  SECTION("the packs") {
    CHECK(DecideEachWay(*bundle, cases, 1) > 100);
  }
  SECTION("beside a regime that allows everything") {
    CHECK(DecideEachWay(*WithBaseAllow(*bundle), cases, 1) > 100);
  }
  SECTION("one policy alone, with half of its rules at work") {
    std::size_t refused = 0;
    for (const Policy& policy : cases.policies) {
      AtWork at_work{policy.name, {}};
      for (std::size_t i = 0; i < policy.rules.size(); i += 2) {
        at_work.rules.insert(policy.rules[i].id);
      }
      for (const bool permitted : {false, true}) {
        at_work.permitted = permitted;
        refused += DecideEachWay(*AloneAtWork(*bundle, at_work), cases, 5);
      }
    }
    CHECK(refused > 100);
  }
}

}  // namespace
}  // namespace carnet::policies
