// The command line: one file per noun under commands/, each with one Register function. A command
// parses its options, calls into the rooms, and prints; nothing else happens here.
#ifndef CARNET_CLI_COMMANDS_H_
#define CARNET_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <iosfwd>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace carnet::cli {

// Stable: scripts read them (docs/commands.md).
enum ExitCode : int {
  kGood = 0,
  kRefused = 1,       // a policy said no, or evidence is bad
  kUsage = 2,         // the command, or a file given to it, is not as it should be
  kCannotDecide = 3,  // data is missing
  kMisbehaviour = 4,  // a log contradicts itself; evidence was written
  kUnavailable = 5,   // somebody else did not answer
};

// What every command shares. `out` carries results only (JSON with --json), `err` everything for a
// reader's eyes.
struct CommandContext {
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;
  bool out_is_terminal = false;  // progress bars and colours; off with NO_COLOR
  bool colour = false;
  bool in_is_terminal = false;  // somebody can be asked
  bool json = false;
  int exit_code = kGood;  // of the command that ran
};

// A leaf command: `body` runs after parsing; its exit code, or the error that it returned, ends the
// process. Adds --json.
CLI::App* AddCommand(CLI::App& parent, CommandContext& context, const std::string& name,
                     const std::string& help, std::function<absl::StatusOr<int>()> body);
// A noun, which only holds commands.
CLI::App* AddNoun(CLI::App& app, const std::string& name, const std::string& help);

// Prints what, where and what to do (the lines of the message, and the operator's detail if there
// is one). Returns the exit code of its kind.
int ReportError(CommandContext& context, const absl::Status& status);
ExitCode ExitCodeOf(const absl::Status& status);

void RegisterInitCommand(CLI::App& app, CommandContext& context);
void RegisterCoordinatorCommands(CLI::App& app, CommandContext& context);
void RegisterWitnessCommands(CLI::App& app, CommandContext& context);
void RegisterWorkerCommands(CLI::App& app, CommandContext& context);
void RegisterTrainerCommands(CLI::App& app, CommandContext& context);
void RegisterConfigCommands(CLI::App& app, CommandContext& context);
void RegisterPolicyCommands(CLI::App& app, CommandContext& context);
void RegisterJobCommands(CLI::App& app, CommandContext& context);
void RegisterDataCommands(CLI::App& app, CommandContext& context);
void RegisterEvidenceCommands(CLI::App& app, CommandContext& context);
void RegisterWorkerAdminCommands(CLI::App& app, CommandContext& context);
void RegisterRegionCommands(CLI::App& app, CommandContext& context);
void RegisterSupplierCommands(CLI::App& app, CommandContext& context);
void RegisterDatasetCommands(CLI::App& app, CommandContext& context);
void RegisterUserCommands(CLI::App& app, CommandContext& context);
void RegisterUserAdminCommands(CLI::App& app, CommandContext& context);
void RegisterPolicyLifeCommands(CLI::App& app, CommandContext& context);
void RegisterPolicyRecordCommands(CLI::App& app, CommandContext& context);
void RegisterDoctorCommand(CLI::App& app, CommandContext& context);
void RegisterSucceedCommand(CLI::App& app, CommandContext& context);
void RegisterKeyCommands(CLI::App& app, CommandContext& context);
void RegisterOperatorCommands(CLI::App& app, CommandContext& context);
void RegisterLedgerCommands(CLI::App& app, CommandContext& context);
void RegisterManifestCommands(CLI::App& app, CommandContext& context);
void RegisterAuditCommands(CLI::App& app, CommandContext& context);

}  // namespace carnet::cli

#endif  // CARNET_CLI_COMMANDS_H_
