#include "cli/manifest_view.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "cli/erased_view.h"
#include "cli/output.h"

namespace carnet::cli {
namespace {

using ledger::verifier::Check;
using ledger::verifier::ManifestForm;
using ledger::verifier::ManifestReport;
using ledger::verifier::ModelRelease;
using ledger::verifier::Participant;
using ledger::verifier::PolicyUse;
using ledger::verifier::Verdict;

nlohmann::json ChecksToJson(const ManifestReport& report) {
  nlohmann::json checks = nlohmann::json::array();
  for (const Check& check : report.checks) {
    nlohmann::json entry = {{"check", check.name}, {"passed", check.passed}};
    if (!check.passed) {
      entry["expected"] = check.expected;
      entry["found"] = check.actual;
    }
    if (check.index) {
      entry["index"] = *check.index;
    }
    checks.push_back(std::move(entry));
  }
  return checks;
}

nlohmann::json PlacesToJson(const ManifestReport& report) {
  nlohmann::json where = nlohmann::json::array();
  for (const Participant& participant : report.participants) {
    nlohmann::json shards = nlohmann::json::object();
    for (const auto& [name, digest] : participant.shards) {
      shards[name] = HexEncode(digest);
    }
    nlohmann::json entry = {
        {"worker_id", participant.worker_id},         {"region", participant.region},
        {"supplier", participant.supplier},           {"jurisdictions", participant.jurisdictions},
        {"contributions", participant.contributions}, {"shards", std::move(shards)}};
    if (report.form == ManifestForm::kFull) {
      entry["examples"] = participant.examples;
    }
    where.push_back(std::move(entry));
  }
  return where;
}

nlohmann::json PoliciesToJson(const ManifestReport& report) {
  nlohmann::json uses = nlohmann::json::array();
  for (const PolicyUse& use : report.policies) {
    uses.push_back({{"bundle_sha256", HexEncode(use.bundle_sha256)},
                    {"revision", use.revision},
                    {"first_round", use.first_round},
                    {"last_round", use.last_round}});
  }
  return uses;
}

std::string Places(const ManifestReport& report) {
  Table table(
      {"where   worker", "region", "in", "supplier", "contributions", "examples", "shards"});
  for (const Participant& participant : report.participants) {
    const std::string shards = absl::StrJoin(
        participant.shards, ",",
        [](std::string* out, const auto& shard) { absl::StrAppend(out, shard.first); });
    table.Add({absl::StrCat("        ", participant.worker_id), participant.region,
               absl::StrJoin(participant.jurisdictions, ","),
               participant.supplier.empty() ? "-" : participant.supplier,
               absl::StrCat(participant.contributions),
               report.form == ManifestForm::kFull ? absl::StrCat(participant.examples) : "-",
               shards.empty() ? "-" : shards});
  }
  return table.ToString();
}

nlohmann::json WithdrawnToJson(const ManifestReport& report) {
  nlohmann::json list = nlohmann::json::array();
  for (const ledger::verifier::WithdrawnShard& shard : report.withdrawn) {
    list.push_back({{"shard", shard.name}, {"reason", shard.reason}, {"index", shard.index}});
  }
  return list;
}

nlohmann::json ReleasesToJson(const ManifestReport& report) {
  nlohmann::json list = nlohmann::json::array();
  for (const ModelRelease& release : report.releases) {
    list.push_back(ReleaseJson(release));
  }
  return list;
}

std::string Releases(const ManifestReport& report) {
  std::string text;
  for (const ModelRelease& release : report.releases) {
    absl::StrAppend(&text, text.empty() ? "release " : "        ", ReleaseText(release), "\n");
  }
  return text;
}

std::string Policies(const ManifestReport& report) {
  if (report.policies.empty()) {
    return report.bundle_revision == 0
               ? ""
               : absl::StrCat("policy  revision ", report.bundle_revision, ", bundle ",
                              ShortDigest(report.bundle_sha256), "\n");
  }
  std::string text;
  for (const PolicyUse& use : report.policies) {
    absl::StrAppend(&text, text.empty() ? "policy  " : "        ", "revision ", use.revision,
                    ", bundle ", ShortDigest(use.bundle_sha256), ": rounds ", use.first_round,
                    " to ", use.last_round, "\n");
  }
  return text;
}

std::string HeadLines(const ManifestReport& report) {
  std::string text;
  if (report.last_index > 0) {
    absl::StrAppend(&text, "index   ", report.last_index, ", the record that made the model\n");
  }
  absl::StrAppend(&text, "head    ", report.head.size, " records of ", report.head.origin,
                  ", root ", ShortDigest(report.head.root), "\n");
  for (const auto& [witness, time] : report.cosigned) {
    absl::StrAppend(&text, "        cosigned by ", witness, " at ", FormatTimestamp(time), "\n");
  }
  return text;
}

}  // namespace

std::string ReleaseText(const ModelRelease& release) {
  return absl::StrCat("to ", release.to, " in ", release.jurisdiction, " for ", release.recipient,
                      " at ", FormatTimestamp(release.at), ", by revision ", release.revision,
                      ": record ", release.index);
}

nlohmann::json ReleaseJson(const ModelRelease& release) {
  return {{"index", release.index},
          {"to", release.to},
          {"jurisdiction", release.jurisdiction},
          {"recipient", release.recipient},
          {"at", FormatTimestamp(release.at)},
          {"revision", release.revision},
          {"bundle_sha256", HexEncode(release.bundle_sha256)}};
}

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
      return "good";
    case Verdict::kBadEvidence:
      return "bad-evidence";
    case Verdict::kCannotDecide:
      return "cannot-decide";
    case Verdict::kMisbehaviour:
      return "misbehaviour";
  }
  return "";
}

nlohmann::json ManifestJson(const ManifestReport& report) {
  nlohmann::json cosigned = nlohmann::json::object();
  for (const auto& [witness, time] : report.cosigned) {
    cosigned[witness] = FormatTimestamp(time);
  }
  return {
      {"verdict", VerdictName(report.verdict)},
      {"form", report.form == ManifestForm::kFull ? "full" : "compact"},
      {"who",
       {{"federation", report.federation},
        {"organisation", report.organisation},
        {"home_jurisdiction", report.home_jurisdiction},
        {"origin", report.origin},
        {"submitter", report.submitter}}},
      {"what",
       {{"job_id", report.job_id},
        {"job", report.job_name},
        {"rounds", report.rounds},
        {"model_sha256", HexEncode(report.model_sha256)},
        {"base_model_sha256", HexEncode(report.base_model_sha256)}}},
      {"where", PlacesToJson(report)},
      {"withdrawn", WithdrawnToJson(report)},
      {"policy",
       {{"bundle_sha256", HexEncode(report.bundle_sha256)}, {"revision", report.bundle_revision}}},
      {"policies", PoliciesToJson(report)},
      {"releases", ReleasesToJson(report)},
      {"privacy", {{"mode", report.privacy_mode}, {"loss", report.privacy_loss}}},
      {"index", report.last_index},
      {"head",
       {{"origin", report.head.origin},
        {"size", report.head.size},
        {"root", HexEncode(report.head.root)},
        {"cosigned", std::move(cosigned)}}},
      {"records", report.records},
      {"leaves", report.leaves},
      {"erased", ErasedJson(report.erased)},
      {"checks", ChecksToJson(report)},
      {"caveats", report.caveats}};
}

std::string ManifestFacts(const ManifestReport& report) {
  std::string text;
  if (!report.federation.empty()) {
    absl::StrAppend(&text, "who     federation ", report.federation, " of ", report.organisation,
                    " (", report.home_jurisdiction, ")",
                    report.submitter.empty() ? "" : "; submitted by ", report.submitter, "\n");
  }
  if (!report.job_id.empty()) {
    absl::StrAppend(&text, "what    job ", report.job_id);
    if (!report.job_name.empty()) {
      absl::StrAppend(&text, " (", report.job_name, ")");
    }
    absl::StrAppend(&text, "; model ", ShortDigest(report.model_sha256));
    if (report.verdict == Verdict::kGood) {
      absl::StrAppend(&text, " after ", report.rounds, report.rounds == 1 ? " round" : " rounds",
                      " from ", ShortDigest(report.base_model_sha256));
    }
    absl::StrAppend(&text, "\n");
  }
  if (!report.participants.empty()) {
    absl::StrAppend(&text, Places(report));
  }
  for (const ledger::verifier::WithdrawnShard& shard : report.withdrawn) {
    absl::StrAppend(&text, "        contains ", shard.name, ", withdrawn at record ", shard.index,
                    " (", shard.reason, ")\n");
  }
  absl::StrAppend(&text, Policies(report));
  if (!report.privacy_mode.empty()) {
    absl::StrAppend(&text, "privacy ", report.privacy_mode, "; loss ", report.privacy_loss, "\n");
  }
  text += Releases(report);
  if (!report.origin.empty()) {
    absl::StrAppend(&text, HeadLines(report));
  }
  for (const ledger::verifier::Erased& erased : report.erased) {
    absl::StrAppend(&text, "        ", ErasedText(erased), "\n");
  }
  return text;
}

std::string ManifestFailure(const CommandContext& context, const ManifestReport& report) {
  if (report.checks.empty() || report.checks.back().passed) {
    return "";
  }
  const Check& check = report.checks.back();
  return absl::StrCat(Coloured(context, Colour::kBad, "  FAIL  "), check.name,
                      check.index ? absl::StrCat(", record ", *check.index) : "",
                      "\n        expected  ", check.expected, "\n        found     ", check.actual,
                      "\n");
}

}  // namespace carnet::cli
