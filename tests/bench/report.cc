#include "tests/bench/report.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"

namespace carnet::bench {
namespace {

nlohmann::json OrNull(const std::optional<double>& value) {
  return value.has_value() ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

std::string Bound(const Figure& figure) {
  if (figure.at_least.has_value()) {
    return absl::StrFormat(">= %.2f", *figure.at_least);
  }
  return figure.at_most.has_value() ? absl::StrFormat("<= %.2f", *figure.at_most) : "-";
}

const char* Verdict(const Figure& figure) {
  if (!figure.at_least.has_value() && !figure.at_most.has_value()) {
    return "reported";
  }
  return figure.pass() ? "met" : "missed";
}

}  // namespace

std::string DescribeMachine() {
  std::string processor = "unknown processor";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("model name", 0) == 0) {
      processor = line.substr(line.find(':') + 2);
      break;
    }
  }
  const double gib = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                     static_cast<double>(sysconf(_SC_PAGE_SIZE)) / (1 << 30);
  return absl::StrFormat("%s, %u cores, %.0f GiB", processor, std::thread::hardware_concurrency(),
                         gib);
}

std::string Table(const std::vector<Figure>& figures, const Run& run) {
  std::string table = absl::StrFormat("%-10s %-58s %11s %11s  %-8s %6s %8s  %s\n", "bar", "what",
                                      "figure", "limit", "unit", "ratio", "bound", "");
  for (const Figure& figure : figures) {
    absl::StrAppendFormat(&table, "%-10s %-58s %11.1f %11.1f  %-8s %6.2f %8s  %s\n", figure.bar,
                          figure.what, figure.figure, figure.limit, figure.unit, figure.ratio(),
                          Bound(figure), Verdict(figure));
  }
  absl::StrAppend(&table, "on ", run.machine, ", commit ", run.commit, "\n");
  return table;
}

std::string JsonLines(const std::vector<Figure>& figures, const Run& run) {
  std::string lines;
  for (const Figure& figure : figures) {
    const nlohmann::ordered_json line = {
        {"bar", figure.bar},
        {"what", figure.what},
        {"unit", figure.unit},
        {"figure", figure.figure},
        {"limit", figure.limit},
        {"ratio", figure.ratio()},
        {"at_least", OrNull(figure.at_least)},
        {"at_most", OrNull(figure.at_most)},
        {"pass", figure.pass()},
        {"machine", run.machine},
        {"commit", run.commit},
    };
    absl::StrAppend(&lines, line.dump(), "\n");
  }
  return lines;
}

int Report(const absl::StatusOr<std::vector<Figure>>& figures, const std::string& commit, bool json,
           bool check) {
  if (!figures.ok()) {
    std::fprintf(stderr, "%s\n", DescribeForOperator(figures.status()).c_str());
    return 1;
  }
  const Run run = {DescribeMachine(), commit};
  std::fputs((json ? JsonLines(*figures, run) : Table(*figures, run)).c_str(), stdout);
  bool missed = false;
  for (const Figure& figure : *figures) {
    if (check && figure.checked && !figure.pass()) {
      missed = true;
      std::fprintf(stderr, "bench: %s was missed: %s, %.3f %s, ratio %.2f to its limit, bound %s\n",
                   figure.bar.c_str(), figure.what.c_str(), figure.figure, figure.unit.c_str(),
                   figure.ratio(), Bound(figure).c_str());
    }
  }
  if (missed) {
    return 1;
  }
  return 0;
}

}  // namespace carnet::bench
