// `carnet`: the one binary that holds the daemons and the tools.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace {

// CLI11 says "a subcommand is required" also where one stands that it does not know.
bool SayUnknownCommand(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> left = app.remaining(true);
  if (left.empty() || std::string(error.what()) != "A subcommand is required") {
    return false;
  }
  std::cerr << "carnet: no such command: " << left.front() << "\n  to do: carnet --help\n";
  return true;
}

int RunCarnet(int argc, char** argv) {
  carnet::cli::CommandContext context;
  context.out = &std::cout;
  context.err = &std::cerr;
  context.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  context.in_is_terminal = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
  context.colour = context.out_is_terminal && std::getenv("NO_COLOR") == nullptr;

  CLI::App app("Carnet: federated training across borders, with a ledger that outsiders verify",
               "carnet");
  app.set_version_flag("--version", CARNET_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  carnet::cli::RegisterInitCommand(app, context);
  carnet::cli::RegisterCoordinatorCommands(app, context);
  carnet::cli::RegisterWorkerCommands(app, context);
  carnet::cli::RegisterWitnessCommands(app, context);
  carnet::cli::RegisterJobCommands(app, context);
  carnet::cli::RegisterDataCommands(app, context);
  carnet::cli::RegisterEvidenceCommands(app, context);
  carnet::cli::RegisterWorkerAdminCommands(app, context);
  carnet::cli::RegisterRegionCommands(app, context);
  carnet::cli::RegisterSupplierCommands(app, context);
  carnet::cli::RegisterDatasetCommands(app, context);
  carnet::cli::RegisterUserCommands(app, context);
  carnet::cli::RegisterUserAdminCommands(app, context);
  carnet::cli::RegisterPolicyLifeCommands(app, context);
  carnet::cli::RegisterOperatorCommands(app, context);
  carnet::cli::RegisterPolicyRecordCommands(app, context);
  carnet::cli::RegisterKeyCommands(app, context);
  carnet::cli::RegisterSucceedCommand(app, context);
  carnet::cli::RegisterDoctorCommand(app, context);
  carnet::cli::RegisterLedgerCommands(app, context);
  carnet::cli::RegisterManifestCommands(app, context);
  carnet::cli::RegisterAuditCommands(app, context);
  carnet::cli::RegisterTrainerCommands(app, context);
  carnet::cli::RegisterConfigCommands(app, context);
  carnet::cli::RegisterPolicyCommands(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 reports by exception; --help and --version are "errors" of exit code 0.
    if (SayUnknownCommand(app, error)) {
      return carnet::cli::kUsage;
    }
    return app.exit(error) == 0 ? carnet::cli::kGood : carnet::cli::kUsage;
  }
  std::cout.flush();
  return context.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away is an error of that write, not the end of a daemon.
  std::signal(SIGPIPE, SIG_IGN);
  return RunCarnet(argc, argv);
}
