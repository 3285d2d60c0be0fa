#include "ledger/export.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/list_dir.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "ledger/errors.h"
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

constexpr char kHeadName[] = "checkpoint";
constexpr char kStatementsName[] = "statements";

// What an export that was cut off before its first head left behind.
bool IsExportsOwn(const std::string& name) {
  return name == "tile" || name == kStatementsName ||
         (absl::StartsWith(name, ".checkpoint.") && absl::EndsWith(name, ".tmp"));
}

// The folder itself, locked against a second export; released with the descriptor.
absl::StatusOr<UniqueFd> LockFolder(const std::filesystem::path& directory) {
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return FileError(errno, "open", directory);
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK
               ? WithOperatorDetail(absl::FailedPreconditionError(
                                        "export: another process exports into the folder"),
                                    directory.string())
               : FileError(errno, "lock", directory);
  }
  return fd;
}

absl::Status CheckNoHead(const std::filesystem::path& directory) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> paths, ListDir(directory));
  for (const std::filesystem::path& path : paths) {
    if (!IsExportsOwn(path.filename().string())) {
      return WithOperatorDetail(
          absl::AlreadyExistsError("export: the folder is not empty and holds no export"),
          directory.string());
    }
  }
  return absl::OkStatus();
}

// The size of the export that stands in the folder, 0 without one.
absl::StatusOr<std::uint64_t> SizeOfEarlier(const LogView& log, std::uint64_t size,
                                            const std::filesystem::path& directory) {
  const absl::StatusOr<Bytes> note = ReadFile(directory / kHeadName, kNoteBytesMax);
  if (absl::IsNotFound(note.status())) {
    CARNET_RETURN_IF_ERROR(CheckNoHead(directory));
    return 0;
  }
  CARNET_RETURN_IF_ERROR(note);
  const absl::StatusOr<Head> head = ParseHead(AsText(*note), log.keys());
  if (!head.ok()) {
    return WithOperatorDetail(
        absl::FailedPreconditionError("export: the folder's head is not of this log"),
        (directory / kHeadName).string());
  }
  if (head->size > log.Size()) {
    return LogMisbehaviourError(absl::StrCat("export: the folder's head has ", head->size,
                                             " records and this log ", log.Size(),
                                             ": it was rolled back"));
  }
  CARNET_ASSIGN_OR_RETURN(const Digest root, log.Root(head->size));
  if (root != head->root) {
    return LogMisbehaviourError(absl::StrCat("export: the folder's head of ", head->size,
                                             " records has another root: two histories"));
  }
  if (head->size > size) {
    // An export from before the log had witnesses, whose cosignatures have not come that far.
    return absl::FailedPreconditionError(
        "export: the folder's head is newer than the published one; try again later");
  }
  return head->size;
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

absl::StatusOr<Bytes> StatementBundle(const LogView& log, std::uint64_t index, unsigned width) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<StoredRecord> records,
                          log.ReadRange(index * kTileWidth, width));
  Bytes bundle;
  for (const StoredRecord& stored : records) {
    const std::string& statement = stored.record.statement();
    AppendBigEndian32(statement.size(), bundle);
    bundle.insert(bundle.end(), statement.begin(), statement.end());
  }
  return bundle;
}

// One export into one folder.
class Exporter {
 public:
  Exporter(std::filesystem::path directory, std::uint64_t old_size, std::uint64_t size)
      : directory_(std::move(directory)), old_size_(old_size), size_(size) {}

  // The resources of one kind and level. path(index, width): of one below the folder;
  // make(index, width): its bytes.
  template <typename Path, typename Make>
  absl::Status Write(unsigned level, const Path& path, const Make& make) {
    const TileExtent extent = ExtentOfLevel(size_, level);
    const std::uint64_t settled = ExtentOfLevel(old_size_, level).full_tiles;
    for (std::uint64_t index = 0; index < extent.full_tiles; ++index) {
      const std::filesystem::path file = directory_ / path(index, kTileWidth);
      std::error_code error;
      if (index < settled && std::filesystem::exists(file, error)) {
        continue;
      }
      CARNET_ASSIGN_OR_RETURN(const Bytes bytes, make(index, kTileWidth));
      CARNET_RETURN_IF_ERROR(WriteOne(file, bytes));
      // Readers who ask for a partial tile in vain take the full one.
      std::filesystem::remove_all(file.string() + ".p", error);
      if (error) {
        return FileError(error.value(), "remove", file.string() + ".p");
      }
    }
    return extent.partial_width == 0 ? absl::OkStatus() : WritePartial(level, extent, path, make);
  }

  std::uint64_t files_written() const { return files_written_; }

 private:
  template <typename Path, typename Make>
  absl::Status WritePartial(unsigned level, const TileExtent& extent, const Path& path,
                            const Make& make) {
    const std::filesystem::path file = directory_ / path(extent.full_tiles, extent.partial_width);
    std::error_code error;
    if (extent == ExtentOfLevel(old_size_, level) && std::filesystem::exists(file, error)) {
      return absl::OkStatus();
    }
    CARNET_ASSIGN_OR_RETURN(const Bytes bytes, make(extent.full_tiles, extent.partial_width));
    return WriteOne(file, bytes);
  }

  absl::Status WriteOne(const std::filesystem::path& file, ByteView bytes) {
    ++files_written_;
    return WritePublic(file, bytes);
  }

  const std::filesystem::path directory_;
  const std::uint64_t old_size_;
  const std::uint64_t size_;
  std::uint64_t files_written_ = 0;
};

absl::Status WriteEverything(const LogView& log, std::uint64_t size, bool statements,
                             Exporter& exporter) {
  const auto bundle = [&log](std::uint64_t index, unsigned width) {
    return log.EntryBundle(index, width);
  };
  CARNET_RETURN_IF_ERROR(exporter.Write(0, EntriesPath, bundle));
  if (statements) {
    const auto statement_bundle = [&log](std::uint64_t index, unsigned width) {
      return StatementBundle(log, index, width);
    };
    CARNET_RETURN_IF_ERROR(exporter.Write(0, StatementsPath, statement_bundle));
  }
  for (unsigned level = 0; level < LevelCount(size); ++level) {
    const auto id = [level](std::uint64_t index, unsigned width) {
      return TileId{.level = level, .index = index, .width = width};
    };
    const auto path = [&id](std::uint64_t index, unsigned width) {
      return TilePath(id(index, width));
    };
    const auto tile = [&id, &log](std::uint64_t index, unsigned width) {
      return log.Tile(id(index, width));
    };
    CARNET_RETURN_IF_ERROR(exporter.Write(level, path, tile));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Exported> ExportTiles(const LogView& log, const std::filesystem::path& directory,
                                     const ExportOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const SignedHead head, log.PublishedHead());
  const std::uint64_t size = head.head.size;
  CARNET_RETURN_IF_ERROR(MakeDirs(directory, kPublicDirMode));
  CARNET_ASSIGN_OR_RETURN(const UniqueFd lock, LockFolder(directory));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t old_size, SizeOfEarlier(log, size, directory));
  std::error_code error;
  const bool statements =
      options.statements || std::filesystem::exists(directory / kStatementsName, error);
  Exporter exporter(directory, old_size, size);
  CARNET_RETURN_IF_ERROR(WriteEverything(log, size, statements, exporter));
  // Commit point. A crash before it: readers find the earlier head and all that it implies.
  CARNET_RETURN_IF_ERROR(WritePublic(directory / kHeadName, AsBytes(head.note)));
  return Exported{.size = size, .files_written = exporter.files_written()};
}

namespace {

// When each key of the log began and ended to sign, by the records that say so.
absl::StatusOr<std::vector<LogKeySpan>> SpansOf(const LogView& log) {
  const auto time_of = [&log](std::uint64_t index) -> absl::StatusOr<absl::Time> {
    CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord signed_record, log.ReadRecord(index));
    CARNET_ASSIGN_OR_RETURN(const Record record, OpenVerifiedRecord(signed_record));
    return ToTime(CommonOf(record.predicate).at());
  };
  std::vector<LogKeySpan> spans;
  const LogKeys keys = log.keys();
  for (const LogKey& key : keys.all()) {
    CARNET_ASSIGN_OR_RETURN(const absl::Time from, time_of(key.from));
    LogKeySpan span{key.note, from, std::nullopt};
    if (key.until != 0) {
      CARNET_ASSIGN_OR_RETURN(span.until, time_of(key.until));
    }
    spans.push_back(std::move(span));
  }
  return spans;
}

}  // namespace

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
  CARNET_ASSIGN_OR_RETURN(const std::vector<LogKeySpan> spans, SpansOf(log));
  CARNET_RETURN_IF_ERROR(MakeDirs(directory, kPublicDirMode));
  CARNET_RETURN_IF_ERROR(WritePublic(
      directory / "trust.policy", AsBytes(TrustPolicyText(log.keys().NoteKeys(), record.leaf_hash,
                                                          genesis->succeeds().origin()))));
  return WritePublic(directory / "trusted-root.json", AsBytes(TrustedRootJson(spans)));
}

}  // namespace carnet::ledger
