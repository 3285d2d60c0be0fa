// Grows the right edge of a log's tiles. Pure; internal to this room.
#ifndef CARNET_LEDGER_TILE_BUILDER_H_
#define CARNET_LEDGER_TILE_BUILDER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "ledger/store.h"
#include "ledger/tiles.h"

namespace carnet::ledger {

// A value; copies are independent.
class TileBuilder {
 public:
  using TileReader = std::function<absl::StatusOr<Bytes>(unsigned level, std::uint64_t index)>;
  // The edge of a log of `size` records. read: for the partial tile of each level. Error DATA_LOSS:
  // a tile is shorter than the size says.
  static absl::StatusOr<TileBuilder> Load(std::uint64_t size, const TileReader& read);

  void Append(const Digest& leaf_hash);
  // Every tile that changed since the last call: the full ones and those that stay open.
  std::vector<StoredTile> TakeChanged();

 private:
  struct Edge {
    std::uint64_t index = 0;
    Bytes hashes;
    bool changed = false;
  };
  std::vector<Edge> edges_;  // by level
  std::vector<StoredTile> full_;
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_TILE_BUILDER_H_
