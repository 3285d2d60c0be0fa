// Bar B9 (docs/performance.md): decisions under all packs and about 500 rules, loading and checking
// the packs, and the sweep of one changed rule. Prints each beside its limit. scripts/bench builds
// and runs it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "policies/compiled.h"
#include "policies/evaluate.h"
#include "policies/loader.h"
#include "policies/packs.h"
#include "policies/sweep.h"
#include "policies/test_runner.h"
#include "tests/bench/report.h"

namespace carnet::bench {
namespace {

using policies::Bundle;
using policies::SourceFile;
using policies::TestCase;
using policies::TestSuite;
using policies::Words;
using BundlePointer = std::shared_ptr<const Bundle>;

constexpr int kPolicies = 24;
constexpr int kRulesEach = 20;
constexpr int kWarmUp = 1000;

struct Arguments {
  std::size_t decisions = 100'000;
  int repeats = 3;
  std::string commit = "unknown";
  bool json = false;
  bool check = false;
};

// Guardrails in the manner of the packs: of one kind of artifact each, over groups and categories.
std::string Guardrail(int number) {
  static constexpr const char* kKinds[] = {"model, delta", "raw_data", "model, aggregate",
                                           "checkpoint", "key"};
  static constexpr const char* kGroups[] = {"eea", "us-coc", "ear-d5", "ear-chip-scope",
                                            "eu-adequate"};
  std::string text = absl::StrCat(
      "policy: synthetic-", number,
      "\nkind: guardrail\ntitle: Synthetic\napprovals: {propose: [a], need: 1, from: [a]}\n"
      "effective: {from: 2026-01-01}\napplies_when: {artifact.kind: {in: [",
      kKinds[number % 5], "]}}\nrules:\n");
  for (int rule = 0; rule < kRulesEach; ++rule) {
    absl::StrAppend(&text, "  - {id: r", rule, ", effect: ", rule % 2 == 0 ? "require" : "deny",
                    ", when: {to.jurisdiction: {in: group:", kGroups[rule % 5],
                    "}, data.categories: {any_in: [genetic, biometric]}, recipient.organised_in: "
                    "{not_in: group:eea}}",
                    rule % 2 == 0 ? ", require: [{id: k, check: {secagg.k: {at_least: 8}}}]" : "",
                    "}\n");
  }
  return text;
}

absl::StatusOr<BundlePointer> AllPacks() {
  std::vector<SourceFile> files = policies::PackFiles();
  for (int i = 0; i < kPolicies; ++i) {
    files.push_back({absl::StrCat("synthetic-", i, ".yaml"), Guardrail(i)});
  }
  return policies::BundleFromFiles(files);
}

// One flow of the packs' own tests, by name.
absl::StatusOr<const TestCase*> CaseNamed(const Bundle& bundle, const std::string& name) {
  for (const TestSuite& suite : bundle.compiled().suites) {
    for (const TestCase& test : suite.cases) {
      if (test.name == name) {
        return &test;
      }
    }
  }
  return absl::NotFoundError(absl::StrCat("bench: no pack has the test '", name, "'"));
}

// p50 and p99 in microseconds of single decisions, the clock's own cost included; the best of the
// repeats.
struct Percentiles {
  double p50 = std::numeric_limits<double>::infinity();
  double p99 = std::numeric_limits<double>::infinity();
};
Percentiles TimeDecisions(Words words, const Bundle& bundle, const TestCase& test,
                          const Arguments& arguments) {
  Percentiles best;
  for (int repeat = 0; repeat < arguments.repeats; ++repeat) {
    std::vector<std::int64_t> nanos;
    nanos.reserve(arguments.decisions);
    std::size_t failures = 0;
    for (std::size_t i = 0; i < arguments.decisions + kWarmUp; ++i) {
      const std::int64_t start = absl::GetCurrentTimeNanos();
      failures += static_cast<std::size_t>(
          policies::Evaluate(bundle, test.facts, test.at, words).failures_size());
      if (i >= kWarmUp) {
        nanos.push_back(absl::GetCurrentTimeNanos() - start);
      }
    }
    CARNET_CHECK((failures == 0) == (test.expect == "allow"));
    std::sort(nanos.begin(), nanos.end());
    best.p50 = std::min(best.p50, static_cast<double>(nanos[nanos.size() / 2]) / 1000);
    best.p99 = std::min(best.p99, static_cast<double>(nanos[nanos.size() * 99 / 100]) / 1000);
  }
  return best;
}

absl::Status MeasureDecisions(const Arguments& arguments, std::vector<Figure>* figures) {
  CARNET_ASSIGN_OR_RETURN(const BundlePointer bundle, AllPacks());
  struct Flow {
    const char* what;
    const char* test;
  };
  for (const Flow& flow : {Flow{"allowed", "a model trained on German data goes to Germany"},
                           Flow{"refused by one rule", "Saudi supplier on SCC but no TIA"},
                           Flow{"refused by four rules", "101 genomes and a Macau operator"}}) {
    CARNET_ASSIGN_OR_RETURN(const TestCase* const test, CaseNamed(*bundle, flow.test));
    const Percentiles found = TimeDecisions(Words::kLeftOut, *bundle, *test, arguments);
    const Percentiles worded = TimeDecisions(Words::kWritten, *bundle, *test, arguments);
    const std::string what =
        absl::StrCat("a decision with ", bundle->rule_count(), " rules, ", flow.what);
    figures->push_back({.bar = "B9 p50",
                        .what = what,
                        .unit = "us",
                        .figure = found.p50,
                        .limit = 10,
                        .at_least = {},
                        .at_most = 1,
                        .checked = true});
    figures->push_back({.bar = "B9 p99",
                        .what = what,
                        .unit = "us",
                        .figure = found.p99,
                        .limit = 100,
                        .at_least = {},
                        .at_most = 1,
                        .checked = true});
    figures->push_back({.bar = "B9 words",
                        .what = "the same, p50, with all that a refusal's record says of it",
                        .unit = "us",
                        .figure = worded.p50,
                        .limit = found.p50,
                        .at_least = {},
                        .at_most = {}});
  }
  return absl::OkStatus();
}

// Seconds of the fastest run.
double Fastest(int repeats, const std::function<void()>& run) {
  absl::Duration best = absl::InfiniteDuration();
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const absl::Time start = absl::Now();
    run();
    best = std::min(best, absl::Now() - start);
  }
  return absl::ToDoubleSeconds(best);
}

void MeasureLoading(const Arguments& arguments, std::vector<Figure>* figures) {
  std::size_t tests = 0;
  const double seconds = Fastest(arguments.repeats, [&tests] {
    const auto report = policies::RunTests(**policies::BundleFromFiles(policies::PackFiles()));
    CARNET_CHECK(report.ok() && report->failed == 0);
    tests = report->passed;
  });
  figures->push_back({.bar = "B9 load",
                      .what = absl::StrCat("loading all packs and running their ", tests, " tests"),
                      .unit = "s",
                      .figure = seconds,
                      .limit = 0.2,
                      .at_least = {},
                      .at_most = 1,
                      .checked = true});
}

// A pack in which one rule reads otherwise.
struct ChangedRule {
  const char* what;
  const char* file;
  std::string from;
  std::string to;
};

absl::Status MeasureSweep(const ChangedRule& change, std::vector<Figure>* figures) {
  std::vector<SourceFile> files = policies::PackFiles();
  CARNET_ASSIGN_OR_RETURN(const BundlePointer before, policies::BundleFromFiles(files));
  for (SourceFile& file : files) {
    const std::size_t at =
        file.name == change.file ? file.text.find(change.from) : std::string::npos;
    if (at != std::string::npos) {
      file.text.replace(at, change.from.size(), change.to);
    }
  }
  CARNET_ASSIGN_OR_RETURN(const BundlePointer after, policies::BundleFromFiles(files));
  std::vector<policies::SweptPolicy> swept;
  const double seconds = Fastest(1, [&] {
    swept =
        policies::SweepChange(*before, *after, absl::FromUnixSeconds(1795219200));  // 2026-11-21
  });
  std::uint64_t classes = 0;
  std::uint64_t decided = 0;
  for (const policies::SweptPolicy& policy : swept) {
    classes += policy.classes;
    decided += policy.decided;
  }
  if (decided == 0) {
    return absl::InternalError("bench: the pack is not what this measures");
  }
  figures->push_back({.bar = "B9 sweep",
                      .what = absl::StrCat(change.what, ": ", decided, " of ", classes, " classes"),
                      .unit = "s",
                      .figure = seconds,
                      .limit = 10,
                      .at_least = {},
                      .at_most = 1,
                      .checked = true});
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Figure>> MeasureAll(const Arguments& arguments) {
  std::vector<Figure> figures;
  CARNET_RETURN_IF_ERROR(MeasureDecisions(arguments, &figures));
  MeasureLoading(arguments, &figures);
  CARNET_RETURN_IF_ERROR(
      MeasureSweep({"the papers of one rule", "gdpr-chapter-v.yaml",
                    "evidence: {any_in: [scc-2021-914, bcr]}", "evidence: {has: bcr}"},
                   &figures));
  CARNET_RETURN_IF_ERROR(MeasureSweep(
      {"one member of a group", "groups.yaml", "[AD, AR, BR, ", "[AD, AR, "}, &figures));
  CARNET_RETURN_IF_ERROR(MeasureSweep({"the rule with the most facts", "us-28cfr202.yaml",
                                       "evidence: {has: cisa-security-requirements}",
                                       "evidence: {any_in: [cisa-security-requirements, tia]}"},
                                      &figures));
  return figures;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("The bar of the policies, each figure beside its limit");
  app.add_option("--decisions", arguments.decisions, "of each kind")
      ->check(CLI::Range(std::size_t{100}, std::size_t{10'000'000}))
      ->capture_default_str();
  app.add_option("--repeats", arguments.repeats, "the best counts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--commit", arguments.commit, "named in the report");
  app.add_flag("--json", arguments.json, "one line of JSON for each figure instead of the table");
  app.add_flag("--check", arguments.check, "exit 1 when a bar is missed; for a quiet machine");
  CLI11_PARSE(app, argc, argv);
  return Report(MeasureAll(arguments), arguments.commit, arguments.json, arguments.check);
}

}  // namespace
}  // namespace carnet::bench

int main(int argc, char** argv) {
  return carnet::bench::Main(argc, argv);
}
