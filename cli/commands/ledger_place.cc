#include "cli/commands/ledger_place.h"

#include <filesystem>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/status.h"
#include "ledger/log.h"
#include "ledger/note.h"
#include "ledger/readers/directory_source.h"
#include "ledger/readers/state_source.h"
#include "ledger/record.h"
#include "ledger/sqlite_store.h"
#include "ledger/trust.h"

namespace carnet::cli {

using ledger::verifier::TrustPolicy;

absl::StatusOr<TrustPolicy> ReadTrustPolicy(const std::string& path) {
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(path, ledger::verifier::kTrustPolicyBytesMax));
  return ledger::verifier::ParseTrustPolicy(AsText(text));
}

absl::StatusOr<TrustPolicy> OwnTrustPolicy(const std::string& state) {
  CARNET_ASSIGN_OR_RETURN(
      const ledger::ReadOnlyStore opened,
      ledger::OpenSqliteStoreReadOnly(std::filesystem::path(state) / ledger::kStoreFileName));
  CARNET_ASSIGN_OR_RETURN(const ledger::NoteKey key, ledger::ParseVkey(opened.identity.vkey));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t size, opened.store->Size());
  Digest genesis{};
  std::vector<std::string> succeeds;
  if (size > 0) {
    CARNET_ASSIGN_OR_RETURN(const std::vector<ledger::StoredRecord> first,
                            opened.store->ReadRecords(0, 1));
    genesis = ledger::LeafHash(AsBytes(first.front().entry));
    const absl::StatusOr<ledger::Record> opened_first =
        ledger::OpenVerifiedRecord(first.front().record);
    if (const auto* founding = opened_first.ok() ? opened_first->As<v1::Genesis>() : nullptr;
        founding != nullptr && founding->has_succeeds()) {
      succeeds.push_back(founding->succeeds().origin());
    }
  }
  CARNET_ASSIGN_OR_RETURN(std::vector<ledger::LogKey> stored, opened.store->ReadLogKeys());
  CARNET_ASSIGN_OR_RETURN(const ledger::LogKeys keys,
                          ledger::LogKeys::Create(key, std::move(stored)));
  CARNET_ASSIGN_OR_RETURN(
      TrustPolicy policy,
      ledger::verifier::ParseTrustPolicy(ledger::TrustPolicyText(keys.NoteKeys(), genesis)));
  policy.succeeds = std::move(succeeds);  // The operator's own word.
  return policy;
}

void AddSourceOptions(CLI::App& command, SourceOptions& options) {
  command.add_option("--state", options.state, "A coordinator's state folder; it may be running");
  command.add_option("--log", options.log,
                     "Or a folder from `carnet ledger export --tiles --statements`");
  command.add_option("--trust", options.trust,
                     "trust.policy; needed with --log, else what the store says of itself");
}

absl::StatusOr<OpenedSource> OpenSource(const SourceOptions& options) {
  if (options.state.empty() == options.log.empty() ||
      (!options.log.empty() && options.trust.empty())) {
    return WithRemedy(absl::InvalidArgumentError("ledger: which log?"),
                      "give --state FOLDER, or --log FOLDER with --trust FILE");
  }
  OpenedSource opened;
  CARNET_ASSIGN_OR_RETURN(opened.policy, options.trust.empty() ? OwnTrustPolicy(options.state)
                                                               : ReadTrustPolicy(options.trust));
  if (options.state.empty()) {
    opened.log = std::make_unique<ledger::DirectorySource>(options.log);
  } else {
    CARNET_ASSIGN_OR_RETURN(opened.log, ledger::StateSource::Open(options.state));
  }
  return opened;
}

}  // namespace carnet::cli
