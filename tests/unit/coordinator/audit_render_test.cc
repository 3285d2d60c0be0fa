#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "base/bytes.h"
#include "coordinator/audit/findings.h"
#include "coordinator/audit/render.h"

namespace carnet::coordinator::audit {
namespace {

Report SmallReport() {
  Report report;
  report.verdict = ledger::verifier::Verdict::kBadEvidence;
  report.made = absl::FromUnixSeconds(1795000000);
  report.newest = absl::InfinitePast();
  report.federation = "test";
  report.head.origin = "log<script>alert(1)</script>";
  report.head.size = 7;
  report.jobs.push_back({"j-1", "\"digits\"", "running", 1, Bytes(32, 1), Bytes(32, 2), 3});
  report.bundles.push_back({0, 1, Digest{}, 12});
  report.findings.push_back(
      {Severity::kBadEvidence, 4, "chain", "<b>model</b>", "line\nbreak \x1b[31m & 'quote'"});
  report.findings.push_back({Severity::kGap, std::nullopt, "key-order", "x", "\xe2\x80\xae rtl"});
  report.not_proven = {"that nothing was left out"};
  return report;
}

TEST_CASE("Audit report: HTML escapes what records say and loads nothing") {
  const std::string page = ToHtml(SmallReport());
  CHECK_FALSE(absl::StrContains(page, "<script"));
  CHECK_FALSE(absl::StrContains(page, "<b>"));
  CHECK(absl::StrContains(page, "&lt;b&gt;model&lt;/b&gt;"));
  CHECK(absl::StrContains(page, "&#39;quote&#39;"));
  CHECK(absl::StrContains(page, "default-src 'none'"));
  CHECK_FALSE(absl::StrContains(page, "http://"));
  CHECK_FALSE(absl::StrContains(page, "https://"));
  CHECK(absl::StrContains(page, "that nothing was left out"));
}

TEST_CASE("Audit report: text keeps control characters and turned writing out of a terminal") {
  const std::string text = ToText(SmallReport());
  CHECK_FALSE(absl::StrContains(text, "\x1b"));
  CHECK_FALSE(absl::StrContains(text, "\xe2\x80\xae"));
  CHECK(absl::StrContains(text, "\\u{1b}[31m"));
  CHECK(absl::StrContains(text, "\\u{202e} rtl"));
  CHECK(absl::StrContains(text, "chain, record 4"));
  CHECK(absl::StrContains(text, "This does not prove\n  - that nothing was left out"));
}

TEST_CASE("Audit report: bytes that are no text are shown as such") {
  CHECK(Printable("a\xff"
                  "b") == "a\\u{fffd}b");
  CHECK(Printable("Grüße ✓") == "Grüße ✓");
  CHECK(Printable("\xe2\x82") == "\\u{fffd}\\u{fffd}");
}

TEST_CASE("Audit report: JSON has the members that are documented") {
  const nlohmann::json json = nlohmann::json::parse(ToJsonText(SmallReport()));
  CHECK(json.at("format") == "carnet-audit-report");
  CHECK(json.at("version") == 1);
  CHECK(json.at("verdict") == "bad evidence");
  CHECK(json.at("made") == "2026-11-18T11:06:40Z");
  CHECK(json.at("newest") == "-");
  CHECK(json.at("head").at("size") == 7);
  CHECK(json.at("findings").at(0).at("index") == 4);
  CHECK(json.at("findings").at(1).at("index").is_null());
  CHECK(json.at("findings").at(1).at("severity") == "gap");
  CHECK(json.at("numbers").at("decisions_taken_again") == 0);
  CHECK(json.at("jobs").at(0).at("refusals") == 3);
  CHECK(json.at("bundles").at(0).at("revision") == 1);
  CHECK(json.at("bundles").at(0).at("decisions_taken_again") == 12);
  CHECK(json.at("not_proven").size() == 1);
}

TEST_CASE("Audit report: findings are bounded, the gravest first, and the rest is counted") {
  Findings findings;
  CHECK(findings.worst() == Severity::kNote);
  for (std::size_t i = 0; i < kFindingsMax + 5; ++i) {
    findings.Add({Severity::kGap, i, "round-end", "x", "y"});
  }
  findings.Add({Severity::kMisbehaviour, 1, "seen", "x", "y"});
  CHECK(findings.worst() == Severity::kMisbehaviour);
  Report report;
  findings.MoveInto(report);
  CHECK(report.findings.size() == kFindingsMax);
  CHECK(report.findings_left_out == 6);
  CHECK(report.findings.front().check == "seen");  // the gravest is never left out for lesser ones
  Findings mixed;
  mixed.Add({Severity::kNote, 1, "a", "x", "y"});
  mixed.Add({Severity::kBadEvidence, 9, "b", std::string(5000, 'x'), "y"});
  mixed.Add({Severity::kBadEvidence, 2, "c", "x", "y"});
  mixed.MoveInto(report);
  CHECK(report.findings[0].check == "c");
  CHECK(report.findings[1].check == "b");
  CHECK(report.findings[1].expected.size() <= kFindingTextBytesMax + 3);
  CHECK(report.findings[2].severity == Severity::kNote);
}

}  // namespace
}  // namespace carnet::coordinator::audit
