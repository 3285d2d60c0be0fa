#include "ledger/archive.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/status.h"
#include "ledger/record.h"
#include "ledger/tiles.h"

namespace carnet::ledger {
namespace {

constexpr std::size_t kBlockBytes = 512;
constexpr std::size_t kHeadsMax = 64;

// POSIX.1-1988 ustar, regular files only; owner 0, mode 0644, time 0.
Bytes Header(const std::string& name, std::size_t size_bytes) {
  CARNET_CHECK(name.size() < 100);
  std::string block = name;
  block.resize(100, '\0');
  absl::StrAppend(&block, absl::string_view("0000644\0000000000\0000000000\0", 24),
                  absl::StrFormat("%011o", size_bytes), absl::string_view("\0", 1),
                  absl::string_view("00000000000\0", 12), "        ", "0");
  block.resize(257, '\0');
  absl::StrAppend(&block, absl::string_view("ustar\00000", 8));
  block.resize(kBlockBytes, '\0');
  unsigned sum = 0;
  for (const char byte : block) {
    sum += static_cast<unsigned char>(byte);
  }
  block.replace(148, 8, absl::StrCat(absl::StrFormat("%06o", sum), absl::string_view("\0 ", 2)));
  return ToBytes(block);
}

// Writes entries one after the other into a file beside the one that it becomes.
class ArchiveWriter {
 public:
  static absl::StatusOr<ArchiveWriter> Open(const std::filesystem::path& file) {
    std::filesystem::path part = file;
    part += ".part";
    CARNET_RETURN_IF_ERROR(RemoveFileDurably(part));  // of an export that was cut off
    CARNET_ASSIGN_OR_RETURN(SpoolFile spool, SpoolFile::Open(part));
    return ArchiveWriter(std::move(spool), file);
  }

  absl::Status Add(const std::string& name, ByteView bytes) {
    CARNET_RETURN_IF_ERROR(Write(Header(name, bytes.size())));
    CARNET_RETURN_IF_ERROR(Write(bytes));
    const std::size_t left = bytes.size() % kBlockBytes;
    return left == 0 ? absl::OkStatus() : Write(Bytes(kBlockBytes - left));
  }

  // Two blocks of zeros, then its name. A crash before leaves the `.part` file only.
  absl::Status Finish() {
    CARNET_RETURN_IF_ERROR(Write(Bytes(2 * kBlockBytes)));
    CARNET_RETURN_IF_ERROR(spool_.Sync());
    return RenameDurably(spool_.path(), file_);
  }
  void Discard() const { RemoveFileDurably(spool_.path()).IgnoreError(); }

 private:
  ArchiveWriter(SpoolFile spool, std::filesystem::path file)
      : spool_(std::move(spool)), file_(std::move(file)) {}
  absl::Status Write(ByteView bytes) {
    CARNET_RETURN_IF_ERROR(spool_.WriteAt(offset_, bytes));
    offset_ += bytes.size();
    return absl::OkStatus();
  }

  SpoolFile spool_;
  std::filesystem::path file_;
  std::uint64_t offset_ = 0;
};

// `statements/<N>`: the index path of an entry bundle under another name.
std::string StatementsName(std::uint64_t index, unsigned width) {
  constexpr absl::string_view kEntries = "tile/entries/";
  return absl::StrCat("statements/", EntriesPath(index, width).substr(kEntries.size()));
}

absl::StatusOr<Bytes> Statements(const LogView& log, std::uint64_t index, unsigned width) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<StoredRecord> records,
                          log.ReadRange(index * kTileWidth, width));
  Bytes bundle;
  for (const StoredRecord& stored : records) {
    const std::string& statement = stored.record.statement();
    for (const unsigned shift : {24u, 16u, 8u, 0u}) {
      bundle.push_back(static_cast<std::uint8_t>((statement.size() >> shift) & 0xff));
    }
    bundle.insert(bundle.end(), statement.begin(), statement.end());
  }
  return bundle;
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

absl::Status WriteLog(const LogView& log, const SignedHead& head, ArchiveWriter& writer) {
  CARNET_RETURN_IF_ERROR(writer.Add("checkpoint", AsBytes(head.note)));
  const std::uint64_t size = head.head.size;
  const auto write_bundle = [&](std::uint64_t index, unsigned width) -> absl::Status {
    CARNET_ASSIGN_OR_RETURN(const Bytes entries, log.EntryBundle(index, width));
    CARNET_RETURN_IF_ERROR(writer.Add(EntriesPath(index, width), entries));
    CARNET_ASSIGN_OR_RETURN(const Bytes statements, Statements(log, index, width));
    return writer.Add(StatementsName(index, width), statements);
  };
  CARNET_RETURN_IF_ERROR(ForEachTile(size, 0, write_bundle));
  for (unsigned level = 0; level < LevelCount(size); ++level) {
    const auto write_tile = [&](std::uint64_t index, unsigned width) -> absl::Status {
      const TileId tile{.level = level, .index = index, .width = width};
      CARNET_ASSIGN_OR_RETURN(const Bytes hashes, log.Tile(tile));
      return writer.Add(TilePath(tile), hashes);
    };
    CARNET_RETURN_IF_ERROR(ForEachTile(size, level, write_tile));
  }
  return absl::OkStatus();
}

absl::Status CheckJob(const LogView& log, const std::string& job) {
  bool found = job.empty();
  const auto look = [&](std::uint64_t, const v1::SignedRecord& record) -> absl::Status {
    if (!found && absl::StrContains(record.statement(), "urn:carnet:job-submitted:v1") &&
        absl::StrContains(record.statement(), job)) {
      const absl::StatusOr<Record> opened = OpenVerifiedRecord(record);
      const auto* submitted = opened.ok() ? opened->As<v1::JobSubmitted>() : nullptr;
      found = submitted != nullptr && submitted->job_id() == job;
    }
    return absl::OkStatus();
  };
  if (!found) {
    CARNET_RETURN_IF_ERROR(log.ForEachRecord(0, look));
  }
  return found ? absl::OkStatus() : absl::NotFoundError("audit export: no such job on record");
}

absl::Status WriteAll(const LogView& log, const SignedHead& head, const ArchiveOptions& options,
                      ArchiveWriter& writer) {
  const nlohmann::json about = {{"format", "carnet-audit"}, {"version", 1}, {"job", options.job}};
  const std::string text = about.dump();
  CARNET_RETURN_IF_ERROR(writer.Add("about.json", AsBytes(text)));
  for (std::size_t i = 0; i < options.heads.size(); ++i) {
    CARNET_RETURN_IF_ERROR(writer.Add(absl::StrFormat("heads/%02d", i), AsBytes(options.heads[i])));
  }
  CARNET_RETURN_IF_ERROR(WriteLog(log, head, writer));
  return writer.Finish();
}

}  // namespace

absl::StatusOr<std::uint64_t> ExportArchive(const LogView& log, const std::filesystem::path& file,
                                            const ArchiveOptions& options) {
  if (options.heads.size() > kHeadsMax) {
    return absl::InvalidArgumentError("audit export: at most 64 earlier heads");
  }
  CARNET_RETURN_IF_ERROR(CheckJob(log, options.job));
  CARNET_ASSIGN_OR_RETURN(ArchiveWriter writer, ArchiveWriter::Open(file));
  const SignedHead head = log.Head();
  if (const absl::Status written = WriteAll(log, head, options, writer); !written.ok()) {
    writer.Discard();
    return written;
  }
  return head.head.size;
}

}  // namespace carnet::ledger
