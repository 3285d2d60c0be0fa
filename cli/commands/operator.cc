// What operators and officers ask besides: `carnet coordinator accept-clock` and `carnet policy
// refusals`.
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/json_views.h"
#include "cli/problems.h"
#include "policies/explain.h"

namespace carnet::cli {
namespace {

struct OperatorOptions {
  std::string state;
  std::string job_id;
  std::string reader = "team";
};

absl::StatusOr<int> AcceptClock(const OperatorOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::AcceptClockRequest request;
  request.set_request_id(client->NewRequestId());
  CARNET_ASSIGN_OR_RETURN(const v1::AcceptClockResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::AcceptClock, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"index", index}}.dump() << '\n';
  } else {
    *context.out << "the coordinator's clock is accepted (record " << index << ")\n";
  }
  return kGood;
}

// Worker id -> slot, as far as this user may know.
std::map<std::string, std::string> SlotNames(Client& client) {
  std::map<std::string, std::string> names;
  const absl::StatusOr<v1::ListWorkersResponse> workers =
      client.Call(client.admin(), &v1::Admin::Stub::ListWorkers, v1::ListWorkersRequest());
  if (workers.ok()) {
    for (const v1::WorkerStatus& worker : workers->workers()) {
      names[worker.worker_id()] = worker.slot();
    }
  }
  return names;
}

// Every decision of the refusal, as an officer or an auditor reads it.
void PrintWhole(const v1::RefusalEntry& refusal, const std::string& who, const std::string& reader,
                CommandContext& context) {
  const bool both = !who.empty() && !refusal.job_id().empty();
  const bool any = !who.empty() || !refusal.job_id().empty();  // else it is a reading of the log
  *context.out << "[" << refusal.index() << "] refused" << (any ? " " : "") << who
               << (both ? ", " : "") << refusal.job_id() << '\n';
  for (const v1::Decision& decision : refusal.decisions()) {
    if (decision.verdict() != v1::VERDICT_ALLOW) {
      *context.out << policies::Explain(
          decision, reader == "auditor" ? policies::Reader::kAuditor : policies::Reader::kOfficer);
    }
  }
}

absl::StatusOr<int> Refusals(const OperatorOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::ListRefusalsRequest request;
  request.set_job_id(options.job_id);
  CARNET_ASSIGN_OR_RETURN(const v1::ListRefusalsResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::ListRefusals, request));
  const std::map<std::string, std::string> names = SlotNames(*client);
  for (const v1::RefusalEntry& refusal : response.refusals()) {
    const auto name = names.find(refusal.worker_id());
    const std::string who = name == names.end() ? refusal.worker_id() : name->second;
    if (!context.json && options.reader != "team") {
      PrintWhole(refusal, who, options.reader, context);
      continue;
    }
    if (!context.json) {
      std::set<std::string> shown;
      *context.out << "[" << refusal.index() << "] "
                   << (refusal.job_id().empty() ? "" : absl::StrCat(refusal.job_id(), " "))
                   << RefusalText(who, refusal.decisions(), &shown) << '\n';
      continue;
    }
    nlohmann::json object = {{"index", refusal.index()},
                             {"job_id", refusal.job_id()},
                             {"worker_id", refusal.worker_id()},
                             {"slot", name == names.end() ? "" : name->second},
                             {"decisions", nlohmann::json::array()}};
    for (const v1::Decision& decision : refusal.decisions()) {
      object["decisions"].push_back(DecisionJson(decision));
    }
    *context.out << object.dump() << '\n';
  }
  if (!context.json && response.refusals().empty()) {
    *context.out << "nothing was refused\n";
  }
  return kGood;
}

void AddState(CLI::App* command, const std::shared_ptr<OperatorOptions>& options) {
  command->add_option("--state", options->state,
                      "The coordinator's state folder; default: the context in CARNET_CONTEXT");
}

}  // namespace

void RegisterOperatorCommands(CLI::App& app, CommandContext& context) {
  const auto options = std::make_shared<OperatorOptions>();
  CLI::App* coordinator = AddNoun(app, "coordinator", "The daemon at home");
  AddState(AddCommand(*coordinator, context, "accept-clock",
                      "Say that the coordinator's clock is right after it stepped",
                      [options, &context] { return AcceptClock(*options, context); }),
           options);
  CLI::App* policy = AddNoun(app, "policy", "What may cross a border");
  CLI::App* refusals = AddCommand(*policy, context, "refusals", "What was refused, and why",
                                  [options, &context] { return Refusals(*options, context); });
  refusals->add_option("--job", options->job_id, "Of one job; default: everything");
  refusals
      ->add_option("--for", options->reader,
                   "Who reads it: team, officer (and citations, facts, exceptions) or auditor (and "
                   "digests, and how to derive it again)")
      ->check(CLI::IsMember({"team", "officer", "auditor"}))
      ->capture_default_str();
  AddState(refusals, options);
}

}  // namespace carnet::cli
