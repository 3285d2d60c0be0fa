#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/config_loader.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/commands.h"
#include "worker/accept_log.h"
#include "worker/agent.h"
#include "worker/receipt_list.h"
#include "worker/trainer.h"

namespace carnet::cli {
namespace {

struct RunFlags {
  std::string state;
  std::string join;
  std::vector<std::string> data;
  std::string config;
  std::string metrics;
  std::string drain = "25s";
  std::string log_level = "info";
};

absl::StatusOr<int> Run(const RunFlags& flags, CommandContext& context) {
  worker::WorkerOptions options;
  options.state = flags.state;
  options.data = flags.data;
  if (!flags.join.empty()) {
    options.join_token = flags.join;
  }
  if (!flags.config.empty()) {
    options.config = flags.config;
  }
  if (!flags.metrics.empty()) {
    options.metrics_listen = flags.metrics;
  }
  CARNET_ASSIGN_OR_RETURN(const std::int64_t drain_millis, ParseDurationMillis(flags.drain));
  options.drain_grace = absl::Milliseconds(drain_millis);
  CARNET_ASSIGN_OR_RETURN(const LogLevel level, ParseLogLevel(flags.log_level));
  SetLogLevel(level);
  const absl::Status status = worker::RunWorker(options);
  if (worker::IsMisbehaviour(status)) {
    ReportError(context, status);
    return kMisbehaviour;
  }
  CARNET_RETURN_IF_ERROR(status);
  return kGood;
}

struct AcceptFlags {
  std::string state;
  std::string join;
};

absl::StatusOr<int> Accept(const AcceptFlags& flags, CommandContext& context) {
  const SystemClock clock;
  CARNET_ASSIGN_OR_RETURN(const worker::AcceptedLog accepted,
                          worker::AcceptLog(flags.state, flags.join, clock.Now()));
  if (context.json) {
    *context.out << nlohmann::json{{"old_origin", accepted.old_origin},
                                   {"old_size", accepted.old_size},
                                   {"origin", accepted.origin},
                                   {"kept", accepted.kept.string()}}
                        .dump()
                 << '\n';
    return kGood;
  }
  *context.out << accepted.origin << " may take the place of " << accepted.old_origin
               << "\n  this worker saw " << accepted.old_size
               << " records of the old log; the new one is taken only if it admits them\n"
               << "  kept  " << accepted.kept.string() << " (receipts, heads, evidence)\n"
               << "Next: carnet worker run --state " << flags.state << " --join " << flags.join
               << '\n';
  return kGood;
}

// What trainers wrote to standard error: it never leaves this machine, so people look at it here.
absl::StatusOr<int> PrintLogs(const std::string& state, CommandContext& context) {
  const std::filesystem::path path = std::filesystem::path(state) / "logs" / "trainer.log";
  for (const std::filesystem::path& part : {std::filesystem::path(path.string() + ".1"), path}) {
    const auto bytes = ReadFile(part, 2 * worker::kTrainerLogBytesMax);
    if (bytes.ok()) {
      context.out->write(reinterpret_cast<const char*>(bytes->data()),
                         static_cast<std::streamsize>(bytes->size()));
    } else if (!absl::IsNotFound(bytes.status()) || part == path) {
      return bytes.status();
    }
  }
  return kGood;
}

// Which of this worker's records a published head covers, so that nobody can drop them unseen.
absl::StatusOr<int> PrintReceipts(const std::string& state, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const worker::ReceiptList list, worker::ListReceipts(state));
  if (context.json) {
    nlohmann::json receipts = nlohmann::json::array();
    for (const worker::KeptReceipt& receipt : list.receipts) {
      receipts.push_back({{"index", receipt.index},
                          {"state", receipt.pending ? "pending" : "published"},
                          {"record", receipt.record.string()},
                          {"proof", receipt.proof.string()}});
    }
    *context.out << nlohmann::json{{"published_size", list.published_size},
                                   {"receipts", std::move(receipts)}}
                        .dump()
                 << '\n';
    return kGood;
  }
  std::size_t pending = 0;
  for (const worker::KeptReceipt& receipt : list.receipts) {
    pending += receipt.pending ? 1 : 0;
    *context.out << "record " << receipt.index << "  "
                 << (receipt.pending ? "pending" : "published") << "  " << receipt.proof.string()
                 << '\n';
  }
  *context.out << list.receipts.size() << " receipts, " << pending
               << " pending; the newest published head covers " << list.published_size
               << " records\n";
  return kGood;
}

}  // namespace

void RegisterWorkerCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "worker", "The daemon abroad");
  auto flags = std::make_shared<RunFlags>();
  CLI::App* run = AddCommand(*noun, context, "run", "Run a worker until SIGTERM",
                             [flags, &context] { return Run(*flags, context); });
  run->add_option("--state", flags->state, "State folder of this worker")->required();
  run->add_option("--join", flags->join, "Join token (a file); needed for the first run");
  run->add_option("--data", flags->data, "DATASET/SHARD=PATH of a file or folder; may be repeated");
  run->add_option("--config", flags->config, "worker.yaml: trainers, floors, limits");
  run->add_option("--metrics", flags->metrics, "ADDRESS:PORT on loopback for /metrics");
  run->add_option("--drain", flags->drain, "How long a task may still take after SIGTERM")
      ->capture_default_str();
  run->add_option("--log-level", flags->log_level, "debug, info, warning or error")
      ->capture_default_str();

  auto accept = std::make_shared<AcceptFlags>();
  CLI::App* accept_log =
      AddCommand(*noun, context, "accept-log",
                 "Say that a log may take the place of the one that lost records",
                 [accept, &context] { return Accept(*accept, context); });
  accept_log->add_option("--state", accept->state, "State folder of this worker; it is not running")
      ->required();
  accept_log->add_option("--join", accept->join, "Join token of the new log (a file)")->required();

  auto state = std::make_shared<std::string>();
  CLI::App* logs = AddCommand(*noun, context, "logs", "Print what trainers wrote to standard error",
                              [state, &context] { return PrintLogs(*state, context); });
  logs->add_option("--state", *state, "State folder of this worker")->required();
  CLI::App* receipts =
      AddCommand(*noun, context, "receipts", "List this worker's receipts: pending or published",
                 [state, &context] { return PrintReceipts(*state, context); });
  receipts->add_option("--state", *state, "State folder of this worker")->required();
}

}  // namespace carnet::cli
