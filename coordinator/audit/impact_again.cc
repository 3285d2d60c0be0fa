#include "coordinator/audit/impact_again.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/core/impact.h"
#include "crypto/hash.h"
#include "ledger/record.h"
#include "policies/evaluate.h"
#include "policies/test_runner.h"

namespace carnet::coordinator::audit {
namespace {

constexpr char kCheck[] = "impact";
// A coordinator examines for seconds, and one proposal after another.
constexpr absl::Duration kExaminationMax = absl::Hours(1);
// From a record's time to the state that holds it: it is appended in between.
constexpr absl::Duration kAppendMax = absl::Minutes(1);

std::string TimeText(absl::Time at) {
  return absl::FormatTime(absl::RFC3339_full, at, absl::UTCTimeZone());
}

// Whether a record of this type can change what a later report says of the same proposal.
bool ChangesReports(const ledger::Predicate& predicate) {
  return !predicate.Is<v1::PolicyProposed>() && !predicate.Is<v1::PolicyExamined>() &&
         !predicate.Is<v1::KeyCreated>() && !predicate.Is<v1::KeyDestructionOrdered>() &&
         !predicate.Is<v1::KeyDestroyed>() && !predicate.Is<v1::KeyRetained>() &&
         !predicate.Is<v1::ObligationDue>() && !predicate.Is<v1::ObligationMet>() &&
         !predicate.Is<v1::ObligationLate>();
}

// The log size that a report made at `at` has at least.
std::uint64_t SizeAt(const Memory& memory, absl::Time at) {
  std::uint64_t size = 0;
  for (const auto& [stated, index] : memory.weighed) {
    if (stated < at - kAppendMax) {
      size = std::max(size, index + 1);
    }
  }
  return size;
}

// Without what the flows on record gave; empty: no report.
std::string WithoutImpact(const std::string& report_json) {
  absl::StatusOr<nlohmann::json> report = ParseJson(report_json, kReportBytesMax);
  if (!report.ok() || !report->is_object()) {
    return "";
  }
  report->erase("impact");
  report->erase("records");
  return CanonicalJson(*report).value_or("");
}

// Whether the report says a state and a time from which it can be made again here.
bool CheckReportBasis(const Step& step, const v1::PolicyExamined& record,
                      const std::optional<ReportBasis>& basis) {
  if (!step.Expect(basis.has_value(), kCheck, "a report that says what it was made from",
                   "another text")) {
    return false;
  }
  const absl::Time at = ToTime(record.common().at());
  step.Expect(basis->at <= at && basis->at >= at - kExaminationMax, kCheck,
              absl::StrCat("a report made within an hour before ", TimeText(at)),
              TimeText(basis->at));
  if (!step.Expect(basis->records <= step.index(), kCheck,
                   absl::StrCat("a report of at most ", step.index(), " records"),
                   absl::StrCat(basis->records))) {
    return false;
  }
  if (basis->evaluator != policies::kEvaluatorVersion) {
    step.Add(Severity::kGap, kCheck,
             absl::StrCat("a report by evaluator ", policies::kEvaluatorVersion,
                          ", which this program has"),
             absl::StrCat("version ", basis->evaluator));
    return false;
  }
  const std::uint64_t least = SizeAt(step.memory(), basis->at);
  return step.Expect(basis->records >= least, kCheck,
                     absl::StrCat("a report of ", least, " records or more, which were there at ",
                                  TimeText(basis->at)),
                     absl::StrCat("of ", basis->records));
}

}  // namespace

void NoteWeighed(const Step& step, const ledger::Predicate& predicate, bool own) {
  if (!ChangesReports(predicate)) {
    return;
  }
  Memory& memory = step.memory();
  memory.weighed_size = step.index() + 1;
  // What others sign has the time of their signature, which may be long before its record.
  if (!own) {
    return;
  }
  const absl::Time at = ToTime(ledger::CommonOf(predicate).at());
  memory.weighed.emplace_back(at, step.index());
  while (memory.weighed.size() > 1 &&
         memory.weighed[1].first < at - kExaminationMax - 2 * kAppendMax) {
    memory.weighed.pop_front();
  }
}

void CheckImpact(const Step& step, const v1::PolicyExamined& record, const Proposal& proposal) {
  const std::optional<ReportBasis> basis = BasisOfReport(record.report_json());
  if (!CheckReportBasis(step, record, basis)) {
    return;
  }
  const absl::StatusOr<policies::TestReport> tests = policies::RunTests(*proposal.bundle);
  if (!step.Expect(tests.ok(), kCheck, "tests that can be run",
                   std::string(tests.status().message()))) {
    return;
  }
  const Examination examination =
      ExamineChange(step.state().bundle, proposal.bundle, *tests, basis->at);
  const bool overtaken = basis->records < step.memory().weighed_size;
  const absl::StatusOr<std::string> report = ImpactReport(
      examination, overtaken ? nullptr : &step.state(), basis->records, ReportKind::kProposal);
  const std::string recorded =
      overtaken ? WithoutImpact(record.report_json()) : record.report_json();
  step.Expect(report.ok() && *report == recorded, kCheck,
              absl::StrCat("the report that its tests, its sweep and the flows on record give, ",
                           report.ok() ? HexEncode(crypto::Sha256(AsBytes(*report)))
                                       : std::string(report.status().message())),
              absl::StrCat("report ", Hex(record.report_sha256())));
  if (overtaken) {
    step.Add(Severity::kGap, kCheck,
             absl::StrCat("a report of the log at ", step.memory().weighed_size, " records"),
             absl::StrCat("of ", basis->records, ": others came in while it was made, so what it ",
                          "says of the flows on record was not made again"));
  }
}

}  // namespace carnet::coordinator::audit
