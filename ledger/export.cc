#include "ledger/export.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "ledger/tiles.h"
#include "ledger/trust.h"

namespace carnet::ledger {
namespace {

constexpr mode_t kPublicFileMode = 0644;
constexpr mode_t kPublicDirMode = 0755;

absl::Status WritePublic(const std::filesystem::path& path, ByteView bytes) {
  CARNET_RETURN_IF_ERROR(MakeDirs(path.parent_path(), kPublicDirMode));
  return WriteFileAtomic(path, bytes, kPublicFileMode);
}

absl::Status CheckEmpty(const std::filesystem::path& directory) {
  std::error_code error;
  if (std::filesystem::exists(directory, error) && !std::filesystem::is_empty(directory, error)) {
    return WithOperatorDetail(absl::AlreadyExistsError("export: the folder is not empty"),
                              directory.string());
  }
  return absl::OkStatus();
}

void AppendBigEndian32(std::size_t value, Bytes& out) {
  for (const unsigned shift : {24u, 16u, 8u, 0u}) {
    out.push_back(static_cast<std::uint8_t>((value >> shift) & 0xff));
  }
}

// `statements/<N>`: the index path of an entry bundle under another name.
std::string StatementsPath(std::uint64_t index, unsigned width) {
  constexpr absl::string_view kEntries = "tile/entries/";
  return absl::StrCat("statements/", EntriesPath(index, width).substr(kEntries.size()));
}

absl::Status ExportStatements(const LogView& log, std::uint64_t index, unsigned width,
                              const std::filesystem::path& directory) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<StoredRecord> records,
                          log.ReadRange(index * kTileWidth, width));
  Bytes bundle;
  for (const StoredRecord& stored : records) {
    const std::string& statement = stored.record.statement();
    AppendBigEndian32(statement.size(), bundle);
    bundle.insert(bundle.end(), statement.begin(), statement.end());
  }
  return WritePublic(directory / StatementsPath(index, width), bundle);
}

// Calls `write(index, width)` for each tile of a level that a size implies.
template <typename Write>
absl::Status ForEachTile(std::uint64_t size, unsigned level, const Write& write) {
  const TileExtent extent = ExtentOfLevel(size, level);
  for (std::uint64_t index = 0; index < extent.full_tiles; ++index) {
    CARNET_RETURN_IF_ERROR(write(index, kTileWidth));
  }
  return extent.partial_width == 0 ? absl::OkStatus()
                                   : write(extent.full_tiles, extent.partial_width);
}

}  // namespace

absl::StatusOr<std::uint64_t> ExportTiles(const LogView& log,
                                          const std::filesystem::path& directory,
                                          const ExportOptions& options) {
  CARNET_RETURN_IF_ERROR(CheckEmpty(directory));
  CARNET_RETURN_IF_ERROR(MakeDirs(directory, kPublicDirMode));
  const SignedHead head = log.Head();
  const std::uint64_t size = head.head.size;
  const auto write_bundle = [&](std::uint64_t index, unsigned width) -> absl::Status {
    CARNET_ASSIGN_OR_RETURN(const Bytes bundle, log.EntryBundle(index, width));
    CARNET_RETURN_IF_ERROR(WritePublic(directory / EntriesPath(index, width), bundle));
    return options.statements ? ExportStatements(log, index, width, directory) : absl::OkStatus();
  };
  CARNET_RETURN_IF_ERROR(ForEachTile(size, 0, write_bundle));
  for (unsigned level = 0; level < LevelCount(size); ++level) {
    const auto write_tile = [&](std::uint64_t index, unsigned width) -> absl::Status {
      const TileId tile{.level = level, .index = index, .width = width};
      CARNET_ASSIGN_OR_RETURN(const Bytes hashes, log.Tile(tile));
      return WritePublic(directory / TilePath(tile), hashes);
    };
    CARNET_RETURN_IF_ERROR(ForEachTile(size, level, write_tile));
  }
  // Last, so that a reader who finds a head finds what it implies.
  CARNET_RETURN_IF_ERROR(WritePublic(directory / "checkpoint", AsBytes(head.note)));
  return size;
}

absl::Status ExportTrust(const LogView& log, const std::filesystem::path& directory) {
  if (log.Size() == 0) {
    return absl::FailedPreconditionError("export: the log has no genesis record yet");
  }
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord first, log.ReadRecord(0));
  CARNET_ASSIGN_OR_RETURN(const Record record, OpenVerifiedRecord(first));
  const auto* genesis = record.As<v1::Genesis>();
  if (genesis == nullptr) {
    return absl::FailedPreconditionError("export: record 0 is no genesis");
  }
  CARNET_RETURN_IF_ERROR(MakeDirs(directory, kPublicDirMode));
  CARNET_RETURN_IF_ERROR(WritePublic(directory / "trust.policy",
                                     AsBytes(TrustPolicyText(log.key(), record.leaf_hash))));
  return WritePublic(directory / "trusted-root.json",
                     AsBytes(TrustedRootJson(log.key(), ToTime(genesis->common().at()))));
}

}  // namespace carnet::ledger
