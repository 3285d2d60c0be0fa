#include "cli/commands/policy_report.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "crypto/hash.h"

namespace carnet::cli {
namespace {

constexpr std::size_t kReportBytesMax = std::size_t{256} * 1024;

bool Names(const nlohmann::json& report, const char* key, const Digest& digest) {
  return report.value(key, nlohmann::json()) == HexEncode(digest);
}

std::uint64_t Number(const nlohmann::json& object, const char* key) {
  return object.value(key, std::uint64_t{0});
}

void PrintSide(std::ostream& out, const char* title, const nlohmann::json& side) {
  out << "  " << title << ": " << Number(side, "flows") << " flows, recorded "
      << Number(side, "recorded") << " times\n";
  for (const nlohmann::json& example : side.value("examples", nlohmann::json::array())) {
    const std::string labels = example.value("labels", "");
    out << "    " << example.value("operation", "") << " " << example.value("from", "") << "→"
        << example.value("to", "") << (labels.empty() ? "" : " of " + labels) << ", "
        << Number(example, "flows") << " flows, recorded " << Number(example, "recorded")
        << " times: " << example.value("reason", "") << '\n';
  }
}

void PrintSituations(std::ostream& out, const char* title, const nlohmann::json& side) {
  out << "    " << title << ": " << Number(side, "classes") << " situations\n";
  for (const nlohmann::json& example : side.value("examples", nlohmann::json::array())) {
    out << "      " << example.get<std::string>() << '\n';
  }
}

// Nothing where `object` has none.
void PrintNames(std::ostream& out, const char* title, const nlohmann::json& object,
                const char* key) {
  const auto names = object.value(key, std::vector<std::string>());
  if (!names.empty()) {
    out << "    " << title << ' ' << absl::StrJoin(names, ", ") << '\n';
  }
}

void PrintSweep(std::ostream& out, const nlohmann::json& report) {
  for (const nlohmann::json& swept : report.value("situations", nlohmann::json::array())) {
    const std::uint64_t classes = Number(swept, "classes");
    const std::uint64_t decided = Number(swept, "decided");
    out << "  " << swept.value("policy", "") << ": ";
    if (decided < classes) {
      out << decided << " of ";
    }
    out << classes << " situations that its changed rules can tell apart\n";
    PrintNames(out, "not all combinations of", swept, "cut");
    PrintNames(out, "speaks now for", swept, "newly_covered");
    PrintNames(out, "speaks no longer for", swept, "no_longer_covered");
    PrintSituations(out, "DENY→ALLOW", swept.value("deny_to_allow", nlohmann::json::object()));
    PrintSituations(out, "ALLOW→DENY", swept.value("allow_to_deny", nlohmann::json::object()));
  }
}

void PrintTests(std::ostream& out, const nlohmann::json& tests) {
  out << "  tests: " << Number(tests, "passed") << " pass";
  if (const std::uint64_t failed = Number(tests, "failed"); failed > 0) {
    out << ", " << failed << (failed == 1 ? " fails" : " fail") << " (carnet policy test)";
  }
}

void PrintImpact(std::ostream& out, const nlohmann::json& impact) {
  out << "  impact on " << Number(impact, "flows") << " flows, with today's facts: those of "
      << Number(impact, "jobs_decided") << " of " << Number(impact, "jobs") << " jobs, and of "
      << Number(impact, "operations_decided") << " of " << Number(impact, "operations")
      << " releases, log readings and stagings of the last " << Number(impact, "days") << " days\n";
  PrintSide(out, "DENY→ALLOW", impact.value("deny_to_allow", nlohmann::json::object()));
  PrintSide(out, "ALLOW→DENY", impact.value("allow_to_deny", nlohmann::json::object()));
  for (const nlohmann::json& job : impact.value("jobs_that_would_stop", nlohmann::json::array())) {
    out << "    would stop: " << job.get<std::string>() << '\n';
  }
}

}  // namespace

void PrintReport(std::ostream& out, const nlohmann::json& report) {
  const auto tests = report.find("tests");
  if (tests == report.end()) {
    return;
  }
  PrintTests(out, *tests);
  const auto impact = report.find("impact");
  if (impact == report.end()) {
    out << "\n  no flows on record were weighed: that takes a coordinator\n";
  } else {
    out << " on the coordinator's own run\n";
    PrintImpact(out, *impact);
  }
  PrintSweep(out, report);
}

absl::Status CheckReport(const std::string& report_json, ByteView report_sha256,
                         const policies::Bundle& bundle) {
  const absl::StatusOr<nlohmann::json> report = ParseJson(report_json, kReportBytesMax);
  const bool same = AsText(crypto::Sha256(AsBytes(report_json))) == AsText(report_sha256) &&
                    report.ok() && report->is_object() && bundle.head().parent.has_value() &&
                    Names(*report, "bundle", bundle.sha256()) &&
                    Names(*report, "parent", *bundle.head().parent);
  return same ? absl::OkStatus()
              : WithRemedy(absl::UnauthenticatedError(
                               "policy: the coordinator shows another report than the one on "
                               "record, or one of another bundle"),
                           "do not approve it; show the proposal to the auditors");
}

}  // namespace carnet::cli
