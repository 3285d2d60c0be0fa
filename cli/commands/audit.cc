// `carnet audit`: a whole log replayed, every policy decision taken again, offline; one of them
// with its facts and its bundle.
#include "coordinator/audit/audit.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/commands/policy_decisions.h"
#include "cli/output.h"
#include "coordinator/audit/render.h"
#include "coordinator/recompute/kept_files.h"
#include "coordinator/recompute/recompute.h"
#include "crypto/key_files.h"
#include "ledger/archive.h"
#include "ledger/readers/archive_source.h"
#include "ledger/readers/state_source.h"
#include "ledger/record.h"
#include "ledger/verifier/trust_policy.h"
#include "ledger/view.h"
#include "policies/explain.h"

namespace carnet::cli {
namespace {

namespace audit = coordinator::audit;
using ledger::verifier::LogSource;
using ledger::verifier::TrustPolicy;

constexpr std::uint64_t kProgressRecords = 1000;
constexpr mode_t kReportMode = 0644;

struct AuditOptions {
  std::string state;
  std::string bundle;
  std::string job;
  std::string decision;
  std::string trust;
  std::string html;
  std::string out;
  std::vector<std::string> since;
  std::string key;      // folder of the person for whom rounds are kept; empty: nobody's
  bool deltas = false;  // export them as well
};

absl::StatusOr<TrustPolicy> ReadTrust(const std::string& path) {
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(path, ledger::verifier::kTrustPolicyBytesMax));
  return ledger::verifier::ParseTrustPolicy(AsText(text));
}

absl::StatusOr<std::vector<std::string>> ReadHeads(const std::vector<std::string>& paths) {
  std::vector<std::string> heads;
  for (const std::string& path : paths) {
    CARNET_ASSIGN_OR_RETURN(const Bytes note, ReadFile(path, ledger::verifier::kHeadBytesMax));
    heads.push_back(ToString(note));
  }
  return heads;
}

// The private half of the key that `carnet user enroll` made for things that are kept for a person.
absl::StatusOr<crypto::X25519KeyPair> ReadPersonKey(const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::path keys =
      std::filesystem::exists(folder / "keys", error) ? folder / "keys" : folder;
  if (!std::filesystem::exists(keys / "wrapping.key", error)) {
    return WithRemedy(
        WithOperatorDetail(absl::NotFoundError("--key: no wrapping.key there"), keys.string()),
        "give the folder that `carnet user enroll --out` made");
  }
  CARNET_ASSIGN_OR_RETURN(const crypto::KeyFiles files, crypto::KeyFiles::Open(keys.string()));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes secret,
                          files.Read("wrapping", crypto::KeyKind::kX25519));
  return crypto::X25519KeyPair::FromPrivateKey(secret);
}

// Null: nobody's key was given.
absl::StatusOr<std::unique_ptr<coordinator::Recomputer>> MakeRecomputer(
    const AuditOptions& options) {
  if (options.key.empty()) {
    return nullptr;
  }
  CARNET_ASSIGN_OR_RETURN(crypto::X25519KeyPair key, ReadPersonKey(options.key));
  coordinator::RecomputerOptions settings;
  settings.blobs = options.state.empty() ? coordinator::KeptFilesOf(options.bundle)
                                         : std::filesystem::path(options.state) / "blobs";
  settings.threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 16U));
  return coordinator::Recomputer::Make(std::move(settings), std::move(key));
}

// heads: that came with the source.
absl::StatusOr<audit::Report> RunAudit(LogSource& source, const AuditOptions& options,
                                       const std::string& job,
                                       const std::vector<std::string>& heads,
                                       const CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const auto recomputer, MakeRecomputer(options));
  CARNET_ASSIGN_OR_RETURN(const TrustPolicy policy, ReadTrust(options.trust));
  audit::Options settings;
  settings.now = absl::Now();
  settings.job = job;
  settings.decision = options.decision;
  CARNET_ASSIGN_OR_RETURN(settings.old_heads, ReadHeads(options.since));
  settings.old_heads.insert(settings.old_heads.end(), heads.begin(), heads.end());
  ProgressLine line(context);
  settings.progress = [&line](std::uint64_t done, std::uint64_t total) {
    if (line.active() && done % kProgressRecords == 0) {
      line.Show(absl::StrCat("audited ", done, " of ", total, " records"));
    }
  };
  if (recomputer != nullptr) {
    settings.recompute = [&recomputer](const audit::Aggregation& aggregation) {
      return recomputer->Compute(aggregation);
    };
  }
  return audit::Audit(source, policy, settings);
}

absl::Status WriteReports(const AuditOptions& options, const audit::Report& report,
                          const CommandContext& context) {
  for (const auto& [path, text] :
       {std::pair<std::string, std::string>{options.out, audit::ToText(report)},
        {options.html, audit::ToHtml(report)}}) {
    if (!path.empty()) {
      CARNET_RETURN_IF_ERROR(WriteFileAtomic(path, AsBytes(text), kReportMode));
      *context.err << "wrote " << path << '\n';
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<audit::Report> AuditSource(const AuditOptions& options,
                                          const CommandContext& context) {
  if (!options.state.empty()) {
    CARNET_ASSIGN_OR_RETURN(const auto source, ledger::StateSource::Open(options.state));
    return RunAudit(*source, options, options.job, {}, context);
  }
  CARNET_ASSIGN_OR_RETURN(const auto source, ledger::ArchiveSource::Open(options.bundle));
  return RunAudit(*source, options, options.job.empty() ? source->job() : options.job,
                  source->heads(), context);
}

absl::Status CheckSource(const AuditOptions& options) {
  return options.state.empty() == options.bundle.empty() || options.trust.empty()
             ? WithRemedy(absl::InvalidArgumentError(
                              "audit: --trust is needed, and one of --state and --bundle"),
                          "carnet audit --help")
             : absl::OkStatus();
}

absl::StatusOr<int> Run(const AuditOptions& options, CommandContext& context) {
  CARNET_RETURN_IF_ERROR(CheckSource(options));
  CARNET_ASSIGN_OR_RETURN(const audit::Report report, AuditSource(options, context));
  CARNET_RETURN_IF_ERROR(WriteReports(options, report, context));
  if (context.json) {
    *context.out << audit::ToJsonText(report) << '\n';
  } else if (options.out.empty()) {
    *context.out << audit::ToText(report);
  } else {
    *context.out << audit::NameOf(report.verdict) << '\n';
  }
  // The verdicts are the exit codes.
  return static_cast<int>(report.verdict);
}

// What a decision was taken with, for `carnet policy decide`.
absl::Status WriteRetaken(const std::string& folder, const audit::Retaken& retaken,
                          const CommandContext& context) {
  CARNET_RETURN_IF_ERROR(MakeDirs(folder));
  for (const auto& [name, text] :
       {std::pair<const char*, const std::string&>{"facts.json", retaken.facts_json},
        {"bundle.json", retaken.bundle_json}}) {
    const std::filesystem::path path = std::filesystem::path(folder) / name;
    CARNET_RETURN_IF_ERROR(WriteFileAtomic(path, AsBytes(text), kReportMode));
    *context.err << "wrote " << path.string() << '\n';
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Decision(const AuditOptions& options, CommandContext& context) {
  CARNET_RETURN_IF_ERROR(CheckSource(options));
  CARNET_ASSIGN_OR_RETURN(const audit::Report report, AuditSource(options, context));
  if (!report.retaken.has_value()) {
    return WithRemedy(absl::NotFoundError("the log holds no decision of this id, or its facts "
                                          "cannot be made again"),
                      "carnet policy refusals --for auditor");
  }
  const audit::Retaken& retaken = *report.retaken;
  if (!options.out.empty()) {
    CARNET_RETURN_IF_ERROR(WriteRetaken(options.out, retaken, context));
  }
  if (context.json) {
    CARNET_ASSIGN_OR_RETURN(const std::string decision, MessageToJson(retaken.now));
    *context.out << nlohmann::json{{"verdict", audit::NameOf(report.verdict)},
                                   {"index", retaken.index},
                                   {"decision", nlohmann::json::parse(decision)},
                                   {"facts", nlohmann::json::parse(retaken.facts_json)}}
                        .dump()
                 << '\n';
    return static_cast<int>(report.verdict);
  }
  *context.out << policies::Explain(retaken.now, policies::Reader::kAuditor)
               << "taken again from the log: record " << retaken.index
               << "; the audit of the whole log is " << audit::NameOf(report.verdict) << '\n';
  return static_cast<int>(report.verdict);
}

// Error NOT_FOUND: no record submits that job.
absl::Status CheckJob(const ledger::LogView& log, const std::string& job_id) {
  bool found = job_id.empty();
  CARNET_RETURN_IF_ERROR(
      log.ForEachRecord(0, [&](std::uint64_t, const v1::SignedRecord& record) -> absl::Status {
        // Only statements that name it are worth parsing.
        if (!found && absl::StrContains(record.statement(), job_id)) {
          CARNET_ASSIGN_OR_RETURN(const ledger::Record opened, ledger::OpenVerifiedRecord(record));
          const auto* submitted = opened.As<v1::JobSubmitted>();
          found = submitted != nullptr && submitted->job_id() == job_id;
        }
        return absl::OkStatus();
      }));
  return found ? absl::OkStatus()
               : WithRemedy(absl::NotFoundError("the log has no such job"),
                            "`carnet ledger search --type job-submitted` lists them");
}

// What goes along with the bundle for whoever holds the key of a kept round.
absl::StatusOr<coordinator::CopiedFiles> ExportDeltas(const ledger::LogView& log,
                                                      const AuditOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const auto rounds,
                          coordinator::KeptRounds(log, options.job, absl::Now()));
  return coordinator::CopyKeptFiles(rounds, std::filesystem::path(options.state) / "blobs",
                                    coordinator::KeptFilesOf(options.out));
}

absl::StatusOr<int> Export(const AuditOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const auto log, ledger::LogView::OpenReadOnly(options.state));
  CARNET_RETURN_IF_ERROR(CheckJob(*log, options.job));
  ledger::ArchiveOptions archive;
  archive.job = options.job;
  CARNET_ASSIGN_OR_RETURN(archive.heads, ReadHeads(options.since));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t size,
                          ledger::ExportArchive(*log, options.out, archive));
  coordinator::CopiedFiles copied;
  if (options.deltas) {
    CARNET_ASSIGN_OR_RETURN(copied, ExportDeltas(*log, options));
  }
  if (context.json) {
    nlohmann::json line = {{"file", options.out}, {"size", size}};
    if (options.deltas) {
      line["blobs"] = coordinator::KeptFilesOf(options.out).string();
      line["deltas"] = copied.deltas;
      line["models"] = copied.models;
      line["gone"] = copied.gone;
    }
    *context.out << line.dump() << '\n';
    return kGood;
  }
  *context.err << "wrote " << options.out << ": " << size << " records"
               << (options.job.empty() ? ""
                                       : ", every one up to the head: decisions about the job "
                                         "depend on the whole state")
               << "\n  it holds every statement, and no key and nothing of the vault\n";
  if (options.deltas) {
    *context.err << "wrote " << coordinator::KeptFilesOf(options.out).string() << ": "
                 << copied.deltas << " sealed deltas, " << copied.models << " base models"
                 << (copied.gone == 0 ? "" : absl::StrCat(", ", copied.gone, " files are gone"))
                 << "\n  only the person for whom a round is kept can open its deltas; the base "
                    "models are plain\n";
  }
  return kGood;
}

void AddExport(CLI::App& parent, CommandContext& context) {
  const auto options = std::make_shared<AuditOptions>();
  CLI::App* command = AddCommand(parent, context, "export",
                                 "Write the log into one file for `carnet audit --bundle`",
                                 [options, &context] { return Export(*options, context); });
  command
      ->add_option("--state", options->state, "The coordinator's state folder; it may be running")
      ->required();
  command->add_option("--out", options->out, "The file, X.carnet-audit")->required();
  command->add_option("--job", options->job, "The job that it is about");
  command->add_option("--since", options->since,
                      "A head of this log from earlier, to go with it; may be repeated");
  command->add_flag("--deltas", options->deltas,
                    "With the sealed deltas of rounds that are kept for somebody, and what they "
                    "were added to, in the folder OUT.blobs");
}

void AddDecision(CLI::App& parent, CommandContext& context) {
  const auto options = std::make_shared<AuditOptions>();
  CLI::App* command = AddCommand(parent, context, "decision",
                                 "Take one decision on record again, with its facts and its bundle",
                                 [options, &context] { return Decision(*options, context); });
  command->add_option("decision", options->decision, "Its id (d-…)")->required();
  command->add_option("--state", options->state,
                      "The coordinator's state folder, or a copy; it may be running");
  command->add_option("--bundle", options->bundle, "A file from `carnet audit export` instead");
  command->add_option("--trust", options->trust, "trust.policy, from somewhere else than the log")
      ->required();
  command->add_option(
      "--out", options->out,
      "Folder for facts.json and bundle.json, as `carnet policy decide` reads them");
}

}  // namespace

void RegisterAuditCommands(CLI::App& app, CommandContext& context) {
  const auto options = std::make_shared<AuditOptions>();
  CLI::App* const command = AddCommand(app, context, "audit",
                                       "Replay a log and take every policy decision again, offline",
                                       [options, &context] { return Run(*options, context); });
  command->add_option("--state", options->state,
                      "The coordinator's state folder, or a copy; it may be running");
  command->add_option("--bundle", options->bundle, "A file from `carnet audit export` instead");
  command->add_option("--job", options->job, "Name this job in the report, and no other");
  command->add_option("--trust", options->trust, "trust.policy, from somewhere else than the log");
  command->add_option("--since", options->since,
                      "A head of this log from earlier; may be repeated");
  command->add_option("--key", options->key,
                      "Your folder from `carnet user enroll`: rounds that are kept for you are "
                      "computed again");
  command->add_option("--html", options->html, "Write the report as a page to this file");
  command->add_option("--out", options->out, "Write the report as text to this file");
  AddExport(*command, context);
  AddDecision(*command, context);
  AddPolicyDecisions(app, context);
}

}  // namespace carnet::cli
