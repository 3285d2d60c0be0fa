// `carnet manifest verify | show`: where a model comes from, and whether that holds.
#include "ledger/verifier/manifest.h"

#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/manifest_view.h"
#include "cli/output.h"
#include "exchange/data_digest.h"
#include "ledger/verifier/trust_policy.h"

namespace carnet::cli {
namespace {

using ledger::verifier::Check;
using ledger::verifier::ManifestReport;
using ledger::verifier::TrustPolicy;
using ledger::verifier::Verdict;

struct ManifestOptions {
  std::string model;
  std::string manifest;
  std::string trust;
};

void PrintCaveats(const CommandContext& context, const ManifestReport& report) {
  for (const std::string& caveat : report.caveats) {
    *context.out << Coloured(context, Colour::kDim, absl::StrCat("  note: ", caveat)) << '\n';
  }
}

void PrintVerdict(const CommandContext& context, const ManifestReport& report,
                  const std::string& model) {
  std::ostream& out = *context.out;
  out << ManifestFacts(report);
  for (const Check& check : report.checks) {
    if (check.passed) {
      out << Coloured(context, Colour::kGood, "  ok    ") << check.name << '\n';
    }
  }
  out << ManifestFailure(context, report);
  if (report.verdict == Verdict::kGood) {
    out << Coloured(context, Colour::kGood, "good: ") << model << " is what "
        << report.records + report.leaves << " records say it is\n";
    PrintCaveats(context, report);
    return;
  }
  out << Coloured(context, Colour::kBad, absl::StrCat(VerdictName(report.verdict), ": ")) << model
      << " is not shown to be what the records say\n";
}

absl::StatusOr<TrustPolicy> ReadTrust(const std::string& path) {
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(path, ledger::verifier::kTrustPolicyBytesMax));
  return ledger::verifier::ParseTrustPolicy(AsText(text));
}

absl::StatusOr<int> Verify(const ManifestOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const TrustPolicy policy, ReadTrust(options.trust));
  CARNET_ASSIGN_OR_RETURN(const Bytes manifest,
                          ReadFile(options.manifest, ledger::verifier::kManifestBytesMax));
  CARNET_ASSIGN_OR_RETURN(const Digest model, exchange::FileDigest(options.model));
  const ManifestReport report = ledger::verifier::VerifyManifest(model, manifest, policy);
  if (context.json) {
    *context.out << ManifestJson(report).dump() << '\n';
  } else {
    PrintVerdict(context, report, options.model);
  }
  // The verdicts are the exit codes.
  return static_cast<int>(report.verdict);
}

absl::StatusOr<int> Show(const ManifestOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const Bytes file,
                          ReadFile(options.manifest, ledger::verifier::kManifestBytesMax));
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::Manifest manifest,
                          ledger::verifier::ParseManifest(file));
  CARNET_ASSIGN_OR_RETURN(const TrustPolicy policy, options.trust.empty()
                                                        ? PolicyOfItself(manifest)
                                                        : ReadTrust(options.trust));
  ManifestReport report = ledger::verifier::VerifyManifest(manifest.model_sha256, file, policy);
  report.caveats.emplace_back(
      "no model file was held against it: carnet manifest verify does that");
  if (options.trust.empty()) {
    report.caveats.emplace_back(
        "no trust policy: it is held against itself alone, and may be of any log");
  }
  if (context.json) {
    *context.out << ManifestJson(report).dump() << '\n';
  } else {
    *context.out << ManifestFacts(report) << "form    "
                 << (report.leaves == 0 ? "full, " : "compact, ") << report.records
                 << " records in full"
                 << (report.leaves == 0
                         ? std::string()
                         : absl::StrCat(", ", report.leaves, " by their leaf hashes"))
                 << '\n'
                 << ManifestFailure(context, report);
    PrintCaveats(context, report);
  }
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
  CLI::App* show = AddCommand(*noun, context, "show", "Say what a manifest says, checked, offline",
                              [options, &context] { return Show(*options, context); });
  show->add_option("MANIFEST", options->manifest, "model.carnet")->required();
  show->add_option("--trust", options->trust,
                   "trust.policy; without it the manifest is held against itself alone");
}

}  // namespace carnet::cli
