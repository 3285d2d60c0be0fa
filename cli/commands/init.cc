#include "coordinator/init.h"

#include <memory>
#include <ostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "base/rng.h"
#include "base/status.h"
#include "cli/commands.h"
#include "nlohmann/json.hpp"

namespace carnet::cli {
namespace {

// Whose keys were made here, and who brought his own.
void PrintKeys(const coordinator::InitReport& report, const std::string& state, std::ostream& out) {
  if (!report.keys_made.empty()) {
    out << "  keys     made here for " << absl::StrJoin(report.keys_made, ", ")
        << ": hand over their folders in " << state << "/people and " << state
        << "/operator (their own instead: carnet user keygen)\n";
  }
  for (const std::string& person : report.certified) {
    out << "  person   " << person << ", a key of his own: compare it; certificate in " << state
        << "/people\n";
  }
}

// What nobody could sign here, since those who may brought keys of their own.
void PrintUnstated(const coordinator::InitReport& report, std::ostream& out) {
  if (report.unstated.empty()) {
    return;
  }
  out << "unsigned: no key that was made here may state these, and they are unknown until somebody "
         "does:\n";
  for (const std::string& entry : report.unstated) {
    const bool dataset = absl::StartsWith(entry, "dataset ");
    out << "  " << entry
        << (dataset ? ": a data-steward: carnet data register -f FEDERATION.yaml"
                    : ": compliance, dpo or legal: carnet ")
        << (dataset ? "" : absl::StrReplaceAll(entry, {{" ", " update "}})) << '\n';
  }
}

// What a federation of one person must do in time.
void PrintBootstrap(const coordinator::InitReport& report, const std::string& state,
                    std::ostream& out) {
  if (report.needed.empty()) {
    return;
  }
  const std::string until = FormatTimestamp(report.policies_until);
  out << "bootstrap: one person holds every role, and nobody approves his own policies. Nothing "
         "crosses from "
      << until << " on, unless " << report.needed.size()
      << (report.needed.size() == 1 ? " more person is" : " more people are")
      << " enrolled before and the policies are renewed:\n";
  std::size_t number = 0;
  for (const std::set<std::string>& roles : report.needed) {
    const std::string invitation = absl::StrCat("officer-", ++number, ".invitation");
    out << "  carnet user invite --roles " << absl::StrJoin(roles, ",") << " --jurisdiction "
        << report.jurisdiction << " --organisation " << report.organisation << " --out "
        << invitation << " --state " << state << '\n'
        << "  carnet user enroll --join " << invitation << " --out DIR    (on his own machine)\n";
    for (const std::string& role : roles) {
      out << "  carnet user role grant USER " << role << " --state " << state << '\n';
    }
  }
  out << "  carnet policy renew --state " << state << ", and their carnet policy approve\n";
}

void PrintReport(const coordinator::InitReport& report, const coordinator::InitOptions& options,
                 CommandContext& context) {
  if (context.json) {
    nlohmann::json json = {
        {"federation", report.federation}, {"origin", report.origin},
        {"log_vkey", report.log_vkey},     {"bundle_sha256", report.bundle_sha256},
        {"policies", report.policies},     {"people", report.people},
        {"records", report.records}};
    json["keys_made"] = report.keys_made;
    json["certified"] = report.certified;
    json["unstated"] = report.unstated;
    json["policies_until"] = FormatTimestamp(report.policies_until);
    json["people_needed"] = report.needed;
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
  PrintKeys(report, options.state_dir.string(), out);
  PrintUnstated(report, out);
  PrintBootstrap(report, options.state_dir.string(), out);
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
