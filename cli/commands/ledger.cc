// `carnet ledger verify | fsck | show | prove | trust`: what a log holds, and whether it holds
// together.
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/config_loader.h"
#include "base/files.h"
#include "base/parallel.h"
#include "base/status.h"
#include "carnet/v1/config.pb.h"
#include "cli/commands.h"
#include "cli/commands/ledger_export.h"
#include "cli/commands/ledger_place.h"
#include "cli/commands/ledger_proof.h"
#include "cli/commands/ledger_search.h"
#include "cli/commands/ledger_source.h"
#include "cli/erased_view.h"
#include "cli/output.h"
#include "coordinator/head_file.h"
#include "ledger/bundle.h"
#include "ledger/export.h"
#include "ledger/readers/state_source.h"
#include "ledger/record.h"
#include "ledger/trust.h"
#include "ledger/verifier/whole_log.h"
#include "ledger/view.h"

namespace carnet::cli {
namespace {

using ledger::verifier::LogVerdict;
using ledger::verifier::TrustPolicy;

// What a coordinator takes at most to commit a head that its head file has already.
constexpr absl::Duration kCommitMax = absl::Seconds(1);

struct LedgerOptions {
  LogSourceOptions source;
  std::string state;
  std::string trust;
  std::vector<std::string> since;
  std::string out;
  std::uint64_t index = 0;
  bool envelope = false;
  bool vkey = false;
  bool head = false;
};

nlohmann::json ToJson(const LogVerdict& verdict) {
  nlohmann::json json = {{"good", !verdict.failure},
                         {"origin", verdict.report.head.origin},
                         {"size", verdict.report.head.size},
                         {"root", HexEncode(verdict.report.head.root)},
                         {"entries_checked", verdict.report.entries_checked},
                         {"tiles_checked", verdict.report.tiles_checked},
                         {"statements_checked", verdict.report.statements_checked},
                         {"heads_checked", verdict.report.old_heads_checked},
                         {"operator_only", verdict.report.operator_only},
                         {"erased", ErasedJson(verdict.report.erased)}};
  if (verdict.failure) {
    json["failure"] = std::string(verdict.failure->status.message());
    if (verdict.failure->index) {
      json["index"] = *verdict.failure->index;
    }
  }
  return json;
}

int Conclude(const CommandContext& context, const LogVerdict& verdict) {
  std::ostream& out = *context.out;
  if (context.json) {
    out << ToJson(verdict).dump() << '\n';
  } else {
    const ledger::verifier::LogReport& report = verdict.report;
    if (!report.head.origin.empty()) {
      out << "log     " << report.head.origin << "\nhead    " << report.head.size
          << " records, root " << HexEncode(report.head.root) << '\n';
    }
    for (const auto& [witness, time] : report.cosigned) {
      out << "        cosigned by " << witness << " at " << FormatTimestamp(time) << '\n';
    }
    out << "checked " << report.entries_checked << " entries, " << report.tiles_checked
        << " tiles, " << report.statements_checked << " statements, " << report.old_heads_checked
        << " earlier heads\n";
    for (const ledger::verifier::Erased& erased : report.erased) {
      out << ErasedText(erased) << '\n';
    }
  }
  if (!verdict.failure) {
    if (!context.json) {
      out << Coloured(context, Colour::kGood, "good\n");
      if (verdict.report.operator_only) {
        out << Coloured(context, Colour::kDim,
                        "  note: operator only: no protection against a split view\n");
      }
    }
    return kGood;
  }
  if (!context.json) {
    out << Coloured(context, Colour::kBad, "FAIL    ")
        << (verdict.failure->index ? absl::StrCat("record ", *verdict.failure->index, ": ") : "")
        << std::string(verdict.failure->status.message()) << '\n';
  }
  return ExitCodeOf(verdict.failure->status);
}

absl::StatusOr<int> VerifyLog(const LedgerOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const TrustPolicy policy, ReadTrustPolicy(options.trust));
  std::vector<std::string> heads;
  for (const std::string& path : options.since) {
    CARNET_ASSIGN_OR_RETURN(const Bytes note, ReadFile(path, ledger::verifier::kHeadBytesMax));
    heads.push_back(ToString(note));
  }
  CARNET_ASSIGN_OR_RETURN(const auto source, OpenLogSource(options.source));
  return Conclude(context,
                  ledger::verifier::VerifyWholeLog(*source, policy, heads, {}, ParallelForEach));
}

// The store at one moment. Beside a coordinator the head file may be ahead of it by the commit that
// is under way: then at a moment after that.
absl::StatusOr<std::unique_ptr<ledger::StateSource>> SnapshotWith(const std::string& state,
                                                                  absl::string_view head) {
  CARNET_ASSIGN_OR_RETURN(auto source, ledger::StateSource::Open(state));
  const absl::StatusOr<Bytes> stored = source->Read("checkpoint");
  const auto kept = ledger::verifier::ReadUnverifiedHead(head);
  const auto seen = stored.ok() ? ledger::verifier::ReadUnverifiedHead(AsText(*stored))
                                : absl::StatusOr<ledger::verifier::TreeHead>(stored.status());
  if (kept.ok() && seen.ok() && kept->size > seen->size && coordinator::IsInUse(state)) {
    absl::SleepFor(kCommitMax);
    return ledger::StateSource::Open(state);
  }
  return source;
}

absl::StatusOr<int> Fsck(const LedgerOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const TrustPolicy policy, options.trust.empty()
                                                        ? OwnTrustPolicy(options.state)
                                                        : ReadTrustPolicy(options.trust));
  // The newest head in the second place must be a prefix of what is stored: a state that was rolled
  // back shows here.
  CARNET_ASSIGN_OR_RETURN(const std::filesystem::path head_file,
                          coordinator::HeadFileOf(options.state));
  const absl::StatusOr<Bytes> head = ReadFile(head_file, ledger::verifier::kHeadBytesMax);
  if (absl::IsNotFound(head.status())) {
    return WithRemedy(head.status(),
                      "put the head file back; if it is lost, write there the newest head of this "
                      "log that anybody else holds");
  }
  CARNET_RETURN_IF_ERROR(head);
  std::vector<std::string> heads = {ToString(*head)};
  for (const std::string& path : options.since) {
    CARNET_ASSIGN_OR_RETURN(const Bytes note, ReadFile(path, ledger::verifier::kHeadBytesMax));
    heads.push_back(ToString(note));
  }
  CARNET_ASSIGN_OR_RETURN(const auto source, SnapshotWith(options.state, AsText(*head)));
  return Conclude(context,
                  ledger::verifier::VerifyWholeLog(*source, policy, heads, {}, ParallelForEach));
}

// What was erased of the record at `index`. Only records of people have values in the vault.
absl::StatusOr<std::vector<ledger::verifier::Erased>> ErasedOf(const ledger::LogView& log,
                                                               std::uint64_t index) {
  std::vector<ledger::verifier::Erased> erased;
  CARNET_RETURN_IF_ERROR(log.ForEachRecord(
      index, [&](std::uint64_t at, const v1::SignedRecord& record) -> absl::Status {
        if (!absl::StrContains(record.statement(), "urn:carnet:erasure")) {
          return absl::OkStatus();
        }
        CARNET_ASSIGN_OR_RETURN(const auto verified, ledger::verifier::VerifyRecord(record));
        return ledger::verifier::TakeErasure(at, verified, erased);
      }));
  std::erase_if(erased, [index](const auto& item) { return item.index != index; });
  return erased;
}

absl::StatusOr<int> Show(const LedgerOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const auto log, ledger::LogView::OpenReadOnly(options.state));
  if (options.vkey || options.head) {
    *context.out << (options.vkey ? absl::StrCat(log->keys().newest().Vkey(), "\n")
                                  : log->Head().note);
    return kGood;
  }
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord record, log->ReadRecord(options.index));
  if (options.envelope) {
    *context.out << ledger::EnvelopeJson(record) << '\n';
    return kGood;
  }
  CARNET_ASSIGN_OR_RETURN(const ledger::Record opened, ledger::OpenRecord(record));
  const nlohmann::json statement = nlohmann::json::parse(record.statement());
  std::vector<ledger::verifier::Erased> erased;
  if (opened.As<v1::UserEnrolled>() != nullptr) {
    CARNET_ASSIGN_OR_RETURN(erased, ErasedOf(*log, options.index));
  }
  if (context.json) {
    *context.out << nlohmann::json{{"index", options.index},
                                   {"type", opened.type},
                                   {"signer", HexEncode(opened.signer)},
                                   {"leaf_hash", HexEncode(opened.leaf_hash)},
                                   {"erased", ErasedJson(erased)},
                                   {"statement", statement}}
                        .dump()
                 << '\n';
    return kGood;
  }
  *context.out << "record  " << options.index << ", " << opened.type << "\nsigner  "
               << HexEncode(opened.signer) << " (signature verifies)\nleaf    "
               << HexEncode(opened.leaf_hash) << '\n';
  for (const ledger::verifier::Erased& item : erased) {
    *context.out << ErasedText(item) << '\n';
  }
  *context.out << statement.dump(2) << '\n';
  return kGood;
}

absl::StatusOr<int> Prove(const LedgerOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const auto log, ledger::LogView::OpenReadOnly(options.state));
  CARNET_ASSIGN_OR_RETURN(const ledger::LogView::Proven proven, log->ProvePublished(options.index));
  CARNET_ASSIGN_OR_RETURN(const std::string proof,
                          ledger::TlogProof(proven.record.proof(), proven.head));
  if (options.out.empty()) {
    *context.out << proof;
    return kGood;
  }
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(options.out, AsBytes(proof), 0644));
  *context.err << "wrote " << options.out << '\n';
  return kGood;
}

// Where coordinator.yaml names a policy with witnesses, that is what auditors are to trust.
// It names the log's keys of its day: those that the log was handed over to since are added.
absl::Status ExportWitnessPolicy(const LedgerOptions& options, const ledger::LogView& log) {
  const std::filesystem::path state = options.state;
  const auto config = LoadYamlFile<v1::CoordinatorConfig>(state / "coordinator.yaml");
  if (absl::IsNotFound(config.status()) || (config.ok() && !config->has_publish())) {
    return absl::OkStatus();
  }
  CARNET_RETURN_IF_ERROR(config);
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(state / config->publish().policy(),
                                                     ledger::verifier::kTrustPolicyBytesMax));
  CARNET_ASSIGN_OR_RETURN(const std::string policy,
                          ledger::WithLaterKeys(AsText(text), log.keys().NoteKeys()));
  CARNET_RETURN_IF_ERROR(ledger::verifier::ParseTrustPolicy(policy));
  return WriteFileAtomic(std::filesystem::path(options.out) / "trust.policy", AsBytes(policy),
                         0644);
}

absl::StatusOr<int> Trust(const LedgerOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const auto log, ledger::LogView::OpenReadOnly(options.state));
  CARNET_RETURN_IF_ERROR(ledger::ExportTrust(*log, options.out));
  CARNET_RETURN_IF_ERROR(ExportWitnessPolicy(options, *log));
  *context.err << "wrote " << options.out
               << "/trust.policy and trusted-root.json; hand them out by another way than "
               << "models and manifests\n";
  return kGood;
}

// A command on a coordinator's state folder.
CLI::App* AddStateCommand(CLI::App& noun, CommandContext& context, const std::string& name,
                          const std::string& help, const std::shared_ptr<LedgerOptions>& options,
                          absl::StatusOr<int> (*run)(const LedgerOptions&, CommandContext&)) {
  CLI::App* command = AddCommand(noun, context, name, help,
                                 [options, run, &context] { return run(*options, context); });
  command
      ->add_option("--state", options->state, "The coordinator's state folder; it may be running")
      ->required();
  return command;
}

void AddVerify(CLI::App& noun, CommandContext& context,
               const std::shared_ptr<LedgerOptions>& options) {
  CLI::App* verify =
      AddCommand(noun, context, "verify", "Check a whole log; no network unless a URL is given",
                 [options, &context] { return VerifyLog(*options, context); });
  LogSourceOptions& source = options->source;
  verify
      ->add_option("DIR|URL", source.place,
                   "A folder from `carnet ledger export --tiles`, or an https:// that serves one")
      ->required();
  verify->add_option("--trust", options->trust, "trust.policy, from somewhere else than the log")
      ->required();
  verify->add_option("--since", options->since, "A head of this log from earlier; may be repeated");
  verify->add_option("--ca", source.ca, "For a URL: PEM of the CA of the server's certificate");
  verify->add_option("--server-name", source.server_name,
                     "For a URL: the name in that certificate, where it is not the host");
  verify->add_option("--state", source.state,
                     "For a coordinator's URL: read as this state folder's operator");
}

}  // namespace

void RegisterLedgerCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "ledger", "The log: verify, read, hand out");
  const auto options = std::make_shared<LedgerOptions>();

  AddVerify(*noun, context, options);

  CLI::App* fsck = AddStateCommand(*noun, context, "fsck",
                                   "Check the store itself, values included", options, Fsck);
  fsck->add_option("--trust", options->trust,
                   "trust.policy; default: what the store says of itself");
  fsck->add_option("--since", options->since, "A head of this log from elsewhere; may be repeated");

  CLI::App* show = AddStateCommand(*noun, context, "show", "Show a record", options, Show);
  show->add_option("INDEX", options->index, "Its index");
  show->add_flag("--envelope", options->envelope, "As its DSSE envelope");
  show->add_flag("--vkey", options->vkey, "The log's key instead");
  show->add_flag("--head", options->head, "The newest head instead");

  CLI::App* prove =
      AddStateCommand(*noun, context, "prove", "Prove that a record is in the log", options, Prove);
  prove->add_option("INDEX", options->index, "Its index")->required();
  prove->add_option("--out", options->out, "A .tlog-proof file; default: standard output");

  CLI::App* trust = AddStateCommand(*noun, context, "trust",
                                    "Write trust.policy and trusted-root.json", options, Trust);
  trust->add_option("--out", options->out, "Folder")->required();

  AddLedgerExport(*noun, context);
  AddLedgerVerifyProof(*noun, context);
  AddLedgerSearch(*noun, context);
}

}  // namespace carnet::cli
