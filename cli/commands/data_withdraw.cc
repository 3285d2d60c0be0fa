// `carnet data withdraw`: no later round uses the shard; what it was used for is listed.
#include "cli/commands/data_withdraw.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "cli/client.h"
#include "cli/output.h"

namespace carnet::cli {
namespace {

struct WithdrawOptions {
  std::string state;
  std::string shard;
  std::string reason;
};

void PrintJson(const v1::WithdrawShardResponse& response, const std::string& shard,
               std::uint64_t index, CommandContext& context) {
  nlohmann::json models = nlohmann::json::array();
  for (const v1::TrainedModel& model : response.models()) {
    models.push_back({{"job_id", model.job_id()},
                      {"round", model.round()},
                      {"model_sha256", HexEncode(AsBytes(model.model_sha256()))},
                      {"released", model.released()}});
  }
  *context.out << nlohmann::json{{"shard", shard},
                                 {"index", index},
                                 {"jobs_waiting",
                                  std::vector<std::string>(response.jobs_waiting().begin(),
                                                           response.jobs_waiting().end())},
                                 {"models", std::move(models)}}
                      .dump()
               << '\n';
}

void PrintText(const v1::WithdrawShardResponse& response, const std::string& shard,
               std::uint64_t index, CommandContext& context) {
  *context.out << "withdrawn " << shard << " (record " << index << "): no later round uses it\n";
  for (const std::string& job : response.jobs_waiting()) {
    *context.out << "waiting   " << job << ": its model was trained on it; stop it with carnet job "
                 << "stop " << job << '\n';
  }
  if (response.models().empty()) {
    *context.out << "no model contains it\n";
    return;
  }
  Table table({"contains it: model", "job", "round", "released"});
  for (const v1::TrainedModel& model : response.models()) {
    table.Add({ShortDigest(AsBytes(model.model_sha256())), model.job_id(),
               absl::StrCat(model.round()), model.released() ? "yes" : "no"});
  }
  *context.out << table.ToString();
}

absl::StatusOr<int> Withdraw(const WithdrawOptions& options, CommandContext& context) {
  const std::size_t slash = options.shard.find('/');
  if (slash == std::string::npos) {
    return WithRemedy(absl::InvalidArgumentError("data withdraw: which shard?"),
                      "name it as DATASET/SHARD");
  }
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::WithdrawShardRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_dataset(options.shard.substr(0, slash));
  request.set_shard(options.shard.substr(slash + 1));
  request.set_reason(options.reason);
  CARNET_ASSIGN_OR_RETURN(const v1::WithdrawShardResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::WithdrawShard, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  context.json ? PrintJson(response, options.shard, index, context)
               : PrintText(response, options.shard, index, context);
  return kGood;
}

}  // namespace

void AddDataWithdraw(CLI::App& noun, CommandContext& context) {
  const auto options = std::make_shared<WithdrawOptions>();
  CLI::App* withdraw = AddCommand(noun, context, "withdraw", "End all use of a shard, for good",
                                  [options, &context] { return Withdraw(*options, context); });
  withdraw->add_option("shard", options->shard, "DATASET/SHARD")->required();
  withdraw
      ->add_option("--reason", options->reason,
                   "subject-request, licence-ended, mislabelled or contract-ended")
      ->required();
  withdraw->add_option("--state", options->state,
                       "The coordinator's state folder; default: the context in CARNET_CONTEXT");
}

}  // namespace carnet::cli
