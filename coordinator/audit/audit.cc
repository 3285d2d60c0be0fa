#include "coordinator/audit/audit.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/audit/findings.h"
#include "coordinator/audit/replay.h"

namespace carnet::coordinator::audit {
namespace {

using ledger::verifier::LogFailure;
using ledger::verifier::LogVerdict;
using ledger::verifier::TakenRecord;
using ledger::verifier::Verdict;

// The codes of ledger/verifier/errors.h.
Severity SeverityOf(const absl::Status& status) {
  if (absl::IsDataLoss(status)) {
    return Severity::kMisbehaviour;
  }
  return absl::IsUnauthenticated(status) ? Severity::kBadEvidence : Severity::kGap;
}

void AddLogFindings(const LogVerdict& log, Findings& findings) {
  if (log.failure) {
    findings.Add({SeverityOf(log.failure->status), log.failure->index, "log",
                  "entries, tiles, statements and head that fit each other",
                  std::string(log.failure->status.message())});
  } else if (log.report.statements_checked < log.report.head.size) {
    findings.Add({Severity::kGap, std::nullopt, "statements",
                  absl::StrCat("the statements of ", log.report.head.size, " records"),
                  absl::StrCat(log.report.statements_checked)});
  }
}

// What no audit of a log can show, and what this one does not.
std::vector<std::string> NotProven(const Report& report) {
  std::vector<std::string> list = {
      "that nothing was left out: a log shows what was appended, not what happened besides",
      "that facts are true: labels, rows, places, owners and evidence are what people and workers "
      "stated and signed; this audit decides again with the facts on record",
      "that worker identities are worth more than the operator's certificate authority",
      "that a worker trained on the shards it names, or with the trainer whose digest it states",
      "which workers were live, or picked at random, when a round opened: no record holds that",
      "that a destroyed key or shard has no copy: backups and flash memory may keep one",
      "that the rules of the policies are the law, or the contract, that they cite"};
  if (report.numbers.aggregations == 0) {
    list.push_back(
        "that a model is the sum of the contributions it names: their keys are "
        "destroyed, so no sum was computed again");
  } else if (report.not_recomputed > 0) {
    list.push_back(absl::StrCat("that a model is the sum of the contributions it names, for ",
                                report.not_recomputed,
                                " aggregations that were not computed again"));
  }
  if (report.operator_only) {
    list.push_back(
        "that everybody was shown this log: no witness cosigned its head (operator "
        "only: no protection against a split view)");
  }
  return list;
}

Verdict VerdictOf(Severity worst) {
  switch (worst) {
    case Severity::kNote:
      return Verdict::kGood;
    case Severity::kGap:
      return Verdict::kCannotDecide;
    case Severity::kBadEvidence:
      return Verdict::kBadEvidence;
    case Severity::kMisbehaviour:
      break;
  }
  return Verdict::kMisbehaviour;
}

}  // namespace

Report Audit(ledger::verifier::LogSource& source, const ledger::verifier::TrustPolicy& policy,
             const Options& options) {
  Report report;
  report.made = options.now;
  report.newest = absl::InfinitePast();
  Findings findings;
  Replay replay(report.numbers, findings, options.decision, {options.recompute, options.job});
  const auto take = [&](const TakenRecord& taken) {
    replay.Add(taken.record);
    if (options.progress) {
      options.progress(replay.records(), taken.head.size);
    }
  };
  const LogVerdict log = ledger::verifier::VerifyWholeLog(source, policy, options.old_heads, take);
  report.head = log.report.head;
  report.cosigned = log.report.cosigned;
  report.operator_only = log.report.operator_only;
  report.numbers.records = log.report.head.size;
  report.numbers.statements = log.report.statements_checked;
  report.numbers.tiles = log.report.tiles_checked;
  report.numbers.old_heads = log.report.old_heads_checked;
  AddLogFindings(log, findings);
  replay.Finish(report);
  if (!options.job.empty()) {
    std::erase_if(report.jobs, [&](const JobChain& job) { return job.id != options.job; });
    if (report.jobs.empty()) {
      findings.Add({Severity::kGap, std::nullopt, "job",
                    absl::StrCat("job ", options.job, " on record"), "none of that id"});
    }
  }
  report.verdict = VerdictOf(findings.worst());
  findings.MoveInto(report);
  report.not_proven = NotProven(report);
  return report;
}

}  // namespace carnet::coordinator::audit
