#include "ledger/walk.h"

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "ledger/errors.h"
#include "ledger/stored_record.h"
#include "ledger/tiles.h"

namespace carnet::ledger {
namespace {

// Records of a tile that are read at once: few enough that what was read is still at hand when it
// is parsed.
constexpr std::uint64_t kReadRecords = 32;

// The records of one tile, as far as they are good.
struct Part {
  std::vector<Record> records;  // the first `count` are; what others hold means nothing
  std::size_t count = 0;
  absl::Status end;  // what is wrong with the next one; OK: nothing
};

absl::Status OpenChecked(const StoredRecord& stored, std::uint64_t index, ByteView leaf_in_tree,
                         Record& opened) {
  const absl::StatusOr<std::string> entry = LeafEntry(stored.record);
  if (entry.ok() && *entry == stored.entry) {
    const Digest leaf = LeafHash(AsBytes(*entry));
    if (std::equal(leaf.begin(), leaf.end(), leaf_in_tree.begin(), leaf_in_tree.end())) {
      const absl::Status status = OpenStoredRecord(stored.record, leaf, opened);
      return status.ok()
                 ? status
                 : WithOperatorDetail(
                       absl::DataLossError(absl::StrCat("record ", index, " cannot be read")),
                       status.message());
    }
  }
  return LogMisbehaviourError(
      absl::StrCat("log: record ", index, " is not the one that the tree holds"));
}

// used: records that were visited, to be filled again.
Part ReadPart(const LogView& log, std::uint64_t tile, std::uint64_t size,
              std::vector<Record> used) {
  Part part;
  part.records = std::move(used);
  const std::uint64_t first = tile * kTileWidth;
  const std::uint64_t count = std::min<std::uint64_t>(kTileWidth, size - first);
  const absl::StatusOr<Bytes> leaves =
      log.Tile({.level = 0, .index = tile, .width = static_cast<unsigned>(count)});
  part.end = leaves.status();
  part.records.resize(count);
  while (part.end.ok() && part.count < count) {
    const std::uint64_t begin = part.count;
    const absl::StatusOr<std::vector<StoredRecord>> stored =
        log.ReadRange(first + begin, std::min(kReadRecords, count - begin));
    part.end = stored.status();
    for (std::size_t i = 0; part.end.ok() && i < stored->size(); ++i) {
      part.end = OpenChecked((*stored)[i], first + part.count,
                             ByteView(*leaves).subspan(part.count * kDigestBytes, kDigestBytes),
                             part.records[part.count]);
      part.count += part.end.ok() ? 1 : 0;
    }
  }
  return part;
}

// Tiles are taken in order by any thread, and waited for in order by the one that visits.
class ReadAhead {
 public:
  ReadAhead(const LogView& log, std::uint64_t size, unsigned threads)
      : log_(log),
        size_(size),
        tiles_((size + kTileWidth - 1) / kTileWidth),
        parts_(std::size_t{threads} * kWalkTilesPerThread) {
    for (unsigned i = 0; i < std::min<std::uint64_t>(threads, tiles_); ++i) {
      threads_.emplace_back([this] { Run(); });
    }
  }
  ~ReadAhead() {
    {
      const MutexLock lock(mutex_);
      stopped_ = true;
      room_.NotifyAll();
    }
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  std::uint64_t tiles() const { return tiles_; }
  // A part that was visited: its records are used again.
  void Return(Part part) {
    const MutexLock lock(mutex_);
    used_.push_back(std::move(part.records));
  }
  // The next tile's. Called once for each.
  Part Next() {
    const MutexLock lock(mutex_);
    std::optional<Part>& slot = parts_[visited_ % parts_.size()];
    while (!slot.has_value()) {
      ready_.Wait(mutex_);
    }
    Part part = *std::move(slot);
    slot.reset();
    ++visited_;
    room_.NotifyOne();
    return part;
  }

 private:
  void Run() {
    while (true) {
      std::uint64_t tile = 0;
      std::vector<Record> used;
      {
        const MutexLock lock(mutex_);
        while (!stopped_ && taken_ < tiles_ && taken_ >= visited_ + parts_.size()) {
          room_.Wait(mutex_);
        }
        if (stopped_ || taken_ == tiles_) {
          room_.NotifyOne();
          return;
        }
        tile = taken_++;
        if (!used_.empty()) {
          used = std::move(used_.back());
          used_.pop_back();
        }
      }
      Part part = ReadPart(log_, tile, size_, std::move(used));
      const MutexLock lock(mutex_);
      parts_[tile % parts_.size()] = std::move(part);
      ready_.NotifyOne();
    }
  }

  const LogView& log_;
  const std::uint64_t size_;   // records
  const std::uint64_t tiles_;  // that hold them
  Mutex mutex_;
  CondVar room_;
  CondVar ready_;
  std::vector<std::optional<Part>> parts_ CARNET_GUARDED_BY(mutex_);
  // Of parts that were visited. With those that are filled or waited for never more than one above
  // the parts that there may be.
  std::vector<std::vector<Record>> used_ CARNET_GUARDED_BY(mutex_);
  std::uint64_t taken_ CARNET_GUARDED_BY(mutex_) = 0;    // tiles that a thread has
  std::uint64_t visited_ CARNET_GUARDED_BY(mutex_) = 0;  // tiles that were handed over
  bool stopped_ CARNET_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace

absl::Status ForEachOpened(
    const LogView& log, unsigned threads,
    const std::function<absl::Status(std::uint64_t index, const Record& record)>& visit) {
  ReadAhead ahead(log, log.Size(), std::max(1U, threads));
  std::uint64_t index = 0;
  for (std::uint64_t tile = 0; tile < ahead.tiles(); ++tile) {
    Part part = ahead.Next();
    for (std::size_t i = 0; i < part.count; ++i) {
      CARNET_RETURN_IF_ERROR(visit(index, part.records[i]));
      ++index;
    }
    CARNET_RETURN_IF_ERROR(part.end);
    ahead.Return(std::move(part));
  }
  return absl::OkStatus();
}

}  // namespace carnet::ledger
