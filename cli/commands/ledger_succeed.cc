// `carnet ledger succeed`.
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/clock.h"
#include "base/rng.h"
#include "base/status.h"
#include "cli/commands.h"
#include "coordinator/succeed.h"

namespace carnet::cli {
namespace {

void Print(const coordinator::SucceedReport& report, const coordinator::SucceedOptions& options,
           CommandContext& context) {
  if (context.json) {
    nlohmann::json json = {{"old_origin", report.old_origin}, {"origin", report.origin},
                           {"log_vkey", report.log_vkey},     {"held", report.held},
                           {"known", report.known},           {"records", report.records},
                           {"left_out", report.left_out},     {"tokens", nlohmann::json::array()}};
    for (const auto& token : report.tokens) {
      json["tokens"].push_back(token.string());
    }
    *context.out << json.dump() << '\n';
    return;
  }
  std::ostream& out = *context.out;
  out << report.origin << " takes the place of " << report.old_origin << ": " << report.records
      << " records\n  log    " << report.log_vkey << "\n  held   " << report.held
      << " records of the old log, which this one goes on from\n  known  a head of " << report.known
      << " records: what lies between is lost, and genesis says so\n";
  for (const std::string& setting : report.left_out) {
    out << "  left out of coordinator.yaml: " << setting << ", which is of the old log\n";
  }
  for (const auto& token : report.tokens) {
    out << "  token  " << token.string() << " (single use, 24 h)\n";
  }
  out << "Jobs do not go on; models and records of the old log stay in "
      << options.state_dir.string() << ", which nothing writes to any more.\n"
      << "Next: carnet coordinator run --state " << options.out_dir.string()
      << "\n  each worker: carnet worker accept-log --state DIR --join TOKEN, then run with the "
         "token\n  people elsewhere: the new log_vkey into their context.yaml\n  auditors: a "
         "trust.policy of this log with a line `# succeeds "
      << report.old_origin << "`, if they accept the loss\n";
}

}  // namespace

void RegisterSucceedCommand(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "ledger", "The log: verify, read, hand out");
  const auto options = std::make_shared<coordinator::SucceedOptions>();
  CLI::App* command =
      AddCommand(*noun, context, "succeed", "Begin a new log after one that lost records",
                 [options, &context]() -> absl::StatusOr<int> {
                   SystemClock clock;
                   SystemRng rng;
                   CARNET_ASSIGN_OR_RETURN(const coordinator::SucceedReport report,
                                           coordinator::SucceedLog(*options, clock, rng));
                   Print(report, *options, context);
                   return kGood;
                 });
  command
      ->add_option("--state", options->state_dir,
                   "State folder of the coordinator that refuses to start; it stays as it is")
      ->required();
  command
      ->add_option("--lost-after", options->lost_after,
                   "File with the newest head of the old log that anybody holds")
      ->required();
  command->add_option("--handovers", options->handovers,
                      "A worker's file `log-keys`: where the log's key was rotated since the state "
                      "that is held");
  command->add_option("--out", options->out_dir, "State folder to make")->required();
  command->add_option("--join-dir", options->join_dir,
                      "Folder for join tokens; default: `join` beside the new state folder");
}

}  // namespace carnet::cli
