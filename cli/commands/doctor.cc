// `carnet doctor`: is a state folder as it should be?
#include "cli/doctor.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "ledger/log.h"

namespace carnet::cli {
namespace {

const char* Word(Health health) {
  const char* const words[] = {"ok", "warn", "fail"};
  return words[static_cast<int>(health)];
}

Colour ColourOf(Health health) {
  return health == Health::kOk     ? Colour::kGood
         : health == Health::kWarn ? Colour::kWarning
                                   : Colour::kBad;
}

absl::StatusOr<int> Examine(const std::filesystem::path& state, CommandContext& context) {
  std::error_code error;
  const bool coordinator = std::filesystem::exists(state / ledger::kStoreFileName, error);
  if (!coordinator && !std::filesystem::exists(state / "federation.json", error)) {
    return WithRemedy(
        WithOperatorDetail(absl::NotFoundError("doctor: no state of a coordinator or a worker"),
                           state.string()),
        "give the folder that --state of the daemon names");
  }
  const absl::Time now = SystemClock().Now();
  const std::vector<Finding> findings =
      coordinator ? ExamineCoordinator(state, now) : ExamineWorker(state, now);
  for (const Finding& finding : findings) {
    if (context.json) {
      *context.out << nlohmann::json{{"check", finding.check},
                                     {"health", Word(finding.health)},
                                     {"what", finding.what},
                                     {"remedy", finding.remedy}}
                          .dump()
                   << '\n';
      continue;
    }
    *context.out << Coloured(context, ColourOf(finding.health),
                             absl::StrCat(Word(finding.health),
                                          finding.health == Health::kOk ? "  " : ""))
                 << "  " << finding.check << ": " << finding.what << '\n';
    if (!finding.remedy.empty()) {
      *context.out << "        " << finding.remedy << '\n';
    }
  }
  const bool failed = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.health == Health::kFail;
  });
  return failed ? kRefused : kGood;
}

}  // namespace

void RegisterDoctorCommand(CLI::App& app, CommandContext& context) {
  const auto state = std::make_shared<std::string>();
  CLI::App* command = AddCommand(app, context, "doctor", "Is a state folder as it should be?",
                                 [state, &context] { return Examine(*state, context); });
  command->add_option("--state", *state, "State folder of a coordinator or a worker")->required();
}

}  // namespace carnet::cli
