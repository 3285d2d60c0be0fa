// Rounds whose deltas are kept for a person.
#include <catch2/catch.hpp>

#include "base/yaml.h"
#include "policies/change.h"
#include "policies/difference.h"
#include "policies/explain.h"
#include "policies/format.h"
#include "policies/obligations.h"
#include "policies/schema.h"
#include "testing.h"

namespace carnet::policies {
namespace {

constexpr char kAnna[] = "u-7k2m4p5q6rst2uvw";
constexpr char kBen[] = "u-abcdefghijklmnop";

std::string Keeping(const std::string& retention, const std::string& id = "keep") {
  return absl::StrCat("rules:\n  - id: audits\n    effect: require\n    require:\n      - {id: ",
                      id, ", phase: runtime, retain_deltas: ", retention, "}\n");
}

std::string For(const std::string& person, const std::string& rest) {
  return absl::StrCat("{for: ", person, ", ", rest, "}");
}

std::string ErrorOf(const std::string& retention) {
  const auto bundle = TryLoad({House(), Guardrail("p", Keeping(retention))});
  return bundle.ok() ? "loaded" : std::string(bundle.status().message());
}

// "kind bound" of each.
Texts Bounds(const v1::Decision& decision) {
  Texts texts;
  for (const v1::Obligation& obligation : decision.obligations()) {
    CHECK(obligation.phase() == "runtime");
    texts.push_back(absl::StrCat(obligation.kind(), " ", obligation.bound()));
  }
  return texts;
}

std::optional<DeltaRetention> RetentionOf(const v1::Decision& decision) {
  return policies::RetentionOf({decision.obligations().begin(), decision.obligations().end()});
}

TEST_CASE("Retention: what is allowed says for whom deltas are kept, and how long") {
  const auto bundle =
      Load({House(), Guardrail("p", Keeping(For(kAnna, "at_least: 30d, at_most: 365d")))});
  const v1::Decision decision = Evaluate(*bundle, PlainModel(), Noon());
  CHECK(decision.verdict() == v1::VERDICT_ALLOW);
  CHECK(Bounds(decision) == Texts{"deltas.retained_days at_least 30",
                                  "deltas.retained_days at_most 365",
                                  "deltas.retained_for is u-7k2m4p5q6rst2uvw"});
  const auto retention = RetentionOf(decision);
  REQUIRE(retention.has_value());
  CHECK(retention->person == kAnna);
  CHECK(retention->days == 30);
  CHECK(retention->rule == "p/audits.keep");
  CHECK_THAT(Explain(decision, Reader::kTeam),
             Catch::Contains("the round's deltas are kept for u-7k2m4p5q6rst2uvw") &&
                 Catch::Contains("the round's deltas are kept at least 30 days"));
}

TEST_CASE("Retention: with an upper bound alone, deltas are kept that long") {
  const auto bundle = Load({House(), Guardrail("p", Keeping(For(kAnna, "at_most: 7d")))});
  const auto retention = RetentionOf(Evaluate(*bundle, PlainModel(), Noon()));
  REQUIRE(retention.has_value());
  CHECK(retention->days == 7);
}

TEST_CASE("Retention: of several rules the longest least and the shortest most hold") {
  const auto bundle =
      Load({House(), Guardrail("p", Keeping(For(kAnna, "at_least: 30d, at_most: 365d"))),
            Guardrail("q", Keeping(For(kAnna, "at_least: 60d"))),
            Guardrail("r", Keeping(For(kAnna, "at_most: 90d")))});
  CHECK(Bounds(Evaluate(*bundle, PlainModel(), Noon())) ==
        Texts{"deltas.retained_days at_least 60", "deltas.retained_days at_most 90",
              "deltas.retained_for is u-7k2m4p5q6rst2uvw"});
}

TEST_CASE("Retention: what no span or no person satisfies is a conflict that names both rules") {
  for (const std::string& other : {For(kAnna, "at_most: 7d"), For(kBen, "at_least: 30d")}) {
    CAPTURE(other);
    const auto bundle = Load({House(), Guardrail("p", Keeping(For(kAnna, "at_least: 30d"))),
                              Guardrail("q", Keeping(other))});
    const v1::Decision decision = Evaluate(*bundle, PlainModel(), Noon());
    CHECK(decision.verdict() == v1::VERDICT_DENY);
    REQUIRE(Reasons(decision) == Texts{"obligations/conflict"});
    CHECK_THAT(decision.failures(0).because(),
               Catch::Contains("p/audits.keep") && Catch::Contains("q/audits.keep"));
    CHECK(decision.obligations().empty());
  }
}

TEST_CASE("Retention: a rule that only warns keeps nothing") {
  const auto bundle =
      Load({House(), Guardrail("p", "mode: warn\n" + Keeping(For(kAnna, "at_least: 30d")))});
  CHECK(Evaluate(*bundle, PlainModel(), Noon()).obligations().empty());
}

TEST_CASE("Retention: a mistake in it is named with its place") {
  CHECK_THAT(ErrorOf("{for: anna, at_least: 30d}"),
             Catch::Contains("f1.yaml:10:") && Catch::Contains("'for' is no person's id"));
  CHECK_THAT(ErrorOf("{at_least: 30d}"), Catch::Contains("for"));
  CHECK_THAT(ErrorOf(For(kAnna, "at_least: 30")), Catch::Contains("no number of days"));
  CHECK_THAT(ErrorOf(For(kAnna, "at_least: 0d")), Catch::Contains("no number of days"));
  CHECK_THAT(ErrorOf(For(kAnna, "at_least: 24h")), Catch::Contains("no number of days"));
  CHECK_THAT(ErrorOf(For(kAnna, "at_least: 30d, at_most: 7d")),
             Catch::Contains("'at_least' is more than 'at_most'"));
  CHECK_THAT(ErrorOf(absl::StrCat("{for: ", kAnna, "}")), Catch::Contains("no span of time"));
  CHECK_THAT(ErrorOf(For(kAnna, "at_leest: 30d")), Catch::Contains("at_least"));
  CHECK_THAT(ErrorOf("yes"), Catch::Contains("f1.yaml:10:"));
  CHECK_THAT(ErrorOf(For(kAnna, "at_least: 30d") + ", check: {secagg.k: {at_least: 2}}"),
             Catch::Contains("make them two requirements"));
}

TEST_CASE("Retention: only a requirement of the round can ask for it") {
  for (const char* phase : {"pre", "post", "approval"}) {
    CAPTURE(phase);
    const auto bundle =
        TryLoad({House(), Guardrail("p", absl::StrCat("rules:\n  - id: r\n    effect: require\n    "
                                                      "require: [{id: k, phase: ",
                                                      phase, ", retain_deltas: {for: ", kAnna,
                                                      ", at_most: 7d}}]\n"))});
    REQUIRE_FALSE(bundle.ok());
    CHECK_THAT(std::string(bundle.status().message()), Catch::Contains("retain_deltas"));
  }
}

TEST_CASE("Retention: the emergency path cannot let anybody open deltas") {
  const auto issue = [](const std::vector<std::string>& texts, std::uint64_t revision) {
    BundleHead head;
    head.revision = revision;
    head.valid_from = Noon();
    head.valid_to = Noon() + absl::Hours(24);
    const auto bundle = IssueBundle(*Load(texts), head);
    REQUIRE(bundle.ok());
    return *bundle;
  };
  const std::string keeping = Guardrail("p", Keeping(For(kAnna, "at_least: 30d")));
  const std::string plain = Guardrail(
      "p",
      "rules:\n  - id: audits\n    effect: require\n    require: [{id: k, check: {op: {is: "
      "train}}}]\n");
  const std::string both = absl::StrCat(
      plain, "  - {id: more, effect: require, require: [{id: keep, phase: runtime, retain_deltas: ",
      For(kAnna, "at_least: 30d"), "}]}\n");
  const std::string second =
      Guardrail("p", absl::StrCat("rules:\n  - id: audits\n    effect: require\n    require: [{id: "
                                  "k, check: {op: {is: train}}}, {id: keep, phase: runtime, "
                                  "retain_deltas: ",
                                  For(kAnna, "at_least: 30d"), "}]\n"));
  const std::string longer = Guardrail("p", Keeping(For(kAnna, "at_least: 60d")));
  CHECK_FALSE(CheckTightensOnly(*issue({House()}, 1), *issue({House(), keeping}, 2)).ok());
  CHECK_FALSE(CheckTightensOnly(*issue({House(), plain}, 1), *issue({House(), both}, 2)).ok());
  CHECK_FALSE(CheckTightensOnly(*issue({House(), plain}, 1), *issue({House(), second}, 2)).ok());
  CHECK_FALSE(CheckTightensOnly(*issue({House(), keeping}, 1), *issue({House(), longer}, 2)).ok());
  CHECK(CheckTightensOnly(*issue({House(), keeping}, 1), *issue({House(), keeping}, 2)).ok());
}

TEST_CASE("Retention: difference and format know it") {
  const auto before = Load({House(), Guardrail("p", Keeping(For(kAnna, "at_least: 30d")))});
  const auto after = Load({House(), Guardrail("p", Keeping(For(kAnna, "at_least: 60d")))});
  CHECK(DifferenceOf(*before, *after, Noon()).rules == Texts{"Rule p/audits changes: require."});
  const std::string text = Guardrail("p", Keeping(For(kAnna, "at_least: 30d, at_most: 365d")));
  const auto formatted = FormatPolicyFile(text, "p.yaml");
  REQUIRE(formatted.ok());
  CHECK_THAT(*formatted, Catch::Contains("retain_deltas:") && Catch::Contains("365d"));
  CHECK(Load({House(), *formatted})->rule_count() == 2);
}

}  // namespace
}  // namespace carnet::policies
