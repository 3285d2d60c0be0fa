#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "coordinator/audit/render.h"
#include "coordinator/audit/render_parts.h"

namespace carnet::coordinator::audit {
namespace {

constexpr char kHead[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'\">"
    "<title>Audit of a Carnet ledger</title><style>"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;"
    "color:#1a1a1a;background:#fff}"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:1.6em}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.25em .8em .25em 0;"
    "border-bottom:1px solid #ddd}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "code{font-size:.9em;overflow-wrap:anywhere}"
    ".verdict{padding:.6em .8em;border-left:.4em solid #b00020;background:#fdecee}"
    ".verdict.good{border-color:#1b7f3b;background:#eaf6ee}"
    ".verdict.open{border-color:#a15c00;background:#fdf4e3}"
    "</style></head><body>\n";

std::string Row(const std::string& name, const std::string& value) {
  return absl::StrCat("<tr><th>", EscapeHtml(name), "</th><td>", value, "</td></tr>\n");
}

std::string Code(absl::string_view text) {
  return absl::StrCat("<code>", EscapeHtml(text), "</code>");
}

const char* ClassOfVerdict(ledger::verifier::Verdict verdict) {
  switch (verdict) {
    case ledger::verifier::Verdict::kGood:
      return "verdict good";
    case ledger::verifier::Verdict::kCannotDecide:
      return "verdict open";
    default:
      return "verdict";
  }
}

void AddSubject(const Report& report, std::string& page) {
  absl::StrAppend(
      &page, "<h2>What was audited</h2><table>\n",
      Row("Federation", EscapeHtml(absl::StrCat(report.federation, " of ", report.organisation,
                                                " (", report.home_jurisdiction, ")"))),
      Row("Log", Code(report.head.origin)), Row("Records", absl::StrCat(report.head.size)),
      Row("Root", Code(HexEncode(report.head.root))));
  for (const auto& [witness, time] : report.cosigned) {
    absl::StrAppend(&page,
                    Row("Cosigned by", EscapeHtml(absl::StrCat(witness, " at ", TimeText(time)))));
  }
  absl::StrAppend(&page, Row("Newest record", TimeText(report.newest)),
                  Row("Audited at", TimeText(report.made)));
  for (const BundleInForce& bundle : report.bundles) {
    absl::StrAppend(&page, Row(absl::StrCat("Policy revision ", bundle.revision),
                               absl::StrCat("from record ", bundle.index, ", ", bundle.decisions,
                                            " decisions taken again, bundle ",
                                            Code(HexEncode(bundle.sha256)))));
  }
  absl::StrAppend(&page, "</table>\n");
}

void AddFindings(const Report& report, std::string& page) {
  if (report.findings.empty()) {
    absl::StrAppend(&page, "<h2>Findings</h2><p>None.</p>\n");
    return;
  }
  absl::StrAppend(&page,
                  "<h2>Findings</h2><table><tr><th>Severity</th><th>Record</th><th>Check</th>"
                  "<th>Expected</th><th>Found</th></tr>\n");
  for (const Finding& finding : report.findings) {
    absl::StrAppend(&page, "<tr><td>", NameOf(finding.severity), "</td><td>",
                    finding.index ? absl::StrCat(*finding.index) : "-", "</td><td>",
                    Code(finding.check), "</td><td>", EscapeHtml(finding.expected), "</td><td>",
                    EscapeHtml(finding.actual), "</td></tr>\n");
  }
  absl::StrAppend(&page, "</table>\n");
  if (report.findings_left_out > 0) {
    absl::StrAppend(&page, "<p>And ", report.findings_left_out, " findings more.</p>\n");
  }
}

void AddJobs(const Report& report, std::string& page) {
  if (report.jobs.empty()) {
    return;
  }
  absl::StrAppend(&page,
                  "<h2>Jobs</h2><table><tr><th>Job</th><th>State</th><th>Rounds</th>"
                  "<th>Base model</th><th>Newest model</th><th>Refusals</th></tr>\n");
  for (const JobChain& job : report.jobs) {
    absl::StrAppend(&page, "<tr><td>", Code(job.id), "<br>", EscapeHtml(job.name), "</td><td>",
                    EscapeHtml(job.state), "</td><td>", job.rounds, "</td><td>",
                    Code(HexEncode(job.base_model_sha256)), "</td><td>",
                    Code(HexEncode(job.model_sha256)), "</td><td>", job.refusals, "</td></tr>\n");
  }
  absl::StrAppend(&page, "</table>\n");
  for (const RecomputedRound& round : report.recomputed) {
    absl::StrAppend(&page, "<p>Round ", round.round, " of ", Code(round.job_id),
                    " computed again (record ", round.index, "): the same model.</p>\n");
  }
}

}  // namespace

std::string ToHtml(const Report& report) {
  std::string page = kHead;
  absl::StrAppend(&page, "<h1>Audit of ", EscapeHtml(report.head.origin), "</h1>\n<p class=\"",
                  ClassOfVerdict(report.verdict), "\"><strong>", NameOf(report.verdict),
                  "</strong></p>\n");
  AddFindings(report, page);
  AddSubject(report, page);
  AddJobs(report, page);
  absl::StrAppend(&page, "<h2>What was looked at</h2><table>\n");
  for (const auto& [name, number] : NamedNumbers(report.numbers)) {
    absl::StrAppend(&page, "<tr><th>", EscapeHtml(name), "</th><td class=\"n\">", number,
                    "</td></tr>\n");
  }
  absl::StrAppend(&page, "</table>\n<h2>What this does not prove</h2><ul>\n");
  for (const std::string& caveat : report.not_proven) {
    absl::StrAppend(&page, "<li>", EscapeHtml(caveat), "</li>\n");
  }
  absl::StrAppend(&page, "</ul></body></html>\n");
  return page;
}

}  // namespace carnet::coordinator::audit
