#include "cli/commands/policy_decisions.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/opa_decisions.h"
#include "ledger/record.h"
#include "ledger/view.h"

namespace carnet::cli {
namespace {

using nlohmann::json;

struct DecisionOptions {
  std::string state;
  std::string job;
  std::uint64_t since = 0;
  bool opa = false;
};

void Print(const json& event, bool whole, std::ostream& out) {
  if (whole) {
    out << event.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    return;
  }
  const json& input = event["input"];
  out << event["timestamp"].get<std::string>() << "  record " << input["record"] << "  "
      << event["result"]["verdict"].get<std::string>() << "  " << input["op"].get<std::string>()
      << ' ' << input["from"].get<std::string>() << " -> " << input["to"].get<std::string>() << "  "
      << input["worker"].get<std::string>() << "  " << event["decision_id"].get<std::string>()
      << '\n';
}

absl::StatusOr<int> Decisions(const DecisionOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const auto log, ledger::LogView::OpenReadOnly(options.state));
  std::string federation;
  CARNET_RETURN_IF_ERROR(log->ForEachRecord(
      0, [&](std::uint64_t index, const v1::SignedRecord& record) -> absl::Status {
        if (index != 0 && index < options.since) {
          return absl::OkStatus();
        }
        CARNET_ASSIGN_OR_RETURN(const json statement,
                                ParseJson(record.statement(), ledger::kStatementBytesMax));
        if (index == 0) {
          federation = statement["predicate"].value("origin", "");
        }
        for (const json& event : OpaDecisions(statement, index, federation)) {
          if (options.job.empty() || event["input"]["job"] == options.job) {
            Print(event, options.opa || context.json, *context.out);
          }
        }
        return absl::OkStatus();
      }));
  return kGood;
}

}  // namespace

void AddPolicyDecisions(CLI::App& app, CommandContext& context) {
  const auto options = std::make_shared<DecisionOptions>();
  CLI::App* const command =
      AddCommand(*AddNoun(app, "policy", "Rules about what may cross a border"), context,
                 "decisions", "Every decision on record, allowed and refused, one a line",
                 [options, &context] { return Decisions(*options, context); });
  command
      ->add_option("--state", options->state, "The coordinator's state folder; it may be running")
      ->required();
  command->add_flag("--opa", options->opa,
                    "As events of Open Policy Agent's decision log, in JSON");
  command->add_option("--job", options->job, "Of this job alone");
  command->add_option("--since", options->since, "From this record on");
}

}  // namespace carnet::cli
