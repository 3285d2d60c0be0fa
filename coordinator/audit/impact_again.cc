#include "coordinator/audit/impact_again.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/core/impact.h"
#include "crypto/hash.h"
#include "policies/evaluate.h"
#include "policies/test_runner.h"

namespace carnet::coordinator::audit {
namespace {

constexpr char kCheck[] = "impact";
// A coordinator examines for seconds, and one proposal after another.
constexpr absl::Duration kExaminationMax = absl::Hours(1);

std::string TimeText(absl::Time at) {
  return absl::FormatTime(absl::RFC3339_full, at, absl::UTCTimeZone());
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
  if (basis->records < step.memory().weighed_size) {
    step.Add(Severity::kNote, kCheck,
             absl::StrCat("a report of the log at ", step.memory().weighed_size, " records"),
             absl::StrCat("of ", basis->records,
                          ": others came in while it was made, so it was not made again"));
    return false;
  }
  return true;
}

}  // namespace

bool ChangesReports(const ledger::Predicate& predicate) {
  return !predicate.Is<v1::PolicyProposed>() && !predicate.Is<v1::PolicyExamined>() &&
         !predicate.Is<v1::KeyCreated>() && !predicate.Is<v1::KeyDestructionOrdered>() &&
         !predicate.Is<v1::KeyDestroyed>() && !predicate.Is<v1::KeyRetained>() &&
         !predicate.Is<v1::ObligationDue>() && !predicate.Is<v1::ObligationMet>() &&
         !predicate.Is<v1::ObligationLate>();
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
  const absl::StatusOr<std::string> report =
      ImpactReport(examination, &step.state(), basis->records, ReportKind::kProposal);
  step.Expect(report.ok() && *report == record.report_json(), kCheck,
              absl::StrCat("the report that its tests, its sweep and the flows on record give, ",
                           report.ok() ? HexEncode(crypto::Sha256(AsBytes(*report)))
                                       : std::string(report.status().message())),
              absl::StrCat("report ", Hex(record.report_sha256())));
}

}  // namespace carnet::coordinator::audit
