#include "coordinator/core/impact.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/status.h"
#include "coordinator/core/impact_flows.h"
#include "policies/change.h"
#include "policies/evaluate.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;

// Of the form, and of what is weighed: it moves with either.
constexpr int kReportVersion = 2;
// JSON numbers are exact up to here; more situations than that are "that many or more".
constexpr std::uint64_t kExactMax = (std::uint64_t{1} << 53) - 1;
constexpr char kTimeFormat[] = "%Y-%m-%dT%H:%M:%E6SZ";

std::string TimeText(absl::Time at) {
  return absl::FormatTime(kTimeFormat, at, absl::UTCTimeZone());
}

json SituationsJson(const std::vector<policies::SweptPolicy>& situations) {
  json list = json::array();
  for (const policies::SweptPolicy& swept : situations) {
    list.push_back(
        {{"policy", swept.policy},
         {"classes", std::min(swept.classes, kExactMax)},
         {"decided", swept.decided},
         {"cut", swept.cut},
         {"newly_covered", swept.newly_covered},
         {"no_longer_covered", swept.no_longer_covered},
         {"deny_to_allow", {{"classes", swept.deny_to_allow}, {"examples", swept.opened}}},
         {"allow_to_deny", {{"classes", swept.allow_to_deny}, {"examples", swept.closed}}}});
  }
  return list;
}

json SideJson(const FlowChanges& changes) {
  json examples = json::array();
  FlowCount sum;
  for (const auto& [change, count] : changes) {
    sum.flows += count.flows;
    sum.recorded += count.recorded;
    if (examples.size() < kImpactExamplesMax) {
      examples.push_back({{"operation", change.operation},
                          {"from", change.from},
                          {"to", change.to},
                          {"labels", change.labels},
                          {"reason", change.reason},
                          {"flows", count.flows},
                          {"recorded", count.recorded}});
    }
  }
  return {{"flows", sum.flows},
          {"recorded", sum.recorded},
          {"classes", changes.size()},
          {"examples", std::move(examples)}};
}

json ImpactJson(const FlowImpact& impact) {
  return {{"days", kRecordedDays},
          {"jobs", impact.jobs},
          {"jobs_decided", impact.jobs_decided},
          {"operations", impact.operations},
          {"operations_decided", impact.operations_decided},
          {"flows", impact.flows},
          {"deny_to_allow", SideJson(impact.opened)},
          {"allow_to_deny", SideJson(impact.closed)},
          {"jobs_that_would_stop", impact.stopping}};
}

json ChangeJson(const policies::BundleChange& change) {
  return {{"added", change.added},
          {"removed", change.removed},
          {"changed", change.changed},
          {"groups", change.groups},
          {"home_or_aliases", change.home || change.other_lists},
          {"tests", change.tests}};
}

absl::Time StartOf(const Examination& examination) {
  return std::max(examination.at, examination.after->head().valid_from);
}

}  // namespace

Examination ExamineChange(std::shared_ptr<const policies::Bundle> before,
                          std::shared_ptr<const policies::Bundle> after,
                          const policies::TestReport& tests, absl::Time at,
                          const policies::SweepProgress& progress) {
  Examination examination;
  examination.before = std::move(before);
  examination.after = std::move(after);
  examination.tests_passed = tests.passed;
  examination.tests_failed = tests.failed;
  examination.at = absl::FromUnixMicros(absl::ToUnixMicros(at));
  examination.situations = policies::SweepChange(*examination.before, *examination.after,
                                                 StartOf(examination), progress);
  return examination;
}

absl::StatusOr<std::string> ImpactReport(const Examination& examination, const State* state,
                                         std::uint64_t records, ReportKind kind) {
  const policies::Bundle& before = *examination.before;
  const policies::Bundle& after = *examination.after;
  const absl::Status tightens = policies::CheckTightensOnly(before, after);
  json report = {
      {"v", kReportVersion},
      {kind == ReportKind::kDraft ? "draft" : "bundle", HexEncode(after.sha256())},
      {"parent", HexEncode(before.sha256())},
      {"at", TimeText(examination.at)},
      {"evaluator", policies::kEvaluatorVersion},
      {"tests", {{"passed", examination.tests_passed}, {"failed", examination.tests_failed}}},
      {"change", ChangeJson(policies::Compare(before, after))},
      {"tighten_only", tightens.ok() ? std::string("yes") : std::string(tightens.message())},
      {"situations", SituationsJson(examination.situations)}};
  if (state != nullptr) {
    report["records"] = records;
    report["impact"] = ImpactJson(WeighFlows(*state, after, examination.at, StartOf(examination)));
  }
  CARNET_ASSIGN_OR_RETURN(std::string text, CanonicalJson(report));
  if (text.size() > kReportBytesMax) {
    return absl::ResourceExhaustedError("policy: the report is over 256 KiB");
  }
  return text;
}

std::optional<ReportBasis> BasisOfReport(absl::string_view report_json) {
  const absl::StatusOr<json> report = ParseJson(report_json, kReportBytesMax);
  if (!report.ok() || !report->is_object()) {
    return std::nullopt;
  }
  const auto number = [&](const char* key) -> std::optional<std::uint64_t> {
    const auto found = report->find(key);
    return found != report->end() && found->is_number_unsigned()
               ? std::optional<std::uint64_t>(found->get<std::uint64_t>())
               : std::nullopt;
  };
  const auto at = report->find("at");
  ReportBasis basis;
  std::string error;
  if (number("v") != std::uint64_t{kReportVersion} || !number("records").has_value() ||
      !number("evaluator").has_value() || at == report->end() || !at->is_string() ||
      !absl::ParseTime(absl::RFC3339_full, at->get<std::string>(), &basis.at, &error)) {
    return std::nullopt;
  }
  basis.records = *number("records");
  basis.evaluator = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(*number("evaluator"), std::numeric_limits<std::uint32_t>::max()));
  return basis;
}

}  // namespace carnet::coordinator
