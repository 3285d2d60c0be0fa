#include "coordinator/init.h"

#include <memory>
#include <ostream>

#include "base/clock.h"
#include "base/rng.h"
#include "base/status.h"
#include "cli/commands.h"
#include "nlohmann/json.hpp"

namespace carnet::cli {
namespace {

void PrintReport(const coordinator::InitReport& report, const coordinator::InitOptions& options,
                 CommandContext& context) {
  if (context.json) {
    nlohmann::json json = {
        {"federation", report.federation}, {"origin", report.origin},
        {"log_vkey", report.log_vkey},     {"bundle_sha256", report.bundle_sha256},
        {"policies", report.policies},     {"people", report.people},
        {"records", report.records}};
    for (const auto& token : report.tokens) {
      json["tokens"].push_back(token.string());
    }
    *context.out << json.dump() << '\n';
    return;
  }
  std::ostream& out = *context.out;
  out << "Federation " << report.federation << " founded: " << report.records
      << " records in the ledger.\n"
      << "  log      " << report.log_vkey << '\n'
      << "  policies";
  for (const std::string& policy : report.policies) {
    out << ' ' << policy;
  }
  out << " (approved by one person only: bootstrap)\n";
  for (const auto& token : report.tokens) {
    out << "  token    " << token.string() << " (single use, 24 h)\n";
  }
  out << "Next: carnet coordinator run --state " << options.state_dir.string() << '\n';
}

}  // namespace

void RegisterInitCommand(CLI::App& app, CommandContext& context) {
  auto options = std::make_shared<coordinator::InitOptions>();
  CLI::App* command =
      AddCommand(app, context, "init", "Found a federation from a file",
                 [options, &context]() -> absl::StatusOr<int> {
                   SystemClock clock;
                   SystemRng rng;
                   CARNET_ASSIGN_OR_RETURN(const coordinator::InitReport report,
                                           coordinator::InitFederation(*options, clock, rng));
                   PrintReport(report, *options, context);
                   return kGood;
                 });
  command->add_option("-f,--file", options->federation_file, "federation.yaml")->required();
  command->add_option("--state", options->state_dir, "State folder to make")->required();
  command->add_option("--join-dir", options->join_dir,
                      "Folder for join tokens; default: `join` beside the state folder");
}

}  // namespace carnet::cli
