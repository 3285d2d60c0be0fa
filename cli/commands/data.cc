// `carnet data stage`: the real movement of a shard, if policy allows it.
#include <memory>
#include <ostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/commands/data_assess.h"
#include "cli/commands/data_withdraw.h"
#include "cli/json_views.h"
#include "cli/output.h"
#include "cli/problems.h"

namespace carnet::cli {
namespace {

constexpr absl::Duration kStagingPoll = absl::Milliseconds(500);

struct DataOptions {
  std::string state;
  std::string shard;
  std::string to;
  bool wait = false;
};

absl::StatusOr<int> WaitForStaging(Client& client, CommandContext& context,
                                   const std::string& staging_id) {
  v1::GetStagingRequest request;
  request.set_staging_id(staging_id);
  ProgressLine progress(context);
  while (true) {
    CARNET_ASSIGN_OR_RETURN(const v1::GetStagingResponse staging,
                            client.Call(client.admin(), &v1::Admin::Stub::GetStaging, request));
    if (staging.state() == "staged" || staging.state() == "abandoned") {
      const bool staged = staging.state() == "staged";
      progress.Clear();
      if (context.json) {
        *context.out << nlohmann::json{{"staging_id", staging_id},
                                       {"state", staging.state()},
                                       {"sealed_bytes", staging.sealed_bytes()},
                                       {"reason", staging.reason()}}
                            .dump()
                     << '\n';
      } else if (staged) {
        *context.out << Coloured(context, Colour::kGood, "staged") << ": "
                     << FormatBytes(staging.sealed_bytes()) << " moved, sealed\n";
      } else {
        *context.out << Coloured(context, Colour::kBad, "abandoned") << ": " << staging.reason()
                     << '\n';
      }
      return staged ? kGood : kRefused;
    }
    progress.Show(absl::StrCat("staging ", staging_id, ": ", staging.state()));
    absl::SleepFor(kStagingPoll);
  }
}

void PrintRefusal(const v1::StageDataResponse& response, const std::string& shard,
                  CommandContext& context) {
  if (context.json) {
    nlohmann::json decisions = nlohmann::json::array();
    for (const v1::Decision& decision : response.decisions()) {
      decisions.push_back(DecisionJson(decision));
    }
    *context.out << nlohmann::json{{"refused", true}, {"decisions", decisions}}.dump() << '\n';
  } else {
    std::set<std::string> shown;
    *context.out << Coloured(context, Colour::kBad,
                             RefusalText(shard, response.decisions(), &shown))
                 << '\n';
  }
}

absl::StatusOr<int> Stage(const DataOptions& options, CommandContext& context) {
  const std::size_t slash = options.shard.find('/');
  if (slash == std::string::npos) {
    return WithRemedy(absl::InvalidArgumentError("data stage: which shard?"),
                      "name it as DATASET/SHARD");
  }
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::StageDataRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_dataset(options.shard.substr(0, slash));
  request.set_shard(options.shard.substr(slash + 1));
  request.set_to_worker(options.to);
  CARNET_ASSIGN_OR_RETURN(const v1::StageDataResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::StageData, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (response.refused()) {
    PrintRefusal(response, options.shard, context);
    return kRefused;
  }
  if (context.json && !options.wait) {
    *context.out << nlohmann::json{{"staging_id", response.staging_id()}, {"index", index}}.dump()
                 << '\n';
  } else if (!context.json) {
    *context.out << "staging " << options.shard << " to " << options.to << ": "
                 << response.staging_id() << " (record " << index << ")" << std::endl;
  }
  return options.wait ? WaitForStaging(*client, context, response.staging_id()) : kGood;
}

}  // namespace

void RegisterDataCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "data", "Registered data");
  const auto options = std::make_shared<DataOptions>();
  CLI::App* stage = AddCommand(*noun, context, "stage", "Move a shard to another worker, sealed",
                               [options, &context] { return Stage(*options, context); });
  stage->add_option("shard", options->shard, "DATASET/SHARD")->required();
  stage->add_option("--to", options->to, "Slot or id of the worker that is to have it")->required();
  stage->add_flag("--wait", options->wait, "Wait until it has arrived");
  stage->add_option("--state", options->state,
                    "The coordinator's state folder; default: the context in CARNET_CONTEXT");
  AddDataWithdraw(*noun, context);
  AddDataAssess(*noun, context);
}

}  // namespace carnet::cli
