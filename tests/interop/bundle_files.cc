#include "tests/interop/bundle_files.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "ledger/bundle.h"
#include "ledger/record.h"

namespace carnet {

absl::Status WriteText(const std::filesystem::path& path, absl::string_view text) {
  return WriteFileAtomic(path, AsBytes(text), 0644);
}

absl::Status WriteBundles(const ledger::LogView& log, const std::vector<std::uint64_t>& indexes,
                          const std::filesystem::path& out) {
  CARNET_RETURN_IF_ERROR(MakeDirs(out));
  nlohmann::json list = nlohmann::json::array();
  for (const std::uint64_t index : indexes) {
    CARNET_ASSIGN_OR_RETURN(const ledger::LogView::Proven proven, log.Prove(index));
    CARNET_ASSIGN_OR_RETURN(const std::string bundle,
                            ledger::SigstoreBundle(proven.record, proven.head, log.key()));
    CARNET_ASSIGN_OR_RETURN(const ledger::Record record,
                            ledger::OpenRecord(proven.record.record()));
    const std::string name = absl::StrCat("record-", index, ".sigstore.json");
    CARNET_RETURN_IF_ERROR(WriteText(out / name, bundle));
    list.push_back({{"file", name},
                    {"index", index},
                    {"type", record.type},
                    {"public_key", HexEncode(record.signer)}});
  }
  return WriteText(out / "bundles.json", list.dump(1));
}

}  // namespace carnet
