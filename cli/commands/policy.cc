// `carnet policy check|test|decide|explain|facts`: policies without a server.
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/commands/policy_commands.h"
#include "cli/commands/policy_findings.h"
#include "cli/commands/policy_holders.h"
#include "policies/dates.h"
#include "policies/evaluate.h"
#include "policies/explain.h"
#include "policies/facts.h"
#include "policies/loader.h"
#include "policies/packs.h"
#include "policies/test_runner.h"

namespace carnet::cli {
namespace {

using policies::Bundle;
using BundlePtr = std::shared_ptr<const Bundle>;

constexpr std::size_t kDecisionBytesMax = std::size_t{1} << 20;
// The packs' own home, where no bundle is named.
constexpr char kPacksHome[] = "DE";

struct PolicyOptions {
  std::string bundle;  // a folder, or the JSON of a bundle; empty: the starter packs
  std::string facts;
  std::string decision;
  std::string at;
  std::string reader = "team";
  bool verbose = false;
  HoldersFiles holders;
};

policies::Reader ReaderOf(const std::string& word) {
  return word == "auditor"   ? policies::Reader::kAuditor
         : word == "officer" ? policies::Reader::kOfficer
                             : policies::Reader::kTeam;
}

const char* VerdictWord(v1::Verdict verdict) {
  return verdict == v1::VERDICT_ALLOW ? "allow" : verdict == v1::VERDICT_HOLD ? "hold" : "deny";
}

absl::StatusOr<int> Check(CommandContext& context, const PolicyOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const BundlePtr bundle, OpenBundle(options.bundle));
  CARNET_RETURN_IF_ERROR(CheckHoldersOf(options.holders, *bundle));
  CARNET_ASSIGN_OR_RETURN(const policies::TestReport tests, policies::RunTests(*bundle));
  const std::vector<std::string> names = bundle->PolicyNames();
  CARNET_ASSIGN_OR_RETURN(const PolicyFindings findings,
                          FindingsOf(*bundle, options.bundle, SystemClock().Now()));
  const int code = tests.failed > 0 || !findings.unsourced.empty() ? kRefused : kGood;
  if (context.json) {
    nlohmann::json report = FindingsJson(findings);
    report.update(nlohmann::json{{"home", bundle->home()},
                                 {"policies", names},
                                 {"rules", bundle->rule_count()},
                                 {"tests", tests.outcomes.size()},
                                 {"tests_failed", tests.failed},
                                 {"bytes", bundle->CanonicalJson().size()},
                                 {"sha256", HexEncode(bundle->sha256())}});
    *context.out << report.dump() << '\n';
    return code;
  }
  *context.out << names.size() << " policies (" << absl::StrJoin(names, ", ") << ") with "
               << bundle->rule_count() << " rules are sound; home is "
               << (bundle->home().empty() ? "not named" : bundle->home()) << ".\n"
               << tests.outcomes.size() << " test cases, " << tests.failed << " of them fail"
               << (tests.failed > 0 ? "; see: carnet policy test" : "") << ".\n";
  PrintFindings(*context.out, findings);
  if (tests.outcomes.empty()) {
    *context.err << "carnet: a bundle without tests cannot be proposed\n";
  }
  return code;
}

void PrintOutcome(CommandContext& context, const policies::TestOutcome& outcome,
                  const PolicyOptions& options) {
  if (outcome.passed && !options.verbose) {
    return;
  }
  *context.out << (outcome.passed ? "pass " : "FAIL ") << outcome.place << ": " << outcome.name
               << '\n';
  for (const std::string& problem : outcome.problems) {
    *context.out << "     " << problem << '\n';
  }
  if (!outcome.passed || options.verbose) {
    *context.out << policies::Explain(outcome.decision, ReaderOf(options.reader));
  }
}

absl::StatusOr<int> RunTests(CommandContext& context, const PolicyOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const BundlePtr bundle, OpenBundle(options.bundle));
  CARNET_ASSIGN_OR_RETURN(const policies::TestReport report, policies::RunTests(*bundle));
  const int code = report.failed > 0 ? kRefused : kGood;
  if (context.json) {
    nlohmann::json cases = nlohmann::json::array();
    for (const policies::TestOutcome& outcome : report.outcomes) {
      cases.push_back({{"suite", outcome.suite},
                       {"name", outcome.name},
                       {"place", outcome.place},
                       {"passed", outcome.passed},
                       {"verdict", VerdictWord(outcome.decision.verdict())},
                       {"problems", outcome.problems}});
    }
    *context.out << nlohmann::json{{"passed", report.passed},
                                   {"failed", report.failed},
                                   {"cases", std::move(cases)}}
                        .dump()
                 << '\n';
    return code;
  }
  for (const policies::TestOutcome& outcome : report.outcomes) {
    PrintOutcome(context, outcome, options);
  }
  if (report.outcomes.empty()) {
    return absl::NotFoundError("the bundle has no tests");
  }
  *context.out << report.passed << " of " << report.outcomes.size() << " cases pass\n";
  return code;
}

absl::StatusOr<absl::Time> TimeOf(const std::string& text) {
  if (text.empty()) {
    return SystemClock().Now();
  }
  return policies::ParseInstant(text);
}

absl::Status PrintDecision(CommandContext& context, const v1::Decision& decision,
                           const std::string& reader) {
  if (context.json) {
    CARNET_ASSIGN_OR_RETURN(const std::string json, MessageToJson(decision));
    *context.out << json << '\n';
    return absl::OkStatus();
  }
  *context.out << policies::Explain(decision, ReaderOf(reader));
  return absl::OkStatus();
}

absl::StatusOr<int> Decide(CommandContext& context, const PolicyOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const BundlePtr bundle, OpenBundle(options.bundle));
  CARNET_ASSIGN_OR_RETURN(const absl::Time at, TimeOf(options.at));
  CARNET_ASSIGN_OR_RETURN(const Bytes json, ReadFile(options.facts, policies::kFactsJsonBytesMax));
  const absl::StatusOr<policies::FactSet> facts = policies::FactSet::FromJson(AsText(json));
  if (!facts.ok()) {
    return WithRemedy(WithOperatorDetail(facts.status(), options.facts),
                      "facts are a JSON object of paths and values; docs/facts.md lists them");
  }
  const v1::Decision decision = policies::Evaluate(*bundle, *facts, at);
  CARNET_RETURN_IF_ERROR(PrintDecision(context, decision, options.reader));
  return decision.verdict() == v1::VERDICT_ALLOW ? kGood : kRefused;
}

absl::StatusOr<int> Explain(CommandContext& context, const PolicyOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const Bytes json, ReadFile(options.decision, kDecisionBytesMax));
  v1::Decision decision;
  if (const absl::Status read = JsonToMessage(AsText(json), &decision); !read.ok()) {
    return WithRemedy(
        WithOperatorDetail(read, options.decision),
        "give a decision as `carnet policy decide --json` and refusal records hold it");
  }
  CARNET_RETURN_IF_ERROR(PrintDecision(context, decision, options.reader));
  return kGood;
}

absl::StatusOr<int> PrintFacts(CommandContext& context) {
  if (!context.json) {
    *context.out << policies::FactsPage();
    return kGood;
  }
  nlohmann::json rows = nlohmann::json::array();
  for (const policies::FactSpec& spec : policies::FactTable()) {
    rows.push_back({{"path", spec.path}, {"words", spec.words}, {"meaning", spec.meaning}});
  }
  *context.out << rows.dump() << '\n';
  return kGood;
}

void AddReader(CLI::App* command, PolicyOptions& options) {
  command->add_option("--for", options.reader, "Who reads it: team, officer or auditor")
      ->check(CLI::IsMember({"team", "officer", "auditor"}))
      ->capture_default_str();
}

void AddBundle(CLI::App* command, PolicyOptions& options, const std::string& name) {
  command->add_option(name, options.bundle,
                      "Folder of policies, or the JSON of a bundle; default: the starter packs");
}

}  // namespace

absl::StatusOr<BundlePtr> OpenBundle(const std::string& path) {
  if (path.empty()) {
    return policies::StarterBundle(kPacksHome);
  }
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return policies::LoadBundle(path);
  }
  if (absl::EndsWith(path, ".yaml")) {
    return WithOperatorDetail(
        absl::InvalidArgumentError("a bundle is a folder of policies, or its JSON"), path);
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes json, ReadFile(path, policies::kBundleJsonBytesMax + 1));
  absl::StatusOr<BundlePtr> bundle = policies::BundleFromJson(AsText(json));
  if (!bundle.ok()) {
    return WithOperatorDetail(bundle.status(), path);
  }
  return bundle;
}

void RegisterPolicyCommands(CLI::App& app, CommandContext& context) {
  const auto options = std::make_shared<PolicyOptions>();
  CLI::App* policy = AddNoun(app, "policy", "Rules about what may cross a border");
  CLI::App* check = AddCommand(
      *policy, context, "check", "Is a bundle sound, and do its tests hold?",
      [&context, options] { return WithErrorsAsJson(context, Check(context, *options)); });
  AddBundle(check, *options, "bundle");
  check->add_option("--federation", options->holders.federation,
                    "federation.yaml: can its people meet the approvals?");
  check->add_option("--users", options->holders.users,
                    "What `carnet user list --json` printed: can they?");
  CLI::App* test = AddCommand(
      *policy, context, "test", "Run the tests that a bundle carries",
      [&context, options] { return WithErrorsAsJson(context, RunTests(context, *options)); });
  AddBundle(test, *options, "bundle");
  test->add_flag("--verbose", options->verbose, "Show every case and its decision");
  AddReader(test, *options);

  CLI::App* decide = AddCommand(*policy, context, "decide", "Decide one flow from its facts",
                                [&context, options] { return Decide(context, *options); });
  decide->add_option("--facts", options->facts, "JSON object of fact paths and values")->required();
  AddBundle(decide, *options, "--bundle");
  decide->add_option("--at", options->at,
                     "Time of the decision, 2026-11-21T09:00:00Z; default: now");
  AddReader(decide, *options);

  CLI::App* explain = AddCommand(*policy, context, "explain", "Say what a decision means",
                                 [&context, options] { return Explain(context, *options); });
  explain->add_option("decision", options->decision, "JSON file of a decision")->required();
  AddReader(explain, *options);

  AddCommand(*policy, context, "facts", "The table of facts, as in docs/facts.md",
             [&context] { return PrintFacts(context); });
  RegisterPolicyPackCommands(*policy, context);
  RegisterPolicyEditCommands(*policy, context);
}

}  // namespace carnet::cli
