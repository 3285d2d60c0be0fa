// Counters of people, their windows, and limits over them.
#include <catch2/catch.hpp>

#include "policies/counters.h"
#include "policies/test_runner.h"
#include "testing.h"

namespace carnet::policies {
namespace {

constexpr char kLimit[] =
    "rules:\n"
    "  - id: sensitive\n"
    "    effect: limit\n"
    "    count: people.CN.sensitive\n"
    "    window: {since: 01-01, zone: +08:00}\n"
    "    ceiling: 9999\n"
    "    because: Above that an assessment is needed.\n"
    "    when: {to.jurisdiction: {is_not: CN}}\n";
constexpr char kPath[] = "people.CN.sensitive@01-01+08:00";

std::string ErrorOf(const std::string& rule) {
  const auto bundle =
      TryLoad({House(), Guardrail("p", "rules:\n  - id: r\n    effect: limit\n" + rule)});
  return bundle.ok() ? "loaded" : std::string(bundle.status().message());
}

v1::Decision With(const Value& people) {
  FactSet facts = PlainModel();
  REQUIRE(facts.Set(kPath, people).ok());
  return Evaluate(*Load({House(), Guardrail("cn", kLimit)}), facts, Noon());
}

TEST_CASE("Limits: up to the ceiling it passes and is reserved, above it fails") {
  const v1::Decision passed = With(Value::Number(9999));
  CHECK(passed.verdict() == v1::VERDICT_ALLOW);
  REQUIRE(passed.reservations_size() == 1);
  CHECK(passed.reservations(0).rule() == "cn/sensitive");
  CHECK(passed.reservations(0).counter() == kPath);
  CHECK(passed.reservations(0).ceiling() == 9999);

  const v1::Decision failed = With(Value::Number(10000));
  CHECK(failed.verdict() == v1::VERDICT_DENY);
  CHECK(Reasons(failed) == Texts{"cn/sensitive"});
  CHECK(failed.reservations().empty());
  CHECK_FALSE(failed.failures(0).forbidden());
  CHECK_FALSE(failed.failures(0).exception_possible());
  CHECK_THAT(failed.failures(0).found(), Catch::Contains("10000; needed: at most 9999"));
}

TEST_CASE("Limits: a counter that nobody opened denies and is named") {
  const v1::Decision decision = With(Value::Unknown());
  CHECK(decision.verdict() == v1::VERDICT_DENY);
  REQUIRE(decision.failures_size() == 1);
  CHECK(decision.failures(0).missing_facts(0) == kPath);
}

TEST_CASE("Limits: one window says nothing about another") {
  const auto bundle = Load({House(), Guardrail("cn", kLimit)});
  FactSet facts = PlainModel();
  REQUIRE(facts.Set("people.CN.sensitive", Value::Number(1)).ok());
  CHECK(Evaluate(*bundle, facts, Noon()).verdict() == v1::VERDICT_DENY);
  facts.SetCountersForAnyWindow();  // only tests may say so
  CHECK(Evaluate(*bundle, facts, Noon()).verdict() == v1::VERDICT_ALLOW);
}

TEST_CASE("Limits: one that is not meant asks for nothing, one that only warns reserves nothing") {
  const auto bundle = Load({House(), Guardrail("cn", std::string(kLimit) + "    mode: warn\n")});
  FactSet facts = PlainModel();
  REQUIRE(facts.Set(kPath, Value::Number(10000)).ok());
  const v1::Decision warned = Evaluate(*bundle, facts, Noon());
  CHECK(warned.verdict() == v1::VERDICT_ALLOW);
  CHECK(Warnings(warned) == Texts{"cn/sensitive"});
  CHECK(warned.reservations().empty());

  REQUIRE(facts.Set("to.jurisdiction", Value::Text("CN")).ok());
  const v1::Decision inland = Evaluate(*Load({House(), Guardrail("cn", kLimit)}), facts, Noon());
  CHECK(inland.verdict() == v1::VERDICT_ALLOW);
  CHECK(inland.reservations().empty());
}

TEST_CASE("Limits: the same window has one name, however it is written") {
  const std::vector<std::pair<std::string, std::string>> forms = {
      {"people.US.health", "people.US.health"},
      {"people.US.health@365d", "people.US.health"},
      {"people.US.health@365d+00:00", "people.US.health"},
      {"people.US.health@30d", "people.US.health@30d"},
      {"people.US.health@365d-05:00", "people.US.health@365d-05:00"},
      {"people.CN.personal@01-01+08:00", "people.CN.personal@01-01+08:00"},
      {"people.CN.personal@2026-01-01-00:00", "people.CN.personal@2026-01-01"}};
  for (const auto& form : forms) {
    CAPTURE(form.first);
    CHECK(CanonicalCounter(form.first) == form.second);
    CHECK(FindFact(form.first) == kCounters);
  }
  FactSet facts;
  REQUIRE(facts.Set("people.US.health@365d", Value::Number(3)).ok());
  CHECK(facts.GetCounter("people.US.health") == Value::Number(3));
  CHECK(facts.CanonicalJson() == R"({"people.US.health":3})");
}

TEST_CASE("Limits: what is no window is no counter") {
  for (const char* path :
       {"people.US.health@", "people.US.health@0d", "people.US.health@30", "people.US.health@02-29",
        "people.US.health@13-01", "people.US.health@30d+25:00", "people.US.health@30d@30d",
        "people.US.health@2026-02-30", "people.US.health@30d +08:00", "people.US.health@9999d"}) {
    CAPTURE(path);
    CHECK(FindFact(path) == kNoFact);
  }
}

TEST_CASE("Limits: a window begins with a day of its zone") {
  const auto start = [](const std::string& window, const std::string& at) {
    const auto parsed = ParseCounterWindow(window);
    REQUIRE(parsed.ok());
    return FormatInstant(WindowStart(*parsed, At(at)));
  };
  CHECK(start("365d", "2026-11-21T12:00:00Z") == "2025-11-21T00:00:00Z");
  CHECK(start("30d+08:00", "2026-11-21T17:00:00Z") == "2026-10-22T16:00:00Z");
  CHECK(start("01-01+08:00", "2026-11-21T12:00:00Z") == "2025-12-31T16:00:00Z");
  // Eight hours before the year ends in UTC it has begun there.
  CHECK(start("01-01+08:00", "2026-12-31T16:00:00Z") == "2026-12-31T16:00:00Z");
  CHECK(start("01-01+08:00", "2026-12-31T15:59:59Z") == "2025-12-31T16:00:00Z");
  CHECK(start("11-22", "2026-11-21T12:00:00Z") == "2025-11-22T00:00:00Z");
  CHECK(start("2026-02-03", "2026-11-21T12:00:00Z") == "2026-02-03T00:00:00Z");
}

TEST_CASE("Limits: a condition can read a window of its own") {
  const auto bundle = Load({House(), Guardrail("p",
                                               "rules:\n  - id: r\n    effect: deny\n    when: "
                                               "{people.US.health@30d: {more_than: 10}}\n")});
  FactSet facts = PlainModel();
  REQUIRE(facts.Set("people.US.health", Value::Number(100)).ok());
  REQUIRE(facts.Set("people.US.health@30d", Value::Number(10)).ok());
  CHECK(Evaluate(*bundle, facts, Noon()).verdict() == v1::VERDICT_ALLOW);
  REQUIRE(facts.Set("people.US.health@30d", Value::Number(11)).ok());
  CHECK(Evaluate(*bundle, facts, Noon()).verdict() == v1::VERDICT_DENY);
}

TEST_CASE("Limits: cases set counters for every window, and zero the rest") {
  const auto bundle =
      Load({House(), Guardrail("cn", kLimit),
            "tests: t\nat: 2026-11-21T09:00:00Z\ncounters: zero\n"
            "base: {op: send_model, artifact.kind: model, data.personal: no, data.subjects_in: [], "
            "to.jurisdiction: SG}\ncases:\n"
            "  - {name: none yet, expect: allow}\n"
            "  - {name: as many as may be, set: {people.CN.sensitive: 9999}, expect: allow}\n"
            "  - {name: one more, set: {people.CN.sensitive: 10000}, expect: deny, reason: "
            "cn/sensitive}\n"
            "  - {name: nobody knows, set: {people.CN.sensitive: unknown}, expect: allow}\n"});
  const auto report = RunTests(*bundle);
  REQUIRE(report.ok());
  for (const TestOutcome& outcome : report->outcomes) {
    INFO(outcome.name);
    CHECK(outcome.passed);
  }
}

TEST_CASE("Limits: mistakes are named with a hint") {
  const std::string sound =
      "    count: people.US.health\n    window: {last: 30d}\n    ceiling: 5\n";
  CHECK(ErrorOf(sound) == "loaded");
  const auto changed = [&sound](const std::string& from, const std::string& to) {
    std::string text = sound;
    REQUIRE(text.find(from) != std::string::npos);
    return ErrorOf(text.replace(text.find(from), from.size(), to));
  };
  CHECK_THAT(changed("people.US.health", "people.US.shoes"), Catch::Contains("no counter"));
  CHECK_THAT(changed("people.US.health", "people.US.health@30d"), Catch::Contains("no counter"));
  CHECK_THAT(changed("people.US.health", "secagg.k"), Catch::Contains("no counter"));
  CHECK_THAT(changed("{last: 30d}", "{last: 0d}"), Catch::Contains("no span of days"));
  CHECK_THAT(changed("{last: 30d}", "{last: 01-01}"), Catch::Contains("no span of days"));
  CHECK_THAT(changed("{last: 30d}", "{since: 30d}"), Catch::Contains("no span of days"));
  CHECK_THAT(changed("{last: 30d}", "{since: 01-01, zone: Asia/Shanghai}"),
             Catch::Contains("no span of days"));
  CHECK_THAT(changed("{last: 30d}", "{since: 01-01, last: 30d}"), Catch::Contains("or twice"));
  CHECK_THAT(changed("{last: 30d}", "{zone: UTC}"), Catch::Contains("is not said"));
  CHECK_THAT(changed("ceiling: 5", "ceiling: 5.5"), Catch::Contains("no number of people"));
  CHECK_THAT(changed("ceiling: 5", "ceiling: many"), Catch::Contains("no number of people"));
  CHECK_THAT(changed("ceiling: 5", "floor: yes"), Catch::Contains("unknown key 'floor'"));
  CHECK_THAT(changed("    ceiling: 5\n", ""), Catch::Contains("has no 'ceiling'"));
  CHECK_THAT(changed("    window: {last: 30d}\n", ""), Catch::Contains("has no 'window'"));
  CHECK_THAT(changed("    count: people.US.health\n", ""), Catch::Contains("has no 'count'"));
}

}  // namespace
}  // namespace carnet::policies
