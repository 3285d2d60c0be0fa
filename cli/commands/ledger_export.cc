// Handing out a log as files: tiles for C2SP clients, bundles for Sigstore's.
#include "cli/commands/ledger_export.h"

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/status.h"
#include "ledger/bundle.h"
#include "ledger/export.h"
#include "ledger/record.h"
#include "ledger/verifier/manifest.h"
#include "ledger/view.h"

namespace carnet::cli {
namespace {

constexpr mode_t kPublicFileMode = 0644;
constexpr mode_t kPublicDirMode = 0755;

struct ExportOptions {
  std::string state;
  std::string manifest;
  std::string tiles;
  std::string bundles;
  std::string proofs;
  bool statements = false;
  std::vector<std::uint64_t> indexes;
};

absl::Status BundlesOfState(const ExportOptions& options, nlohmann::json& list) {
  CARNET_ASSIGN_OR_RETURN(const auto log, ledger::LogView::OpenReadOnly(options.state));
  CARNET_ASSIGN_OR_RETURN(const ledger::SignedHead published, log->PublishedHead());
  std::vector<std::uint64_t> indexes = options.indexes;
  for (std::uint64_t index = 0; options.indexes.empty() && index < published.head.size; ++index) {
    indexes.push_back(index);
  }
  for (const std::uint64_t index : indexes) {
    CARNET_ASSIGN_OR_RETURN(const ledger::LogView::Proven proven, log->ProvePublished(index));
    CARNET_ASSIGN_OR_RETURN(const ledger::NoteKey signer,
                            ledger::SignerOf(proven.head.note, log->keys()));
    CARNET_RETURN_IF_ERROR(WriteBundle(proven.record, proven.head, signer, options.bundles, list));
  }
  return absl::OkStatus();
}

absl::Status BundlesOfManifest(const ExportOptions& options, nlohmann::json& list) {
  CARNET_ASSIGN_OR_RETURN(const Bytes file,
                          ReadFile(options.manifest, ledger::verifier::kManifestBytesMax));
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::Manifest manifest,
                          ledger::verifier::ParseManifest(file));
  if (manifest.records.empty()) {
    return absl::NotFoundError("manifest: it holds no record");
  }
  CARNET_ASSIGN_OR_RETURN(const ledger::Record first,
                          ledger::OpenRecord(manifest.records.front().record));
  const auto* genesis = first.As<v1::Genesis>();
  if (genesis == nullptr) {
    return absl::NotFoundError("manifest: it does not begin with genesis");
  }
  CARNET_ASSIGN_OR_RETURN(const ledger::NoteKey founding, ledger::ParseVkey(genesis->log_vkey()));
  ledger::LogKeys keys(founding);
  for (const ledger::verifier::IndexedRecord& entry : manifest.records) {
    CARNET_RETURN_IF_ERROR(keys.Follow(entry.index, entry.record).status());
  }
  CARNET_ASSIGN_OR_RETURN(const ledger::NoteKey log, ledger::SignerOf(manifest.head, keys));
  CARNET_ASSIGN_OR_RETURN(const ledger::Head head, ledger::ParseHead(manifest.head, log));
  CARNET_ASSIGN_OR_RETURN(const std::vector<v1::ProvenRecord> records,
                          ledger::verifier::ProveSingly(manifest, head.size));
  for (const v1::ProvenRecord& record : records) {
    CARNET_RETURN_IF_ERROR(
        WriteBundle(record, {.head = head, .note = manifest.head}, log, options.bundles, list));
  }
  return absl::OkStatus();
}

// `record-000012.tlog-proof` and its envelope beside it.
absl::StatusOr<std::size_t> ProofsOfState(const ExportOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const auto log, ledger::LogView::OpenReadOnly(options.state));
  CARNET_RETURN_IF_ERROR(MakeDirs(options.proofs, kPublicDirMode));
  const std::filesystem::path folder = options.proofs;
  for (const std::uint64_t index : options.indexes) {
    CARNET_ASSIGN_OR_RETURN(const ledger::LogView::Proven proven, log->ProvePublished(index));
    CARNET_ASSIGN_OR_RETURN(const std::string proof,
                            ledger::TlogProof(proven.record.proof(), proven.head));
    const std::string stem = absl::StrFormat("record-%06d", index);
    CARNET_RETURN_IF_ERROR(WriteFileAtomic(folder / absl::StrCat(stem, ".dsse.json"),
                                           AsBytes(ledger::EnvelopeJson(proven.record.record())),
                                           kPublicFileMode));
    CARNET_RETURN_IF_ERROR(WriteFileAtomic(folder / absl::StrCat(stem, ".tlog-proof"),
                                           AsBytes(proof), kPublicFileMode));
  }
  return options.indexes.size();
}

bool Understood(const ExportOptions& options) {
  const int kinds = (options.tiles.empty() ? 0 : 1) + (options.bundles.empty() ? 0 : 1) +
                    (options.proofs.empty() ? 0 : 1);
  const bool of_manifest = !options.manifest.empty();
  return kinds == 1 && options.state.empty() == of_manifest &&
         (!of_manifest || !options.bundles.empty()) &&
         (options.proofs.empty() || !options.indexes.empty());
}

absl::StatusOr<int> Export(const ExportOptions& options, CommandContext& context) {
  if (!Understood(options)) {
    return WithRemedy(absl::InvalidArgumentError("export: what, and from where?"),
                      "give --state with --tiles, --bundles, or --proofs and --index; or "
                      "--manifest with --bundles");
  }
  nlohmann::json result;
  if (!options.tiles.empty()) {
    CARNET_ASSIGN_OR_RETURN(const auto log, ledger::LogView::OpenReadOnly(options.state));
    CARNET_ASSIGN_OR_RETURN(
        const ledger::Exported exported,
        ledger::ExportTiles(*log, options.tiles, {.statements = options.statements}));
    result = {{"out", options.tiles},
              {"records", exported.size},
              {"files_written", exported.files_written}};
  } else if (!options.proofs.empty()) {
    CARNET_ASSIGN_OR_RETURN(const std::size_t count, ProofsOfState(options));
    result = {{"out", options.proofs}, {"records", count}};
  } else {
    CARNET_RETURN_IF_ERROR(MakeDirs(options.bundles, kPublicDirMode));
    nlohmann::json list = nlohmann::json::array();
    CARNET_RETURN_IF_ERROR(options.manifest.empty() ? BundlesOfState(options, list)
                                                    : BundlesOfManifest(options, list));
    result = {{"out", options.bundles}, {"records", list.size()}};
    CARNET_RETURN_IF_ERROR(WriteBundleList(list, options.bundles));
  }
  if (context.json) {
    *context.out << result.dump() << '\n';
  } else {
    *context.out << "exported " << result["records"] << " records to "
                 << result["out"].get<std::string>() << '\n';
  }
  return kGood;
}

}  // namespace

absl::Status WriteBundle(const v1::ProvenRecord& record, const ledger::SignedHead& head,
                         const ledger::NoteKey& log, const std::filesystem::path& directory,
                         nlohmann::json& list) {
  CARNET_ASSIGN_OR_RETURN(const std::string bundle, ledger::SigstoreBundle(record, head, log));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record opened, ledger::OpenRecord(record.record()));
  const std::string name = absl::StrFormat("record-%06d.sigstore.json", record.proof().index());
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(directory / name, AsBytes(bundle), kPublicFileMode));
  list.push_back({{"file", name},
                  {"index", record.proof().index()},
                  {"type", opened.type},
                  {"public_key", HexEncode(opened.signer)}});
  return absl::OkStatus();
}

absl::Status WriteBundleList(const nlohmann::json& list, const std::filesystem::path& directory) {
  return WriteFileAtomic(directory / "bundles.json", AsBytes(list.dump(1) + "\n"), kPublicFileMode);
}

void AddLedgerExport(CLI::App& noun, CommandContext& context) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* command =
      AddCommand(noun, context, "export", "Write the log, or records of it, as files",
                 [options, &context] { return Export(*options, context); });
  command->add_option("--state", options->state,
                      "The coordinator's state folder; it may be running");
  command->add_option("--manifest", options->manifest, "A manifest instead: its records");
  command->add_option("--tiles", options->tiles,
                      "Folder for C2SP tiles, entries and head; an earlier export grows");
  command->add_flag("--statements", options->statements, "With --tiles: the statements too");
  command->add_option("--bundles", options->bundles,
                      "Folder for Sigstore bundles and their list, bundles.json");
  command->add_option("--tlog-proof,--proofs", options->proofs,
                      "Folder for C2SP tlog-proofs of the records that --index names");
  command->add_option("--index", options->indexes,
                      "With --state and --bundles or --tlog-proof: only these records");
}

}  // namespace carnet::cli
