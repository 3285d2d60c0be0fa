#include "policies/test_runner.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_join.h"
#include "testing.h"

namespace carnet::policies {
namespace {

constexpr char kRules[] =
    "rules:\n"
    "  - {id: no-singapore, effect: deny, when: {to.jurisdiction: {is: SG}}}\n"
    "  - {id: no-kenya, effect: deny, mode: warn, when: {to.jurisdiction: {is: KE}}}\n"
    "  - {id: few, effect: deny, when: {people.US.health: {more_than: 10}}}\n"
    "exceptions:\n"
    "  - {id: E-1, lifts: no-singapore, only_when: {job.id: {is: a}}, ticket: T, valid: {from: "
    "2026-11-01, to: 2026-11-30}}\n";

constexpr char kHeadOfTests[] =
    "tests: t\n"
    "at: 2026-11-21T09:00:00Z\n"
    "counters: zero\n"
    "base: {op: place, artifact.kind: job, to.jurisdiction: DE}\n"
    "situations: {singapore: {to.jurisdiction: SG}}\n";

TestReport Run(const std::string& cases) {
  const auto bundle =
      Load({House(), Guardrail("g", kRules), absl::StrCat(kHeadOfTests, "cases:\n", cases)});
  const auto report = RunTests(*bundle);
  REQUIRE(report.ok());
  return *report;
}

TEST_CASE("Test runner: cases that hold pass, with every kind of expectation") {
  const TestReport report =
      Run("  - {name: a, expect: allow, not_reason: g/no-singapore}\n"
          "  - {name: b, expect: deny, situation: singapore, reason: g/no-singapore}\n"
          "  - {name: c, expect: allow, set: {to.jurisdiction: KE}, warns: g/no-kenya}\n"
          "  - {name: d, expect: deny, set: {to.jurisdiction: unknown}, reason: g/no-singapore, "
          "missing: "
          "to.jurisdiction}\n"
          "  - {name: e, expect: allow, situation: singapore, set: {job.id: a}, exception: E-1}\n"
          "  - {name: f, expect: deny, situation: singapore, set: {job.id: a}, at: "
          "2026-12-01T00:00:00Z}\n"
          "  - {name: g, expect: deny, set: {people.US.health: 11}, reason: [g/few]}\n"
          "  - {name: h, expect: deny, set: {people.US.health: unknown}, reason: g/few, missing: "
          "people.US.health}\n");
  CHECK(report.outcomes.size() == 8);
  for (const TestOutcome& outcome : report.outcomes) {
    INFO(outcome.name << ": " << absl::StrJoin(outcome.problems, "; "));
    // Counters that start at zero cannot be made unknown again: h is the one that fails.
    CHECK(outcome.passed == (outcome.name != "h"));
  }
}

TEST_CASE("Test runner: a case can say who approved an exception, or that nobody did") {
  const std::string meant = "situation: singapore, set: {job.id: a, approvals: ";
  const TestReport report =
      Run(absl::StrCat("  - {name: a, expect: deny, ", meant, "[]}, reason: g/no-singapore}\n",
                       "  - {name: b, expect: allow, ", meant,
                       "[{rule: g/E-1, person: una, role: compliance}]}, exception: E-1}\n",
                       "  - {name: c, expect: allow, ", meant,
                       "[{rule: g/E-1, person: una, role: dpo}]}, exception: E-1}\n",
                       "  - {name: d, expect: allow, situation: singapore, set: {job.id: a}}\n"));
  REQUIRE(report.outcomes.size() == 4);
  for (const TestOutcome& outcome : report.outcomes) {
    INFO(outcome.name << ": " << absl::StrJoin(outcome.problems, "; "));
    CHECK(outcome.passed == (outcome.name < "c"));
  }
}

TEST_CASE("Test runner: each expectation that does not hold is told") {
  const TestReport report =
      Run("  - {name: a, expect: deny}\n"
          "  - {name: b, expect: deny, situation: singapore, reason: g/few}\n"
          "  - {name: c, expect: deny, situation: singapore, not_reason: g/no-singapore}\n"
          "  - {name: d, expect: deny, situation: singapore, missing: to.jurisdiction}\n"
          "  - {name: e, expect: allow, warns: g/no-kenya}\n"
          "  - {name: f, expect: allow, exception: E-1}\n");
  REQUIRE(report.outcomes.size() == 6);
  CHECK(report.passed == 0);
  CHECK(report.failed == 6);
  const Texts expected = {"expected deny, got allow (no rule failed)",
                          "expected the reason g/few (failed: g/no-singapore)",
                          "did not expect the reason g/no-singapore",
                          "expected the missing fact to.jurisdiction",
                          "expected a warning by g/no-kenya",
                          "expected the exception E-1 to be used"};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(report.outcomes[i].problems == Texts{expected[i]});
    CHECK(report.outcomes[i].place == absl::StrCat("f2.yaml:", 7 + i, ":5"));
    CHECK(report.outcomes[i].suite == "t");
  }
}

TEST_CASE("Test runner: a file of tests can ask for some policies only") {
  const std::string cases = "cases: [{name: n, set: {to.jurisdiction: SG}, expect: allow}]\n";
  const auto fewer = Load(
      {House(), Guardrail("g", kRules), absl::StrCat(kHeadOfTests, "bundle: [house]\n", cases)});
  CHECK(RunTests(*fewer)->passed == 1);
  const auto missing = Load({House(), absl::StrCat(kHeadOfTests, "bundle: [house, g]\n", cases)});
  const auto report = RunTests(*missing);
  REQUIRE_FALSE(report.ok());
  CHECK_THAT(std::string(report.status().message()),
             Catch::StartsWith("f1.yaml:6:9: ") && Catch::Contains("no policy is called g"));
}

TEST_CASE("Test runner: the test-only regime allows everything and covers everybody") {
  const std::string with =
      "base-allow: {kind: regime, rules: [{id: ok, effect: allow}]}\n"
      "bundle: [g]\n"
      "cases:\n"
      "  - {name: nobody, expect: allow}\n"
      "  - {name: people, set: {artifact.kind: model, data.personal: yes, data.subjects_in: [KE]}, "
      "expect: allow}\n"
      "  - {name: the guardrail still holds, set: {to.jurisdiction: SG}, expect: deny, reason: "
      "g/no-singapore}\n";
  const auto bundle = Load({House(), Guardrail("g", kRules), absl::StrCat(kHeadOfTests, with)});
  const auto report = RunTests(*bundle);
  REQUIRE(report.ok());
  for (const TestOutcome& outcome : report->outcomes) {
    INFO(outcome.name << ": " << absl::StrJoin(outcome.problems, "; "));
    CHECK(outcome.passed);
  }
}

TEST_CASE("Test runner: a warning that comes although it should not is told") {
  const TestReport report =
      Run("  - {name: a, expect: allow, not_warns: g/no-kenya}\n"
          "  - {name: b, expect: allow, set: {to.jurisdiction: KE}, not_warns: g/no-kenya}\n");
  REQUIRE(report.outcomes.size() == 2);
  CHECK(report.outcomes[0].passed);
  CHECK(report.outcomes[1].problems ==
        std::vector<std::string>{"did not expect a warning by g/no-kenya"});
}

TEST_CASE("Test runner: a case tells a rule that warns from one that is only noted in shadow") {
  const auto run = [](const std::string& mode, const std::string& expected) {
    const auto bundle =
        Load({House(),
              Guardrail("g", absl::StrCat("rules:\n  - {id: no-kenya, effect: deny, mode: ", mode,
                                          ", when: {to.jurisdiction: {is: KE}}}\n")),
              absl::StrCat(kHeadOfTests,
                           "cases:\n  - {name: a, set: {to.jurisdiction: KE}, expect: ", "allow, ",
                           expected, "}\n")});
    const auto report = RunTests(*bundle);
    REQUIRE(report.ok());
    return report->outcomes.at(0).problems;
  };
  CHECK(run("warn", "warns: g/no-kenya").empty());
  CHECK(run("shadow", "shadows: [g/no-kenya]").empty());
  CHECK(run("shadow", "warns: g/no-kenya") ==
        Texts{"expected a warning by g/no-kenya, which is in mode shadow"});
  CHECK(run("warn", "shadows: g/no-kenya") ==
        Texts{"expected a note in shadow by g/no-kenya, which is in mode warn"});
  CHECK(run("shadow", "not_warns: g/no-kenya") == Texts{"did not expect a warning by g/no-kenya"});
  CHECK(run("enforce", "shadows: g/no-kenya").size() == 2);  // and it is denied
}

TEST_CASE("Test runner: a case says whether an exception could lift what failed") {
  constexpr char kTwoDenies[] =
      "rules:\n"
      "  - {id: firm, effect: deny, floor: yes, when: {to.jurisdiction: {is: SG}}}\n"
      "  - {id: soft, effect: deny, when: {to.jurisdiction: {in: [SG, KE]}}}\n";
  const auto run = [&](const std::string& expected) {
    const auto bundle =
        Load({House(), Guardrail("g", kTwoDenies),
              absl::StrCat(kHeadOfTests, "cases:\n  - {name: a, set: {to.jurisdiction: SG}, ",
                           "expect: deny, ", expected, "}\n")});
    const auto report = RunTests(*bundle);
    REQUIRE(report.ok());
    return report->outcomes.at(0).problems;
  };
  CHECK(run("reason: g/firm, exception_possible: no").empty());
  CHECK(run("reason: g/soft, exception_possible: yes").empty());
  CHECK(run("reason: g/firm, exception_possible: yes") ==
        Texts{"expected that an exception of g/firm is possible"});
  CHECK(run("reason: g/soft, exception_possible: no") ==
        Texts{"expected that no exception of g/soft is possible"});
  CHECK(run("exception_possible: no") ==
        Texts{"expected that no exception of g/soft is possible"});  // it is asked of both
}

TEST_CASE("Test runner: a case names the duties of an allowed flow, and what they ask") {
  constexpr char kDuties[] =
      "rules:\n"
      "  - id: r\n"
      "    effect: require\n"
      "    require:\n"
      "      - {id: sums, phase: runtime, check: {secagg.k: {at_least: 3}}}\n"
      "      - {id: told, phase: post, duty: Tell them., of: dpo, within: 24h}\n";
  const auto run = [&](const std::string& duty) {
    const auto bundle = Load(
        {House(), Guardrail("g", kDuties),
         absl::StrCat(kHeadOfTests, "cases:\n  - {name: a, set: {op: send_model, artifact.kind: ",
                      "model, data.personal: no, data.subjects_in: [], secagg.k: 4}, expect: ",
                      "allow, duty: ", duty, "}\n")});
    const auto report = RunTests(*bundle);
    REQUIRE(report.ok());
    return report->outcomes.at(0).problems;
  };
  CHECK(run("g/r.sums").empty());
  CHECK(run("[g/r.sums, {rule: g/r.told}]").empty());
  CHECK(run("{rule: g/r.told, of: dpo, within: 1d, text: Tell them.}").empty());
  const Texts other = {
      "expected another duty by g/r.told, which asks within 1d, of dpo: Tell them."};
  CHECK(run("{rule: g/r.told, of: legal}") == other);
  CHECK(run("{rule: g/r.told, within: 25h}") == other);
  CHECK(run("{rule: g/r.told, text: Tell us.}") == other);
  CHECK(run("h/r") == Texts{"expected a duty by h/r"});
}

TEST_CASE("Test runner: an expectation that means nothing does not load") {
  const auto message = [](const std::string& rest) {
    const auto bundle = BundleFromFiles(
        {{"house.yaml", House()},
         {"g.yaml", Guardrail("g", kRules)},
         {"t.yaml", absl::StrCat(kHeadOfTests, "cases:\n  - {name: a, ", rest, "}\n")}});
    return std::string(bundle.status().message());
  };
  CHECK_THAT(message("expect: allow, exception_possible: no"),
             Catch::Contains("'exception_possible' of a flow that is allowed"));
  CHECK_THAT(message("expect: deny, exception_possible: perhaps"), Catch::Contains("t.yaml:7:"));
  CHECK_THAT(message("expect: allow, shadows: g/no-keny"),
             Catch::Contains("no rule gives the reason 'g/no-keny'; did you mean 'g/no-kenya'?"));
  CHECK_THAT(message("expect: allow, duty: {rule: g/fewer}"),
             Catch::Contains("no rule gives the reason 'g/fewer'"));
  CHECK_THAT(message("expect: allow, duty: {of: dpo}"), Catch::Contains("rule"));
  CHECK_THAT(message("expect: allow, duty: {rule: g/few, within: soon}"),
             Catch::Contains("'within' is no span of time"));
  CHECK_THAT(message("expect: allow, duty: {rule: g/few, by: dpo}"), Catch::Contains("'by'"));
  CHECK_THAT(message("expect: allow, duty: [[g/few]]"), Catch::Contains("'duty' names no rule"));
}

TEST_CASE("Test runner: a group holds the members that a test names, and no other country") {
  const auto outcomes = [](const std::string& group) {
    const auto bundle = BundleFromFiles(
        {{"house.yaml", House()},
         {"groups.yaml",
          "groups:\n  g: {members: [DE, UA-43], conditional: [{code: US, when: "
          "{recipient.certifications: {has: eu-us-dpf}}}]}\n"},
         {"tests.yaml", absl::StrCat("tests: t\ngroups:\n  - {group: g, ", group, "}\n")}});
    INFO(bundle.status().ToString());
    REQUIRE(bundle.ok());
    const auto report = RunTests(**bundle);
    REQUIRE(report.ok());
    std::vector<std::string> failed;
    for (const TestOutcome& outcome : report->outcomes) {
      if (!outcome.passed) {
        failed.push_back(absl::StrCat(outcome.name, ": ", absl::StrJoin(outcome.problems, "; ")));
      }
    }
    return failed;
  };
  CHECK(outcomes("members: [DE, UA-43], perhaps: [US]").empty());
  CHECK(outcomes("members: [DE, UA-43]") ==
        std::vector<std::string>{"group g holds no other place: it holds US"});
  CHECK(outcomes("members: [DE], perhaps: [US]") ==
        std::vector<std::string>{"group g holds no other place: it holds UA-43"});
  CHECK(outcomes("members: [DE, FR, UA-43, US]") ==
        std::vector<std::string>{"group g holds France (FR): it does not hold it",
                                 "group g holds United States (US): it may hold it"});
}

TEST_CASE("Test runner: a test of a group that is none, or of no places, does not load") {
  const auto load = [](const std::string& group) {
    return BundleFromFiles({{"house.yaml", House()},
                            {"groups.yaml", "groups:\n  germany: {members: [DE]}\n"},
                            {"tests.yaml", absl::StrCat("tests: t\ngroups:\n  - ", group, "\n")}})
        .status();
  };
  CHECK_THAT(std::string(load("{group: germani, members: [DE]}").message()),
             Catch::Contains("no group is called 'germani'; did you mean 'germany'?"));
  CHECK_THAT(std::string(load("{group: germany, members: [UK]}").message()),
             Catch::Contains("'UK' is not a country's code"));
  CHECK_FALSE(load("{group: germany}").ok());
}

}  // namespace
}  // namespace carnet::policies
