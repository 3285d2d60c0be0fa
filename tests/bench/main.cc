// Measures the bars and prints them beside their limits. scripts/bench builds and runs it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/status.h"
#include "tests/bench/bars.h"

namespace carnet::bench {
namespace {

constexpr std::size_t kFiles = 32;
constexpr std::uint64_t kParameters = 25'000'000;

struct Arguments {
  std::uint64_t parameters = kParameters;
  BenchOptions options;
  std::string directory = std::filesystem::temp_directory_path().string();
  std::string commit = "unknown";
  bool json = false;
  bool check = false;
};

absl::StatusOr<std::vector<Figure>> MeasureAll(const Arguments& arguments) {
  CARNET_ASSIGN_OR_RETURN(const SyntheticRound round,
                          SyntheticRound::Make(arguments.directory, arguments.parameters, kFiles));
  // Memory first: its children must come from a process that has not grown yet.
  CARNET_ASSIGN_OR_RETURN(const auto memory, MeasureAggregateMemory(round, arguments.options));
  CARNET_ASSIGN_OR_RETURN(auto figures, MeasureAggregateSpeed(round, arguments.options));
  figures.insert(figures.end(), memory.begin(), memory.end());
  return figures;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  arguments.options.threads =
      static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 64U));
  CLI::App app("Carnet's bars, each beside its own limit");
  app.add_option("--parameters", arguments.parameters, "of the model")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
      ->capture_default_str();
  app.add_option("--threads", arguments.options.threads)
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--repeats", arguments.options.repeats, "the best counts")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--dir", arguments.directory,
                 "for 33 files of the model's size, removed in the end")
      ->capture_default_str();
  app.add_option("--commit", arguments.commit, "named in the report");
  app.add_flag("--json", arguments.json, "one line of JSON for each figure instead of the table");
  app.add_flag("--check", arguments.check, "exit 1 when a memory bar is missed");
  CLI11_PARSE(app, argc, argv);

  return Report(MeasureAll(arguments), arguments.commit, arguments.json, arguments.check);
}

}  // namespace
}  // namespace carnet::bench

int main(int argc, char** argv) {
  return carnet::bench::Main(argc, argv);
}
