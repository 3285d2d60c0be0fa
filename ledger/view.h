// Reading a log: records, proofs, tiles. Thread-safe.
#ifndef CARNET_LEDGER_VIEW_H_
#define CARNET_LEDGER_VIEW_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/mutex.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/head.h"
#include "ledger/log_keys.h"
#include "ledger/merkle.h"
#include "ledger/note.h"
#include "ledger/published.h"
#include "ledger/record.h"
#include "ledger/store.h"
#include "ledger/tile_trees.h"
#include "ledger/tiles.h"

namespace carnet::ledger {

// Records in one read.
inline constexpr std::uint64_t kReadRecordsMax = 4096;

// Errors of all functions besides those named: the store's (ledger/store.h).
class LogView {
 public:
  // A log's state folder, read beside the process that writes it: shows what was signed when it was
  // opened. NOT_FOUND: no log there. DATA_LOSS: its newest head does not verify.
  static absl::StatusOr<std::unique_ptr<LogView>> OpenReadOnly(
      const std::filesystem::path& state_dir);

  virtual ~LogView() = default;
  LogView(const LogView&) = delete;
  LogView& operator=(const LogView&) = delete;

  const NoteKey& key() const { return key_; }  // the log's founding key; its name is the origin
  // Every key that signed heads of this log, and which of them sign now.
  LogKeys keys() const CARNET_EXCLUDES(mutex_);
  // The newest signed head. What it covers is durable and was read back.
  SignedHead Head() const CARNET_EXCLUDES(mutex_);
  std::uint64_t Size() const { return Head().head.size; }
  // The newest published head with its cosignatures: the one for /checkpoint, manifests, exports
  // and tlog-proofs (ledger/published.h). Without witnesses it is Head(). NOT_FOUND: no head has
  // met the witness policy yet.
  absl::StatusOr<SignedHead> PublishedHead() const CARNET_EXCLUDES(mutex_);
  // Whether heads need cosignatures before they are published.
  bool witnessed() const CARNET_EXCLUDES(mutex_);

  // All of these are within the signed size. OUT_OF_RANGE: beyond it.
  absl::StatusOr<v1::SignedRecord> ReadRecord(std::uint64_t index) const;
  // At most kReadRecordsMax.
  absl::StatusOr<std::vector<StoredRecord>> ReadRange(std::uint64_t first,
                                                      std::uint64_t count) const;
  // Calls `visit` for every record from `first` on, in order, up to the size at the call. Each
  // statement is checked against its stored leaf and its leaf against the tree; DATA_LOSS names the
  // first index that fails. An error of `visit` ends it and is returned.
  absl::Status ForEachRecord(
      std::uint64_t first,
      const std::function<absl::Status(std::uint64_t, const v1::SignedRecord&)>& visit) const;

  absl::StatusOr<v1::InclusionProof> InclusionProof(std::uint64_t index,
                                                    std::uint64_t tree_size) const;
  absl::StatusOr<v1::ConsistencyProof> ConsistencyProof(std::uint64_t old_size,
                                                        std::uint64_t new_size) const;
  absl::StatusOr<Digest> Root(std::uint64_t size) const;
  // A record with its place under the newest head, for the wire; a receipt is the same without the
  // record.
  struct Proven {
    v1::ProvenRecord record;
    SignedHead head;
  };
  absl::StatusOr<Proven> Prove(std::uint64_t index) const;
  // The same under the published head, for what is handed out. OUT_OF_RANGE: it does not cover the
  // record yet. NOT_FOUND: as PublishedHead.
  absl::StatusOr<Proven> ProvePublished(std::uint64_t index) const;
  absl::StatusOr<v1::Receipt> MakeReceipt(std::uint64_t index) const;

  // C2SP resources. Full tiles, and partials of any width that a head up to now implies.
  // NOT_FOUND: the newest head does not imply it.
  absl::StatusOr<Bytes> Tile(const TileId& tile) const;
  absl::StatusOr<Bytes> EntryBundle(std::uint64_t index, unsigned width) const;

 protected:
  LogView(NoteKey key, std::unique_ptr<Store> store, SignedHead head);
  absl::StatusOr<Proven> ProveUnder(std::uint64_t index, SignedHead head) const;
  HashReader TreeReader() const;  // over the stored tiles; each call has its own cache
  // The same with a cache that all calls share (tile_trees.h): for proofs, which their reader
  // checks, not for checking what is stored.
  HashReader ProofReader() const;
  void SetHead(SignedHead head) CARNET_EXCLUDES(mutex_);
  void SetKeys(LogKeys keys) CARNET_EXCLUDES(mutex_);
  void SetPublished(Published published) CARNET_EXCLUDES(mutex_);
  Store& store() const { return *store_; }

 private:
  const NoteKey key_;
  const std::unique_ptr<Store> store_;
  mutable TileTrees trees_;
  mutable Mutex mutex_;
  SignedHead head_ CARNET_GUARDED_BY(mutex_);
  LogKeys keys_ CARNET_GUARDED_BY(mutex_);
  Published published_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_VIEW_H_
