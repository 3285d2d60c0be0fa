// `carnet witness`: cosigns the heads of other people's logs.
#include <memory>
#include <ostream>

#include "base/clock.h"
#include "base/rng.h"
#include "base/status.h"
#include "cli/commands.h"
#include "ledger/witness_server.h"
#include "nlohmann/json.hpp"

namespace carnet::cli {
namespace {

absl::StatusOr<int> Init(const ledger::WitnessInit& init, CommandContext& context) {
  SystemRng rng;
  CARNET_ASSIGN_OR_RETURN(const std::string vkey, ledger::InitWitness(init, rng));
  if (context.json) {
    *context.out
        << nlohmann::json{{"name", init.name}, {"vkey", vkey}, {"logs", init.logs.size()}}.dump()
        << '\n';
  } else {
    *context.out << "Witness " << init.name << " made, for " << init.logs.size()
                 << " logs (more in witness.yaml).\n"
                 << "For policies:\n  witness NAME " << vkey << " https://ADDRESS:PORT\n"
                 << "Next: carnet witness run --state " << init.state_dir.string() << '\n';
  }
  return kGood;
}

absl::StatusOr<int> Run(const ledger::WitnessServerOptions& options, CommandContext& context) {
  SystemClock clock;
  CARNET_RETURN_IF_ERROR(ledger::RunWitness(
      options, clock, [&context](const std::string& address, const std::string& vkey) {
        if (context.json) {
          *context.out << nlohmann::json{{"address", address}, {"vkey", vkey}}.dump() << std::endl;
        } else {
          *context.out << "Witness ready: " << address << ", " << vkey << std::endl;
        }
      }));
  return kGood;
}

}  // namespace

void RegisterWitnessCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "witness", "Cosign the heads of logs (C2SP tlog-witness)");
  auto init_options = std::make_shared<ledger::WitnessInit>();
  CLI::App* init = AddCommand(*noun, context, "init", "Make a witness: a key and witness.yaml",
                              [init_options, &context] { return Init(*init_options, context); });
  init->add_option("--state", init_options->state_dir, "State folder to make")->required();
  init->add_option("--name", init_options->name,
                   "Its name in cosignatures, e.g. witness.example.org/w1; never changes")
      ->required();
  init->add_option("--log", init_options->logs,
                   "vkey of a log to cosign (`carnet ledger show --vkey`); may be repeated");

  auto options = std::make_shared<ledger::WitnessServerOptions>();
  CLI::App* run = AddCommand(*noun, context, "run", "Run the witness until SIGTERM",
                             [options, &context] { return Run(*options, context); });
  run->add_option("--state", options->state_dir, "State folder")->required();
  run->add_option("--listen", options->listen, "ADDRESS:PORT, in place of witness.yaml's");
}

}  // namespace carnet::cli
