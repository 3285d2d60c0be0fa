// `carnet manifest verify`: is this model what the records say it is?
#include "ledger/verifier/manifest.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/erased_view.h"
#include "cli/output.h"
#include "exchange/data_digest.h"
#include "ledger/verifier/trust_policy.h"

namespace carnet::cli {
namespace {

using ledger::verifier::Check;
using ledger::verifier::ManifestReport;
using ledger::verifier::Verdict;

struct ManifestOptions {
  std::string model;
  std::string manifest;
  std::string trust;
};

const char* NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
      return "good";
    case Verdict::kBadEvidence:
      return "bad-evidence";
    case Verdict::kCannotDecide:
      return "cannot-decide";
    case Verdict::kMisbehaviour:
      return "misbehaviour";
  }
  return "";
}

nlohmann::json ChecksToJson(const ManifestReport& report) {
  nlohmann::json checks = nlohmann::json::array();
  for (const Check& check : report.checks) {
    nlohmann::json entry = {{"check", check.name}, {"passed", check.passed}};
    if (!check.passed) {
      entry["expected"] = check.expected;
      entry["found"] = check.actual;
    }
    if (check.index) {
      entry["index"] = *check.index;
    }
    checks.push_back(std::move(entry));
  }
  return checks;
}

nlohmann::json ToJson(const ManifestReport& report) {
  nlohmann::json where = nlohmann::json::array();
  for (const auto& participant : report.participants) {
    where.push_back({{"worker_id", participant.worker_id},
                     {"region", participant.region},
                     {"supplier", participant.supplier},
                     {"jurisdictions", participant.jurisdictions},
                     {"contributions", participant.contributions},
                     {"examples", participant.examples}});
  }
  nlohmann::json cosigned = nlohmann::json::object();
  for (const auto& [witness, time] : report.cosigned) {
    cosigned[witness] = FormatTimestamp(time);
  }
  return {
      {"verdict", NameOf(report.verdict)},
      {"who",
       {{"federation", report.federation},
        {"organisation", report.organisation},
        {"home_jurisdiction", report.home_jurisdiction},
        {"origin", report.origin},
        {"submitter", report.submitter}}},
      {"what",
       {{"job_id", report.job_id},
        {"job", report.job_name},
        {"rounds", report.rounds},
        {"model_sha256", HexEncode(report.model_sha256)},
        {"base_model_sha256", HexEncode(report.base_model_sha256)}}},
      {"where", std::move(where)},
      {"policy",
       {{"bundle_sha256", HexEncode(report.bundle_sha256)}, {"revision", report.bundle_revision}}},
      {"index", report.last_index},
      {"head",
       {{"origin", report.head.origin},
        {"size", report.head.size},
        {"root", HexEncode(report.head.root)},
        {"cosigned", std::move(cosigned)}}},
      {"records", report.records},
      {"erased", ErasedJson(report.erased)},
      {"checks", ChecksToJson(report)},
      {"caveats", report.caveats}};
}

// What the verification learned before it ended.
void PrintFacts(std::ostream& out, const ManifestReport& report) {
  if (!report.federation.empty()) {
    out << "who     federation " << report.federation << " of " << report.organisation << " ("
        << report.home_jurisdiction << ")";
    out << (report.submitter.empty() ? "" : absl::StrCat("; submitted by ", report.submitter))
        << '\n';
  }
  if (!report.job_id.empty()) {
    out << "what    job " << report.job_id
        << (report.job_name.empty() ? "" : absl::StrCat(" (", report.job_name, ")")) << "; model "
        << ShortDigest(report.model_sha256);
    if (report.verdict == Verdict::kGood) {
      out << " after " << report.rounds << (report.rounds == 1 ? " round" : " rounds") << " from "
          << ShortDigest(report.base_model_sha256);
    }
    out << '\n';
  }
  if (!report.participants.empty()) {
    Table table({"where   worker", "region", "in", "supplier", "contributions", "examples"});
    for (const auto& participant : report.participants) {
      table.Add({absl::StrCat("        ", participant.worker_id), participant.region,
                 absl::StrJoin(participant.jurisdictions, ","),
                 participant.supplier.empty() ? "-" : participant.supplier,
                 absl::StrCat(participant.contributions), absl::StrCat(participant.examples)});
    }
    out << table.ToString();
  }
  if (report.bundle_revision > 0) {
    out << "policy  bundle " << ShortDigest(report.bundle_sha256) << ", revision "
        << report.bundle_revision << '\n';
  }
  if (!report.origin.empty()) {
    out << "head    " << report.head.size << " records of " << report.origin;
    out << (report.last_index > 0 ? absl::StrCat("; the model is record ", report.last_index) : "")
        << '\n';
    for (const auto& [witness, time] : report.cosigned) {
      out << "        cosigned by " << witness << " at " << FormatTimestamp(time) << '\n';
    }
  }
  for (const ledger::verifier::Erased& erased : report.erased) {
    out << "        " << ErasedText(erased) << '\n';
  }
}

void Print(const CommandContext& context, const ManifestReport& report, const std::string& model) {
  std::ostream& out = *context.out;
  PrintFacts(out, report);
  for (const Check& check : report.checks) {
    out << (check.passed ? Coloured(context, Colour::kGood, "  ok    ")
                         : Coloured(context, Colour::kBad, "  FAIL  "))
        << check.name << (check.index ? absl::StrCat(", record ", *check.index) : "") << '\n';
    if (!check.passed) {
      out << "        expected  " << check.expected << '\n'
          << "        found     " << check.actual << '\n';
    }
  }
  if (report.verdict == Verdict::kGood) {
    out << Coloured(context, Colour::kGood, "good: ") << model << " is what " << report.records
        << " records say it is\n";
    for (const std::string& caveat : report.caveats) {
      out << Coloured(context, Colour::kDim, absl::StrCat("  note: ", caveat)) << '\n';
    }
    return;
  }
  out << Coloured(context, Colour::kBad, absl::StrCat(NameOf(report.verdict), ": ")) << model
      << " is not shown to be what the records say\n";
}

absl::StatusOr<int> Verify(const ManifestOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const Bytes policy_text,
                          ReadFile(options.trust, ledger::verifier::kTrustPolicyBytesMax));
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::TrustPolicy policy,
                          ledger::verifier::ParseTrustPolicy(AsText(policy_text)));
  CARNET_ASSIGN_OR_RETURN(const Bytes manifest,
                          ReadFile(options.manifest, ledger::verifier::kManifestBytesMax));
  CARNET_ASSIGN_OR_RETURN(const Digest model, exchange::FileDigest(options.model));
  const ManifestReport report = ledger::verifier::VerifyManifest(model, manifest, policy);
  if (context.json) {
    *context.out << ToJson(report).dump() << '\n';
  } else {
    Print(context, report, options.model);
  }
  // The verdicts are the exit codes.
  return static_cast<int>(report.verdict);
}

}  // namespace

void RegisterManifestCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "manifest", "Where a model comes from");
  const auto options = std::make_shared<ManifestOptions>();
  CLI::App* verify = AddCommand(*noun, context, "verify",
                                "Check a model against the records of its making, offline",
                                [options, &context] { return Verify(*options, context); });
  verify->add_option("MODEL", options->model, "The model file")->required();
  verify->add_option("--manifest", options->manifest, "Its manifest, model.carnet")->required();
  verify->add_option("--trust", options->trust, "trust.policy, from somewhere else than the model")
      ->required();
}

}  // namespace carnet::cli
