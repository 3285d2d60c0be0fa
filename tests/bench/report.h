// What a bar measured, as a line of a table and as a line of JSON.
#ifndef CARNET_TESTS_BENCH_REPORT_H_
#define CARNET_TESTS_BENCH_REPORT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace carnet::bench {

struct Figure {
  std::string bar;   // "B1", "B2 at 8", …
  std::string what;  // One line for people.
  std::string unit;
  double figure = 0;               // Measured.
  double limit = 0;                // What it is held against, in the same unit and run.
  std::optional<double> at_least;  // Bound of figure / limit from below; none: reported only.
  std::optional<double> at_most;   // And from above.
  bool checked = false;            // Missed, it fails --check: memory, and all of B9.

  double ratio() const { return limit > 0 ? figure / limit : 0; }
  bool pass() const {
    return (!at_least.has_value() || ratio() >= *at_least) &&
           (!at_most.has_value() || ratio() <= *at_most);
  }
};

struct Run {
  std::string machine;  // Processor, cores in use, memory.
  std::string commit;
};

// This machine as one line: the processor's name, its cores, the memory.
std::string DescribeMachine();

// The table, for a terminal.
std::string Table(const std::vector<Figure>& figures, const Run& run);
// One line of JSON per figure: {bar, what, unit, figure, limit, ratio, at_least, at_most, pass,
// machine, commit}; a bound that a figure does not have is null.
std::string JsonLines(const std::vector<Figure>& figures, const Run& run);

// What a program that measured says and ends with: the figures on stdout, as a table or as lines of
// JSON; 1 when nothing could be measured, or with `check` when a bar that is checked was missed,
// each named on stderr.
int Report(const absl::StatusOr<std::vector<Figure>>& figures, const std::string& commit, bool json,
           bool check = false);

}  // namespace carnet::bench

#endif  // CARNET_TESTS_BENCH_REPORT_H_
