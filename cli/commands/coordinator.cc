#include <cstdlib>
#include <memory>
#include <ostream>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/status.h"
#include "cli/commands.h"
#include "coordinator/server.h"
#include "ledger/errors.h"
#include "nlohmann/json.hpp"

namespace carnet::cli {

void RegisterCoordinatorCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "coordinator", "The daemon at home");
  auto options = std::make_shared<coordinator::ServerOptions>();
  CLI::App* run = AddCommand(
      *noun, context, "run", "Run the coordinator until SIGTERM",
      [options, &context]() -> absl::StatusOr<int> {
        SystemClock clock;
        SystemRng rng;
        const absl::Status status = coordinator::RunCoordinator(
            *options, clock, rng,
            [&](const std::string& grpc, const std::string& https, std::uint64_t records) {
              if (context.json) {
                *context.out
                    << nlohmann::json{{"grpc", grpc}, {"https", https}, {"records", records}}.dump()
                    << std::endl;
              } else {
                *context.out << "Coordinator ready: gRPC " << grpc << ", HTTPS " << https << ", "
                             << records << " records" << std::endl;
              }
            });
        if (!status.ok()) {
          const int code = ReportError(context, status);
          context.err->flush();
          std::_Exit(ledger::IsLogMisbehaviour(status) ? kMisbehaviour : code);
        }
        return kGood;
      });
  run->add_option("--state", options->state_dir, "State folder")->required();
  run->add_option("--listen", options->listen_grpc,
                  "ADDRESS:PORT for gRPC, in place of coordinator.yaml's");
  run->add_option("--listen-https", options->listen_https,
                  "ADDRESS:PORT for HTTPS, in place of coordinator.yaml's");
}

}  // namespace carnet::cli
