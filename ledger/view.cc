#include "ledger/view.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ledger/errors.h"
#include "ledger/log.h"
#include "ledger/sqlite_store.h"

namespace carnet::ledger {
namespace {

// Records read at once while walking the whole log.
constexpr std::uint64_t kWalkRecords = 256;

absl::Status Beyond() {
  return absl::OutOfRangeError("log: beyond the newest signed head");
}

v1::InclusionProof ToProto(std::uint64_t index, std::uint64_t size,
                           const std::vector<Digest>& path) {
  v1::InclusionProof proof;
  proof.set_index(index);
  proof.set_tree_size(size);
  for (const Digest& hash : path) {
    proof.add_hashes(ToString(hash));
  }
  return proof;
}

}  // namespace

LogView::LogView(NoteKey key, std::unique_ptr<Store> store, SignedHead head)
    : key_(std::move(key)),
      store_(std::move(store)),
      trees_(*store_),
      head_(std::move(head)),
      keys_(key_) {}

absl::StatusOr<std::unique_ptr<LogView>> LogView::OpenReadOnly(
    const std::filesystem::path& state_dir) {
  CARNET_ASSIGN_OR_RETURN(ReadOnlyStore opened,
                          OpenSqliteStoreReadOnly(state_dir / kStoreFileName));
  CARNET_ASSIGN_OR_RETURN(NoteKey key, ParseVkey(opened.identity.vkey));
  CARNET_ASSIGN_OR_RETURN(std::vector<LogKey> stored, opened.store->ReadLogKeys());
  CARNET_ASSIGN_OR_RETURN(LogKeys keys, LogKeys::Create(key, std::move(stored)));
  // Before the signed head, which a running writer moves first.
  CARNET_ASSIGN_OR_RETURN(Published published, ReadPublished(state_dir, keys));
  CARNET_ASSIGN_OR_RETURN(const std::optional<SignedHead> newest, opened.store->NewestHead());
  if (!newest) {
    return absl::NotFoundError("log: it has no head yet");
  }
  const absl::StatusOr<ledger::Head> head = ParseHead(newest->note, keys);
  if (!head.ok()) {
    return absl::DataLossError("log: its newest head does not verify");
  }
  std::unique_ptr<LogView> view(
      new LogView(std::move(key), std::move(opened.store), {.head = *head, .note = newest->note}));
  if (published.head && published.head->head.size > head->size) {
    return LogMisbehaviourError("log: its published head is newer than what it holds");
  }
  view->SetKeys(std::move(keys));
  view->SetPublished(std::move(published));
  return view;
}

LogKeys LogView::keys() const {
  const MutexLock lock(mutex_);
  return keys_;
}

void LogView::SetKeys(LogKeys keys) {
  const MutexLock lock(mutex_);
  keys_ = std::move(keys);
}

SignedHead LogView::Head() const {
  const MutexLock lock(mutex_);
  return head_;
}

void LogView::SetHead(SignedHead head) {
  const MutexLock lock(mutex_);
  head_ = std::move(head);
}

void LogView::SetPublished(Published published) {
  const MutexLock lock(mutex_);
  published_ = std::move(published);
}

absl::StatusOr<SignedHead> LogView::PublishedHead() const {
  const MutexLock lock(mutex_);
  if (!published_.witnessed) {
    return head_;
  }
  if (!published_.head) {
    return WithRemedy(
        absl::NotFoundError("log: no head of it has met the witness policy yet"),
        "see that enough witnesses answer; until then nothing is published and appends go on");
  }
  return *published_.head;
}

bool LogView::witnessed() const {
  const MutexLock lock(mutex_);
  return published_.witnessed;
}

HashReader LogView::TreeReader() const {
  const auto cache = std::make_shared<std::map<std::pair<unsigned, std::uint64_t>, Bytes>>();
  return [this, cache](unsigned level, std::uint64_t index) -> absl::StatusOr<Digest> {
    const unsigned tile_level = level / kTileHeight;
    const unsigned height = level % kTileHeight;
    const std::uint64_t first = index << height;  // among the hashes of the tile's level
    Bytes& tile = (*cache)[{tile_level, first / kTileWidth}];
    if (tile.empty()) {
      CARNET_ASSIGN_OR_RETURN(tile, store_->ReadTile(tile_level, first / kTileWidth));
    }
    const auto offset = static_cast<unsigned>(first % kTileWidth);
    if ((offset + (1u << height)) * kDigestBytes > tile.size() ||
        tile.size() > kTileWidth * kDigestBytes) {
      return absl::DataLossError("store: a tile has not the size that the log implies");
    }
    return SubtreeOfTile(tile, height, offset);
  };
}

HashReader LogView::ProofReader() const {
  return [this](unsigned level, std::uint64_t index) { return trees_.Node(level, index); };
}

absl::StatusOr<v1::SignedRecord> LogView::ReadRecord(std::uint64_t index) const {
  CARNET_ASSIGN_OR_RETURN(std::vector<StoredRecord> records, ReadRange(index, 1));
  return std::move(records.front().record);
}

absl::StatusOr<std::vector<StoredRecord>> LogView::ReadRange(std::uint64_t first,
                                                             std::uint64_t count) const {
  const std::uint64_t size = Size();
  if (first > size || count > size - first) {
    return Beyond();
  }
  if (count > kReadRecordsMax) {
    return absl::InvalidArgumentError("log: too many records in one read");
  }
  return store_->ReadRecords(first, count);
}

absl::Status LogView::ForEachRecord(
    std::uint64_t first,
    const std::function<absl::Status(std::uint64_t, const v1::SignedRecord&)>& visit) const {
  const std::uint64_t size = Size();
  const HashReader tree = TreeReader();
  for (std::uint64_t index = first; index < size;) {
    const std::uint64_t count = std::min(kWalkRecords, size - index);
    CARNET_ASSIGN_OR_RETURN(const std::vector<StoredRecord> records,
                            store_->ReadRecords(index, count));
    for (const StoredRecord& stored : records) {
      const absl::StatusOr<std::string> entry = LeafEntry(stored.record);
      CARNET_ASSIGN_OR_RETURN(const Digest leaf, tree(0, index));
      if (!entry.ok() || *entry != stored.entry || LeafHash(AsBytes(*entry)) != leaf) {
        return LogMisbehaviourError(
            absl::StrCat("log: record ", index, " is not the one that the tree holds"));
      }
      CARNET_RETURN_IF_ERROR(visit(index, stored.record));
      ++index;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::InclusionProof> LogView::InclusionProof(std::uint64_t index,
                                                           std::uint64_t tree_size) const {
  if (tree_size > Size()) {
    return Beyond();
  }
  CARNET_ASSIGN_OR_RETURN(const std::vector<Digest> path,
                          InclusionPath(index, tree_size, ProofReader()));
  return ToProto(index, tree_size, path);
}

absl::StatusOr<v1::ConsistencyProof> LogView::ConsistencyProof(std::uint64_t old_size,
                                                               std::uint64_t new_size) const {
  if (new_size > Size()) {
    return Beyond();
  }
  CARNET_ASSIGN_OR_RETURN(const std::vector<Digest> path,
                          ConsistencyPath(old_size, new_size, ProofReader()));
  v1::ConsistencyProof proof;
  proof.set_old_size(old_size);
  proof.set_new_size(new_size);
  for (const Digest& hash : path) {
    proof.add_hashes(ToString(hash));
  }
  return proof;
}

absl::StatusOr<Digest> LogView::Root(std::uint64_t size) const {
  if (size > Size()) {
    return Beyond();
  }
  return RootOfSize(size, TreeReader());
}

absl::StatusOr<LogView::Proven> LogView::Prove(std::uint64_t index) const {
  return ProveUnder(index, Head());
}

absl::StatusOr<LogView::Proven> LogView::ProvePublished(std::uint64_t index) const {
  CARNET_ASSIGN_OR_RETURN(SignedHead head, PublishedHead());
  if (index >= head.head.size) {
    return absl::OutOfRangeError("log: the published head does not cover this record yet");
  }
  return ProveUnder(index, std::move(head));
}

absl::StatusOr<LogView::Proven> LogView::ProveUnder(std::uint64_t index, SignedHead head) const {
  Proven proven{.record = {}, .head = std::move(head)};
  CARNET_ASSIGN_OR_RETURN(*proven.record.mutable_record(), ReadRecord(index));
  CARNET_ASSIGN_OR_RETURN(*proven.record.mutable_proof(),
                          InclusionProof(index, proven.head.head.size));
  return proven;
}

absl::StatusOr<v1::Receipt> LogView::MakeReceipt(std::uint64_t index) const {
  const SignedHead head = Head();
  v1::Receipt receipt;
  CARNET_ASSIGN_OR_RETURN(*receipt.mutable_proof(), InclusionProof(index, head.head.size));
  receipt.set_head(head.note);
  return receipt;
}

absl::StatusOr<Bytes> LogView::Tile(const TileId& tile) const {
  const TileExtent extent = ExtentOfLevel(Size(), std::min(tile.level, kTileLevelMax));
  const bool full = tile.index < extent.full_tiles;
  const bool partial = tile.index == extent.full_tiles && tile.width <= extent.partial_width;
  if (tile.level > kTileLevelMax || tile.width == 0 || tile.width > kTileWidth ||
      (!full && !partial)) {
    return absl::NotFoundError("log: no head implies this tile");
  }
  CARNET_ASSIGN_OR_RETURN(Bytes hashes, store_->ReadTile(tile.level, tile.index));
  if (hashes.size() < tile.width * kDigestBytes) {
    return absl::DataLossError("store: a tile has not the size that the log implies");
  }
  // A partial tile is a prefix of every later one.
  hashes.resize(tile.width * kDigestBytes);
  return hashes;
}

absl::StatusOr<Bytes> LogView::EntryBundle(std::uint64_t index, unsigned width) const {
  const TileExtent extent = ExtentOfLevel(Size(), 0);
  const bool partial = index == extent.full_tiles && width <= extent.partial_width;
  if (width == 0 || width > kTileWidth || (index >= extent.full_tiles && !partial)) {
    return absl::NotFoundError("log: no head implies this entry bundle");
  }
  CARNET_ASSIGN_OR_RETURN(const std::vector<StoredRecord> records,
                          store_->ReadRecords(index * kTileWidth, width));
  Bytes bundle;
  for (const StoredRecord& stored : records) {
    CARNET_RETURN_IF_ERROR(AppendToBundle(AsBytes(stored.entry), bundle));
  }
  return bundle;
}

}  // namespace carnet::ledger
