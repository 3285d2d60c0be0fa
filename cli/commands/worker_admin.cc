// `carnet worker invite|revoke|list`: who trains where.
#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/json_views.h"
#include "cli/output.h"

namespace carnet::cli {
namespace {

struct WorkerOptions {
  std::string state;
  std::string worker;
  std::string region;
  std::string out;
};

absl::StatusOr<int> Invite(const WorkerOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::InviteWorkerRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_region(options.region);
  request.set_slot(options.worker);
  CARNET_ASSIGN_OR_RETURN(const v1::InviteWorkerResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::InviteWorker, request));
  if (!options.out.empty()) {
    CARNET_RETURN_IF_ERROR(
        CreateFileAtomic(options.out, AsBytes(absl::StrCat(response.token(), "\n"))));
  }
  if (context.json) {
    nlohmann::json object = {{"slot", options.worker}, {"region", options.region}};
    options.out.empty() ? object["token"] = response.token() : object["file"] = options.out;
    *context.out << object.dump() << '\n';
  } else if (options.out.empty()) {
    *context.err << "The token is a secret, good once and for 24 hours; it is not shown again.\n";
    *context.out << response.token() << '\n';
  } else {
    *context.out << "token for " << options.worker << " in " << options.out
                 << " (a secret, good once and for 24 hours)\n"
                 << "Next, on the worker: carnet worker run --join " << options.out
                 << " --state DIR --data DATASET/SHARD=PATH\n";
  }
  return kGood;
}

absl::StatusOr<int> Revoke(const WorkerOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::RevokeWorkerRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_worker_id(options.worker);
  CARNET_ASSIGN_OR_RETURN(const v1::RevokeWorkerResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::RevokeWorker, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"worker", options.worker}, {"index", index}}.dump() << '\n';
  } else {
    *context.out << "revoked " << options.worker << " (record " << index << ")\n";
  }
  return kGood;
}

absl::StatusOr<v1::ListWorkersResponse> FetchWorkers(const WorkerOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  return client->Call(client->admin(), &v1::Admin::Stub::ListWorkers, v1::ListWorkersRequest());
}

std::string PresenceWord(const v1::WorkerStatus& worker) {
  if (worker.revoked()) {
    return "revoked";
  }
  return worker.live() ? "live" : "away";
}

absl::StatusOr<int> ListWorkers(const WorkerOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const v1::ListWorkersResponse response, FetchWorkers(options));
  Table table({"SLOT", "STATE", "REGION", "PLACE", "LOCATION", "SUPPLIER", "SHARDS", "TASK"});
  for (const v1::WorkerStatus& worker : response.workers()) {
    if (context.json) {
      *context.out << WorkerJson(worker).dump() << '\n';
      continue;
    }
    table.Add({worker.slot(), PresenceWord(worker), worker.region(),
               absl::StrJoin(worker.jurisdictions(), " "), LocationWord(worker.location()),
               worker.supplier(), absl::StrJoin(worker.shards(), " "), worker.current_task()});
  }
  if (!context.json) {
    *context.out << (table.empty() ? "no workers are enrolled\n" : table.ToString());
  }
  return kGood;
}

void AddState(CLI::App* command, const std::shared_ptr<WorkerOptions>& options) {
  command->add_option("--state", options->state,
                      "The coordinator's state folder; default: the context in CARNET_CONTEXT");
}

}  // namespace

void RegisterWorkerAdminCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "worker", "Workers abroad");
  const auto options = std::make_shared<WorkerOptions>();
  CLI::App* invite = AddCommand(*noun, context, "invite", "Make a join token for a worker",
                                [options, &context] { return Invite(*options, context); });
  invite->add_option("slot", options->worker, "Name of the worker's place, e.g. sg-1")->required();
  invite->add_option("--region", options->region, "Registered region that it stands in")
      ->required();
  invite->add_option("--out", options->out, "File for the token (mode 0600); default: print it");
  AddState(invite, options);
  CLI::App* revoke = AddCommand(*noun, context, "revoke", "Cut a worker off for good",
                                [options, &context] { return Revoke(*options, context); });
  revoke->add_option("worker", options->worker, "Slot or worker id")->required();
  AddState(revoke, options);
  AddState(AddCommand(*noun, context, "list", "Enrolled workers and their health",
                      [options, &context] { return ListWorkers(*options, context); }),
           options);
}

}  // namespace carnet::cli
