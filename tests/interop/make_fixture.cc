// Writes what other people's verifiers are held against: for each of two logs (a federation that
// trained for two rounds; 600 records, over tile borders) a folder with tiles, statements, trust
// files, earlier heads, Sigstore bundles and their list. Usage: ledger_make_fixture OUT
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "ledger/bundle.h"
#include "ledger/export.h"
#include "ledger/manifest.h"
#include "small_federation.h"

namespace carnet {
namespace {

using testing_ledger::SmallFederation;

constexpr std::uint64_t kLargeSize = 600;

absl::Status WriteText(const std::filesystem::path& path, absl::string_view text) {
  return WriteFileAtomic(path, AsBytes(text), 0644);
}

// A bundle for each index, and bundles.json as `carnet ledger export --bundles` writes it.
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

absl::Status WriteLog(SmallFederation& federation, const std::vector<std::uint64_t>& indexes,
                      const std::vector<std::string>& heads, const std::filesystem::path& out) {
  CARNET_RETURN_IF_ERROR(
      ledger::ExportTiles(federation.log(), out / "tiles", {.statements = true}));
  CARNET_RETURN_IF_ERROR(ledger::ExportTrust(federation.log(), out));
  CARNET_RETURN_IF_ERROR(WriteText(out / "log.vkey", federation.log().key().Vkey()));
  CARNET_RETURN_IF_ERROR(MakeDirs(out / "heads"));
  for (std::size_t i = 0; i < heads.size(); ++i) {
    CARNET_RETURN_IF_ERROR(WriteText(out / "heads" / absl::StrCat(i), heads[i]));
  }
  return WriteBundles(federation.log(), indexes, out / "bundles");
}

absl::Status MakeTrained(const std::filesystem::path& out) {
  CARNET_RETURN_IF_ERROR(MakeDirs(out / "state"));
  SmallFederation federation(out / "state");
  federation.Found();
  std::vector<std::string> heads = {federation.log().Head().note};
  federation.Round();
  heads.push_back(federation.log().Head().note);
  federation.Round();
  const ledger::ManifestOrder order = federation.Order();
  CARNET_RETURN_IF_ERROR(WriteLog(federation, order.indexes, heads, out));
  CARNET_ASSIGN_OR_RETURN(const Bytes manifest, ledger::MakeManifest(federation.log(), order));
  return WriteFileAtomic(out / "model.carnet", manifest, 0644);
}

absl::Status MakeLarge(const std::filesystem::path& out) {
  CARNET_RETURN_IF_ERROR(MakeDirs(out / "state"));
  SmallFederation federation(out / "state");
  federation.Found();
  std::vector<std::string> heads;
  for (const std::uint64_t size : {255u, 256u, 257u, 511u, 512u, 600u}) {
    std::vector<v1::SignedRecord> batch;
    while (federation.size() + batch.size() < size) {
      batch.push_back(federation.Filler());
    }
    CARNET_RETURN_IF_ERROR(federation.log().Append(batch));
    heads.push_back(federation.log().Head().note);
  }
  CARNET_CHECK(federation.size() == kLargeSize);
  return WriteLog(federation, {0, 254, 255, 256, 511, 512, 599}, heads, out);
}

absl::Status Make(const std::filesystem::path& out) {
  std::error_code error;
  std::filesystem::remove_all(out, error);
  CARNET_RETURN_IF_ERROR(MakeTrained(out / "trained"));
  return MakeLarge(out / "large");
}

}  // namespace
}  // namespace carnet

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: ledger_make_fixture OUT\n");
    return EXIT_FAILURE;
  }
  const absl::Status made = carnet::Make(argv[1]);
  if (!made.ok()) {
    std::fprintf(stderr, "ledger_make_fixture: %s\n", carnet::DescribeForOperator(made).c_str());
  }
  return made.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
