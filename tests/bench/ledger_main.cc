// Measures the bars of the ledger and prints them beside their limits. scripts/bench builds and
// runs it.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/status.h"
#include "tests/bench/ledger_bars.h"

namespace carnet::bench {
namespace {

struct Arguments {
  std::uint64_t records = 1'000'000;
  std::size_t appends = 50'000;
  std::string directory = std::filesystem::temp_directory_path().string();
  std::string commit = "unknown";
  bool json = false;
};

absl::StatusOr<std::vector<Figure>> MeasureAll(const Arguments& arguments) {
  CARNET_ASSIGN_OR_RETURN(std::vector<Figure> figures,
                          MeasureAppends(arguments.directory, arguments.appends));
  CARNET_ASSIGN_OR_RETURN(SyntheticLog log, SyntheticLog::Found(arguments.directory));
  CARNET_RETURN_IF_ERROR(FillLog(log, arguments.records));
  CARNET_ASSIGN_OR_RETURN(const auto proofs, MeasureProofs(log));
  CARNET_ASSIGN_OR_RETURN(const auto restart, MeasureRestart(log));
  figures.insert(figures.end(), proofs.begin(), proofs.end());
  figures.insert(figures.end(), restart.begin(), restart.end());
  return figures;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("The bars of the ledger, each beside its own limit");
  app.add_option("--records", arguments.records, "of the log that is read")
      ->check(CLI::Range(std::uint64_t{100}, std::uint64_t{100'000'000}))
      ->capture_default_str();
  app.add_option("--appends", arguments.appends, "records to append, twice")
      ->check(CLI::Range(std::size_t{100}, std::size_t{10'000'000}))
      ->capture_default_str();
  app.add_option("--dir", arguments.directory, "for two logs, removed in the end")
      ->capture_default_str();
  app.add_option("--commit", arguments.commit, "named in the report");
  app.add_flag("--json", arguments.json, "one line of JSON for each figure instead of the table");
  CLI11_PARSE(app, argc, argv);
  return Report(MeasureAll(arguments), arguments.commit, arguments.json);
}

}  // namespace
}  // namespace carnet::bench

int main(int argc, char** argv) {
  return carnet::bench::Main(argc, argv);
}
