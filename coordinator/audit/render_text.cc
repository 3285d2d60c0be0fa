#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/bytes.h"
#include "coordinator/audit/render.h"
#include "coordinator/audit/render_parts.h"

namespace carnet::coordinator::audit {
namespace {

// The code point at the start of `text` and its bytes; malformed bytes count one by one.
std::pair<char32_t, std::size_t> Decode(absl::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80           ? 1
                             : (byte(0) >> 5) == 0x06 ? 2
                             : (byte(0) >> 4) == 0x0e ? 3
                             : (byte(0) >> 3) == 0x1e ? 4
                                                      : 0;
  if (length == 0 || length > text.size()) {
    return {0xfffd, 1};
  }
  char32_t code = length == 1 ? byte(0) : byte(0) & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return {0xfffd, 1};
    }
    code = code << 6 | (byte(i) & 0x3fu);
  }
  return {code, length};
}

bool IsHidden(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) ||
         code == 0xfeff || code == 0xfffd;
}

void AddFindings(const Report& report, std::string& text) {
  for (const Finding& finding : report.findings) {
    absl::StrAppend(&text, "\n", NameOf(finding.severity), "  ", finding.check,
                    finding.index ? absl::StrCat(", record ", *finding.index) : "",
                    "\n  expected  ", Printable(finding.expected), "\n  found     ",
                    Printable(finding.actual), "\n");
  }
  if (report.findings_left_out > 0) {
    absl::StrAppend(&text, "\nand ", report.findings_left_out, " findings more\n");
  }
}

}  // namespace

const char* NameOf(ledger::verifier::Verdict verdict) {
  switch (verdict) {
    case ledger::verifier::Verdict::kGood:
      return "good";
    case ledger::verifier::Verdict::kCannotDecide:
      return "cannot decide";
    case ledger::verifier::Verdict::kMisbehaviour:
      return "misbehaviour";
    case ledger::verifier::Verdict::kBadEvidence:
      break;
  }
  return "bad evidence";
}

std::string Printable(absl::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto [code, length] = Decode(text);
    if (IsHidden(code)) {
      absl::StrAppend(&out, absl::StrFormat("\\u{%x}", static_cast<std::uint32_t>(code)));
    } else {
      absl::StrAppend(&out, text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string EscapeHtml(absl::string_view text) {
  return absl::StrReplaceAll(
      Printable(text),
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string TimeText(absl::Time time) {
  return time == absl::InfinitePast()
             ? "-"
             : absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::vector<std::pair<const char*, std::uint64_t>> NamedNumbers(const Numbers& numbers) {
  return {{"records", numbers.records},
          {"statements checked", numbers.statements},
          {"tiles checked", numbers.tiles},
          {"earlier heads checked", numbers.old_heads},
          {"records replayed", numbers.replayed},
          {"signers checked", numbers.signers},
          {"decisions taken again", numbers.decisions},
          {"of them denials", numbers.refusals},
          {"heads that workers saw", numbers.seen},
          {"links between models", numbers.models},
          {"aggregations recomputed", numbers.aggregations},
          {"keys created", numbers.keys},
          {"keys destroyed", numbers.keys_destroyed}};
}

std::string ToText(const Report& report) {
  std::string text = absl::StrCat(
      "who     federation ", Printable(report.federation), " of ", Printable(report.organisation),
      " (", Printable(report.home_jurisdiction), ")\nlog     ", Printable(report.head.origin),
      "\nhead    ", report.head.size, " records, root ", HexEncode(report.head.root), "\n");
  for (const auto& [witness, time] : report.cosigned) {
    absl::StrAppend(&text, "        cosigned by ", Printable(witness), " at ", TimeText(time),
                    "\n");
  }
  absl::StrAppend(&text, "newest  ", TimeText(report.newest), "\naudited ", TimeText(report.made),
                  "\n");
  for (const BundleInForce& bundle : report.bundles) {
    absl::StrAppend(&text, "policy  revision ", bundle.revision, " from record ", bundle.index,
                    ": ", bundle.decisions, bundle.decisions == 1 ? " decision" : " decisions",
                    " taken again, bundle ", HexEncode(bundle.sha256), "\n");
  }
  for (const JobChain& job : report.jobs) {
    absl::StrAppend(&text, "job     ", job.id, " (", Printable(job.name), "), ", job.state, ": ",
                    job.rounds, job.rounds == 1 ? " round" : " rounds", " from ",
                    HexEncode(job.base_model_sha256).substr(0, 12), " to ",
                    HexEncode(job.model_sha256).substr(0, 12), ", ", job.refusals,
                    job.refusals == 1 ? " refusal\n" : " refusals\n");
  }
  for (const RecomputedRound& round : report.recomputed) {
    absl::StrAppend(&text, "again   ", round.job_id, " round ", round.round, ": record ",
                    round.index, " computed again, the same model\n");
  }
  for (const auto& [name, number] : NamedNumbers(report.numbers)) {
    absl::StrAppend(&text, absl::StrFormat("%10d  %s\n", number, name));
  }
  AddFindings(report, text);
  absl::StrAppend(&text, "\n", NameOf(report.verdict), "\n\nThis does not prove\n");
  for (const std::string& caveat : report.not_proven) {
    absl::StrAppend(&text, "  - ", caveat, "\n");
  }
  return text;
}

// ---- JSON ----

std::string ToJsonText(const Report& report) {
  nlohmann::json findings = nlohmann::json::array();
  for (const Finding& finding : report.findings) {
    findings.push_back({{"severity", NameOf(finding.severity)},
                        {"index", finding.index ? nlohmann::json(*finding.index) : nullptr},
                        {"check", finding.check},
                        {"expected", Printable(finding.expected)},
                        {"actual", Printable(finding.actual)}});
  }
  nlohmann::json numbers = nlohmann::json::object();
  for (const auto& [name, number] : NamedNumbers(report.numbers)) {
    numbers[absl::StrReplaceAll(absl::string_view(name), {{" ", "_"}})] = number;
  }
  nlohmann::json jobs = nlohmann::json::array();
  for (const JobChain& job : report.jobs) {
    jobs.push_back({{"job_id", job.id},
                    {"job", job.name},
                    {"state", job.state},
                    {"rounds", job.rounds},
                    {"base_model_sha256", HexEncode(job.base_model_sha256)},
                    {"model_sha256", HexEncode(job.model_sha256)},
                    {"refusals", job.refusals}});
  }
  nlohmann::json recomputed = nlohmann::json::array();
  for (const RecomputedRound& round : report.recomputed) {
    recomputed.push_back(
        {{"index", round.index}, {"job_id", round.job_id}, {"round", round.round}});
  }
  nlohmann::json bundles = nlohmann::json::array();
  for (const BundleInForce& bundle : report.bundles) {
    bundles.push_back({{"index", bundle.index},
                       {"revision", bundle.revision},
                       {"bundle_sha256", HexEncode(bundle.sha256)},
                       {"decisions_taken_again", bundle.decisions}});
  }
  nlohmann::json cosigned = nlohmann::json::object();
  for (const auto& [witness, time] : report.cosigned) {
    cosigned[witness] = TimeText(time);
  }
  const nlohmann::json json = {{"format", "carnet-audit-report"},
                               {"version", 1},
                               {"verdict", NameOf(report.verdict)},
                               {"made", TimeText(report.made)},
                               {"newest", TimeText(report.newest)},
                               {"federation", report.federation},
                               {"organisation", report.organisation},
                               {"home_jurisdiction", report.home_jurisdiction},
                               {"head",
                                {{"origin", report.head.origin},
                                 {"size", report.head.size},
                                 {"root", HexEncode(report.head.root)},
                                 {"cosigned", std::move(cosigned)}}},
                               {"operator_only", report.operator_only},
                               {"numbers", std::move(numbers)},
                               {"bundles", std::move(bundles)},
                               {"jobs", std::move(jobs)},
                               {"recomputed", std::move(recomputed)},
                               {"findings", std::move(findings)},
                               {"findings_left_out", report.findings_left_out},
                               {"not_proven", report.not_proven}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace carnet::coordinator::audit
