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

// The records of one tile, as far as they are good.
struct Part {
  std::vector<Record> records;
  absl::Status end;  // what is wrong with the next one; OK: nothing
};

absl::StatusOr<Record> OpenChecked(const StoredRecord& stored, std::uint64_t index,
                                   ByteView leaf_in_tree) {
  const absl::StatusOr<std::string> entry = LeafEntry(stored.record);
  if (entry.ok() && *entry == stored.entry) {
    const Digest leaf = LeafHash(AsBytes(*entry));
    if (std::equal(leaf.begin(), leaf.end(), leaf_in_tree.begin(), leaf_in_tree.end())) {
      absl::StatusOr<Record> opened = OpenStoredRecord(stored.record, leaf);
      return opened.ok()
                 ? std::move(opened)
                 : WithOperatorDetail(
                       absl::DataLossError(absl::StrCat("record ", index, " cannot be read")),
                       opened.status().message());
    }
  }
  return LogMisbehaviourError(
      absl::StrCat("log: record ", index, " is not the one that the tree holds"));
}

Part ReadPart(const LogView& log, std::uint64_t tile, std::uint64_t size) {
  Part part;
  const std::uint64_t first = tile * kTileWidth;
  const std::uint64_t count = std::min<std::uint64_t>(kTileWidth, size - first);
  const absl::StatusOr<Bytes> leaves =
      log.Tile({.level = 0, .index = tile, .width = static_cast<unsigned>(count)});
  const absl::StatusOr<std::vector<StoredRecord>> stored = log.ReadRange(first, count);
  part.end = leaves.ok() ? stored.status() : leaves.status();
  part.records.reserve(count);
  for (std::uint64_t i = 0; i < count && part.end.ok(); ++i) {
    absl::StatusOr<Record> opened = OpenChecked(
        (*stored)[i], first + i, ByteView(*leaves).subspan(i * kDigestBytes, kDigestBytes));
    if (opened.ok()) {
      part.records.push_back(*std::move(opened));
    }
    part.end = opened.status();
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
      }
      Part part = ReadPart(log_, tile, size_);
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
    const Part part = ahead.Next();
    for (const Record& record : part.records) {
      CARNET_RETURN_IF_ERROR(visit(index, record));
      ++index;
    }
    CARNET_RETURN_IF_ERROR(part.end);
  }
  return absl::OkStatus();
}

}  // namespace carnet::ledger
