// Bar B9 (docs/performance.md): one decision under all packs and about 500 rules. Counters p50 and
// p99 are seconds of single decisions; `time` is their mean, the clock's own cost included.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "policies/compiled.h"
#include "policies/evaluate.h"
#include "policies/loader.h"
#include "policies/packs.h"
#include "policies/sweep.h"
#include "policies/test_runner.h"

namespace carnet::policies {
namespace {

constexpr int kPolicies = 24;
constexpr int kRulesEach = 20;

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

const Bundle& AllPacks() {
  static const std::shared_ptr<const Bundle>& bundle = *new std::shared_ptr<const Bundle>([] {
    std::vector<SourceFile> files = PackFiles();
    for (int i = 0; i < kPolicies; ++i) {
      files.push_back({absl::StrCat("synthetic-", i, ".yaml"), Guardrail(i)});
    }
    return BundleFromFiles(files).value();
  }());
  return *bundle;
}

// One flow of the worked bundle's tests, by name.
const TestCase& CaseNamed(const std::string& name) {
  for (const TestSuite& suite : AllPacks().compiled().suites) {
    for (const TestCase& test : suite.cases) {
      if (test.name == name) {
        return test;
      }
    }
  }
  std::abort();
}

void DecideFlow(benchmark::State& state, const std::string& name) {
  const Bundle& bundle = AllPacks();
  const TestCase& test = CaseNamed(name);
  std::vector<double> seconds;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(Evaluate(bundle, test.facts, test.at));
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    seconds.push_back(taken.count());
    state.SetIterationTime(taken.count());
  }
  std::sort(seconds.begin(), seconds.end());
  state.counters["rules"] = static_cast<double>(bundle.rule_count());
  state.counters["p50"] = seconds[seconds.size() / 2];
  state.counters["p99"] = seconds[seconds.size() * 99 / 100];
}
BENCHMARK_CAPTURE(DecideFlow, allow, "a model trained on German data goes to Germany")
    ->UseManualTime();
BENCHMARK_CAPTURE(DecideFlow, deny, "Saudi supplier on SCC but no TIA")->UseManualTime();
BENCHMARK_CAPTURE(DecideFlow, deny_four, "101 genomes and a Macau operator")->UseManualTime();

// Loading all packs.
void LoadPacks(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(BundleFromFiles(PackFiles()));
  }
}
BENCHMARK(LoadPacks)->Unit(benchmark::kMillisecond);

// Loading them and running all their tests, as `carnet policy check` does; below 200 ms.
void CheckPacks(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(RunTests(**BundleFromFiles(PackFiles())));
  }
}
BENCHMARK(CheckPacks)->Unit(benchmark::kMillisecond);

// One changed rule of the largest packs, in every situation that it can tell apart; below 10 s.
void SweepRule(benchmark::State& state, const std::string& pack, const std::string& from,
               const std::string& to) {
  std::vector<SourceFile> files = PackFiles();
  const auto before = BundleFromFiles(files);
  for (SourceFile& file : files) {
    const std::size_t at = file.name == pack ? file.text.find(from) : std::string::npos;
    if (at != std::string::npos) {
      file.text.replace(at, from.size(), to);
    }
  }
  const auto after = BundleFromFiles(files);
  if (!before.ok() || !after.ok() || (*before)->sha256() == (*after)->sha256()) {
    state.SkipWithError("the pack is not what this measures");
    return;
  }
  std::vector<SweptPolicy> swept;
  for (auto _ : state) {
    swept = SweepChange(**before, **after, absl::FromUnixSeconds(1795219200));  // 2026-11-21
  }
  for (const SweptPolicy& policy : swept) {
    state.counters["classes"] += static_cast<double>(policy.classes);
    state.counters["decided"] += static_cast<double>(policy.decided);
  }
}
BENCHMARK_CAPTURE(SweepRule, papers, "gdpr-chapter-v.yaml",
                  "evidence: {any_in: [scc-2021-914, bcr]}", "evidence: {has: bcr}")
    ->Unit(benchmark::kSecond)
    ->Iterations(1);
// The rule of the packs with the most situations.
BENCHMARK_CAPTURE(SweepRule, counters, "us-28cfr202.yaml",
                  "evidence: {has: cisa-security-requirements}",
                  "evidence: {any_in: [cisa-security-requirements, tia]}")
    ->Unit(benchmark::kSecond)
    ->Iterations(1);
BENCHMARK_CAPTURE(SweepRule, group, "groups.yaml", "[AD, AR, BR, ", "[AD, AR, ")
    ->Unit(benchmark::kSecond)
    ->Iterations(1);

}  // namespace
}  // namespace carnet::policies

BENCHMARK_MAIN();
