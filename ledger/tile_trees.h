// The inner nodes of tiles, kept for the next proof: a proof from one tile takes 255 hashes, and
// the next proof from the same tile takes the same ones.
#ifndef CARNET_LEDGER_TILE_TREES_H_
#define CARNET_LEDGER_TILE_TREES_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/mutex.h"
#include "ledger/store.h"

namespace carnet::ledger {

// Tiles whose nodes are kept, the ones that were used last: at most 16 MiB.
inline constexpr std::size_t kTileTreesMax = 1024;

// Thread-safe.
class TileTrees {
 public:
  // store: outlives this object. trees_max: at least 1.
  explicit TileTrees(const Store& store, std::size_t trees_max = kTileTreesMax)
      : store_(store), trees_max_(trees_max) {}

  // The hash of the complete subtree of 2^level leaves that is `index`-th of its level, as a
  // HashReader (merkle.h). What a tile held when it was read counts: full tiles never change, and
  // partial ones only grow. Errors: DATA_LOSS the stored tile is too narrow or too wide; the
  // store's.
  absl::StatusOr<Digest> Node(unsigned level, std::uint64_t index) CARNET_EXCLUDES(mutex_);

 private:
  using Key = std::pair<unsigned, std::uint64_t>;  // level and index of a tile
  // Of each height the complete subtrees, from the tile's own hashes (0) to the whole tile (8).
  struct Tree {
    std::vector<std::vector<Digest>> heights;
  };
  struct Kept {
    Key key;
    std::shared_ptr<const Tree> tree;
  };

  static absl::StatusOr<std::shared_ptr<const Tree>> Grow(ByteView tile_hashes);
  // Null: not kept, or kept when it was narrower than `width`.
  std::shared_ptr<const Tree> Find(const Key& key, std::size_t width) CARNET_EXCLUDES(mutex_);
  void Keep(const Key& key, std::shared_ptr<const Tree> tree) CARNET_EXCLUDES(mutex_);

  const Store& store_;
  const std::size_t trees_max_;
  Mutex mutex_;
  std::list<Kept> kept_ CARNET_GUARDED_BY(mutex_);  // the one used last is first
  std::map<Key, std::list<Kept>::iterator> places_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_TILE_TREES_H_
