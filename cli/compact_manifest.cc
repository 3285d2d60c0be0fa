#include "cli/compact_manifest.h"

#include <utility>

#include "base/status.h"
#include "ledger/manifest.h"
#include "ledger/verifier/manifest.h"

namespace carnet::cli {

absl::StatusOr<Bytes> CompactManifest(ByteView full, std::uint64_t tree_size) {
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::Manifest parsed,
                          ledger::verifier::ParseManifest(full));
  CARNET_ASSIGN_OR_RETURN(ledger::verifier::Manifest compact,
                          ledger::verifier::CompactForm(parsed, tree_size));
  ledger::ManifestContents contents{.compact = true,
                                    .job_id = compact.job_id,
                                    .model_sha256 = compact.model_sha256,
                                    .head = compact.head,
                                    .records = {},
                                    .leaves = std::move(compact.leaves),
                                    .nodes = std::move(compact.nodes)};
  for (ledger::verifier::IndexedRecord& entry : compact.records) {
    contents.records.emplace_back(entry.index, std::move(entry.record));
  }
  return ledger::PackManifest(contents);
}

}  // namespace carnet::cli
