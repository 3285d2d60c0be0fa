#include "cli/commands.h"

#include <ostream>
#include <vector>

#include "base/status.h"

namespace carnet::cli {

CLI::App* AddNoun(CLI::App& app, const std::string& name, const std::string& help) {
  const std::vector<CLI::App*> nouns =
      app.get_subcommands([&name](CLI::App* command) { return command->get_name() == name; });
  if (!nouns.empty()) {
    return nouns.front();
  }
  CLI::App* noun = app.add_subcommand(name, help);
  noun->require_subcommand(1);
  return noun;
}

CLI::App* AddCommand(CLI::App& parent, CommandContext& context, const std::string& name,
                     const std::string& help, std::function<absl::StatusOr<int>()> body) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->add_flag("--json", context.json, "Print the result as JSON");
  command->callback([&context, command, body = std::move(body)] {
    if (!command->get_subcommands().empty()) {
      return;  // Its subcommand was asked for, and has said how it went.
    }
    const absl::StatusOr<int> result = body();
    context.exit_code = result.ok() ? *result : ReportError(context, result.status());
  });
  return command;
}

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kGood;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kAborted:
      return kRefused;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
      return kCannotDecide;
    case absl::StatusCode::kDataLoss:
      return kMisbehaviour;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return kUnavailable;
    default:
      return kUsage;
  }
}

int ReportError(CommandContext& context, const absl::Status& status) {
  *context.err << "carnet: " << std::string(status.message()) << '\n';
  if (const std::string where = OperatorDetail(status); !where.empty()) {
    *context.err << "  where: " << where << '\n';
  }
  if (const std::string remedy = Remedy(status); !remedy.empty()) {
    *context.err << "  to do: " << remedy << '\n';
  }
  return ExitCodeOf(status);
}

}  // namespace carnet::cli
