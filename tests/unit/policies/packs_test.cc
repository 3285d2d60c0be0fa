#include "policies/packs.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/yaml.h"
#include "policies/compiled.h"
#include "policies/condition.h"
#include "policies/test_runner.h"
#include "tests/testing/source_dir.h"

namespace carnet::policies {
namespace {

TEST_CASE("Packs: every case of the worked bundle holds as written") {
  const auto bundle = StarterBundle("DE");
  INFO(bundle.status().ToString());
  REQUIRE(bundle.ok());
  const auto report = RunTests(**bundle);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  CHECK(report->outcomes.size() >= 37);
  for (const TestOutcome& outcome : report->outcomes) {
    INFO(outcome.place << " " << outcome.name << ": " << absl::StrJoin(outcome.problems, "; "));
    CHECK(outcome.passed);
  }
}

TEST_CASE("Packs: none comes with an exception, and one that is written beside it holds") {
  std::vector<SourceFile> files;
  for (const Pack& pack : Packs()) {
    SourceFile file = pack.files.front();
    CAPTURE(pack.name);
    CHECK(file.text.find("\nexceptions:") == std::string::npos);
    if (pack.name == "us-ear-ai") {
      file.text +=
          "exceptions:\n  - id: EXC-2026-014\n    lifts: hq-in-d5\n    only_when:\n"
          "      recipient.org: {is: acme-frankfurt}\n      job.id: {is: triage-7}\n"
          "    ticket: LEGAL-8812\n    valid: {from: 2026-10-01, to: 2026-12-31}\n";
    }
    files.push_back(file);
  }
  const std::string facts =
      "set: {worker.chip_eccn: 3A090.a, recipient.ultimate_parent: CN, recipient.org: "
      "acme-frankfurt, job.id: triage-7";
  files.push_back(
      {"tests.yaml",
       absl::StrCat("tests: exception\nat: 2026-11-21T09:00:00Z\nbundle: [house, us-ear-ai]\n"
                    "base: {op: place, artifact.kind: job, to.jurisdiction: DE, evidence: [], "
                    "to.location_grade: contract, recipient.organised_in: DE, "
                    "recipient.listed_owner_pct: 0}\ncases:\n"
                    "  - {name: under it, ",
                    facts,
                    "}, expect: allow, exception: EXC-2026-014}\n"
                    "  - {name: nobody approved it, ",
                    facts,
                    ", approvals: []}, expect: deny, reason: us-ear-ai/hq-in-d5}\n"
                    "  - {name: the day after, at: 2027-01-01T00:00:00Z, ",
                    facts,
                    ", approvals: [{rule: us-ear-ai/EXC-2026-014, person: una, role: us-counsel}, "
                    "{rule: us-ear-ai/EXC-2026-014, person: tom, role: export-control}]}, "
                    "expect: deny, reason: us-ear-ai/hq-in-d5}\n")});
  const auto bundle = BundleFromFiles(files);
  INFO(bundle.status().ToString());
  REQUIRE(bundle.ok());
  const auto report = RunTests(**bundle);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  REQUIRE(report->outcomes.size() == 3);
  for (const TestOutcome& outcome : report->outcomes) {
    INFO(outcome.name << ": " << absl::StrJoin(outcome.problems, "; "));
    CHECK(outcome.passed);
  }
}

TEST_CASE("Packs: the starter bundle takes the home it is given") {
  const auto bundle = StarterBundle("FR");
  REQUIRE(bundle.ok());
  CHECK((*bundle)->home() == "FR");
  CHECK_FALSE(StarterBundle("UK").ok());
}

TEST_CASE("Packs: the starter bundle survives the way through the ledger byte for byte") {
  const auto bundle = StarterBundle("DE");
  REQUIRE(bundle.ok());
  const auto again = BundleFromJson((*bundle)->CanonicalJson());
  INFO(again.status().ToString());
  REQUIRE(again.ok());
  CHECK((*again)->CanonicalJson() == (*bundle)->CanonicalJson());
  CHECK((*again)->sha256() == (*bundle)->sha256());
  const auto before = RunTests(**bundle);
  const auto after = RunTests(**again);
  REQUIRE(before.ok());
  REQUIRE(after.ok());
  REQUIRE(before->outcomes.size() == after->outcomes.size());
  for (std::size_t i = 0; i < before->outcomes.size(); ++i) {
    CHECK(before->outcomes[i].decision.SerializeAsString() ==
          after->outcomes[i].decision.SerializeAsString());
  }
}

TEST_CASE("Packs: every policy and every group has a test") {
  const auto bundle = StarterBundle("DE");
  REQUIRE(bundle.ok());
  std::set<std::string> tested;
  std::set<int> groups;
  std::size_t cases = 0;
  for (const TestSuite& suite : (*bundle)->compiled().suites) {
    tested.insert(suite.policies.begin(), suite.policies.end());
    cases += suite.cases.size();
    for (const GroupTest& test : suite.groups) {
      groups.insert(test.group);
    }
  }
  CHECK(tested.size() == (*bundle)->PolicyNames().size());
  CHECK(groups.size() == (*bundle)->compiled().groups.size());
  CHECK(cases >= 710);
}

// Whether a case was seen that a rule is about and lets by, and one that it stops (or would, if it
// did more than tell).
struct Seen {
  bool passes = false;
  bool fails = false;
};

bool Names(const google::protobuf::RepeatedPtrField<v1::Failure>& failures, const Rule& rule) {
  return std::any_of(failures.begin(), failures.end(), [&rule](const v1::Failure& failure) {
    return failure.reason() == rule.reason ||
           absl::StartsWith(failure.reason(), absl::StrCat(rule.reason, "."));
  });
}

// A regime that covers people says itself that none of its allows was satisfied.
bool IsWithoutAllow(const Policy& policy, const Rule& rule, const v1::Decision& decision) {
  const std::string no_allow = absl::StrCat(policy.name, "/no-allow");
  const auto& failures = decision.failures();
  return Names(failures, rule) || (policy.covers.nobody && !failures.empty()) ||
         std::any_of(failures.begin(), failures.end(), [&no_allow](const v1::Failure& failure) {
           return failure.reason() == no_allow;
         });
}

bool AppliesIn(const TestCase& test, const Policy& policy, const Rule& rule, const FactView& view) {
  return test.at >= policy.effective_from && test.at < policy.effective_to &&
         test.at >= rule.in_force_from && Test(policy.applies_when, view) != Truth::kFalse &&
         !(policy.unless.has_value() && Test(*policy.unless, view) == Truth::kTrue);
}

void Note(const Policy& policy, const Rule& rule, const FactView& view,
          const v1::Decision& decision, Seen* seen) {
  const bool allowed = decision.verdict() == v1::VERDICT_ALLOW;
  if (rule.effect == Effect::kAllow || rule.effect == Effect::kDeclassify) {
    const auto& rules = decision.rules();
    const bool granted = std::find(rules.begin(), rules.end(), rule.reason) != rules.end();
    seen->passes = seen->passes || granted;
    seen->fails =
        seen->fails ||
        (!granted &&
         (rule.effect == Effect::kDeclassify ? !allowed : IsWithoutAllow(policy, rule, decision)));
    return;
  }
  Truth when = Test(rule.when, view);
  if (rule.unless.has_value()) {
    when = And(when, Not(Test(*rule.unless, view)));
  }
  const bool failed = Names(decision.failures(), rule) || Names(decision.warnings(), rule);
  // A deny lets by what it is not about; a requirement what it is about and what meets it.
  const Truth by = rule.effect == Effect::kDeny ? Truth::kFalse : Truth::kTrue;
  seen->passes = seen->passes || (allowed && !failed && when == by);
  seen->fails = seen->fails || failed;
}

TEST_CASE("Packs: every rule has a case that it lets by and one that it stops") {
  const auto bundle = StarterBundle("DE");
  REQUIRE(bundle.ok());
  const CompiledBundle& compiled = (*bundle)->compiled();
  const auto report = RunTests(**bundle);
  REQUIRE(report.ok());
  std::map<std::string, const v1::Decision*> decisions;  // by place
  for (const TestOutcome& outcome : report->outcomes) {
    decisions[outcome.place] = &outcome.decision;
  }
  std::map<std::string, Seen> seen;
  for (const TestSuite& suite : compiled.suites) {
    for (const TestCase& test : suite.cases) {
      FactView view(compiled, test.facts, test.at);
      for (const Policy& policy : compiled.policies) {
        if (std::find(suite.policies.begin(), suite.policies.end(), policy.name) ==
            suite.policies.end()) {
          continue;
        }
        view.Enter(policy);
        for (const Rule& rule : policy.rules) {
          if (AppliesIn(test, policy, rule, view)) {
            Note(policy, rule, view, *decisions.at(test.place), &seen[rule.reason]);
          }
        }
      }
    }
  }
  for (const Policy& policy : compiled.policies) {
    for (const Rule& rule : policy.rules) {
      CAPTURE(rule.reason);
      CHECK(seen[rule.reason].passes);
      CHECK(seen[rule.reason].fails);
    }
  }
}

TEST_CASE("Packs: each has its digest, dates and a title") {
  REQUIRE(Packs().size() >= 25);
  for (const Pack& pack : Packs()) {
    CAPTURE(pack.name);
    CHECK(pack.files.size() == 2);
    CHECK_FALSE(pack.title.empty());
    CHECK((pack.kind == "groups" || !pack.review_by.empty()));
    CHECK(FindPack(pack.name) == &pack);
  }
  CHECK(FindPack("nothing") == nullptr);
}

TEST_CASE(
    "Packs: each that is not a choice of the house names its sources and is no legal advice") {
  for (const Pack& pack : Packs()) {
    if (pack.kind == "groups" || pack.facts_as_of.empty()) {
      continue;
    }
    CAPTURE(pack.name);
    const auto root = yaml::Parse(pack.files.front().text, pack.name);
    REQUIRE(root.ok());
    const yaml::Node* sources = root->Find("sources");
    REQUIRE(sources != nullptr);
    CHECK((!sources->items.empty() || !sources->text.empty()));
    CHECK(root->Find("note") != nullptr);
  }
}

TEST_CASE("Packs: a lock is read back as it was written, and by hand it is none") {
  const Pack* pack = FindPack("sg-pdpa");
  REQUIRE(pack != nullptr);
  const PackLock lock = {{"sg-pdpa", {pack->sha256, {{"sg-pdpa.yaml", pack->sha256}}}}};
  const std::string text = PackLockToText(lock);
  const auto again = PackLockFromText(text);
  REQUIRE(again.ok());
  CHECK(again->at("sg-pdpa").sha256 == pack->sha256);
  CHECK(again->at("sg-pdpa").files.size() == 1);
  CHECK_FALSE(PackLockFromText(text + " ").ok());
  CHECK_FALSE(PackLockFromText("{}").ok());
  CHECK_FALSE(PackLockFromText(R"({"format":"carnet-packs/1","packs":{"a":{}}})").ok());
}

TEST_CASE("Packs: the policies of the digits example hold all their cases") {
  const auto bundle = LoadBundle(testing::InTree("examples/digits/policies"));
  INFO(bundle.status().ToString());
  REQUIRE(bundle.ok());
  const auto report = RunTests(**bundle);
  INFO(report.status().ToString());
  REQUIRE(report.ok());
  CHECK(report->outcomes.size() >= 40);
  for (const TestOutcome& outcome : report->outcomes) {
    INFO(outcome.place << " " << outcome.name << ": " << absl::StrJoin(outcome.problems, "; "));
    CHECK(outcome.passed);
  }
}

}  // namespace
}  // namespace carnet::policies
