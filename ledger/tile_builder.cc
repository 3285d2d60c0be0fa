#include "ledger/tile_builder.h"

#include <utility>

#include "base/status.h"

namespace carnet::ledger {

absl::StatusOr<TileBuilder> TileBuilder::Load(std::uint64_t size, const TileReader& read) {
  TileBuilder builder;
  for (unsigned level = 0; level < LevelCount(size); ++level) {
    const TileExtent extent = ExtentOfLevel(size, level);
    Edge edge{.index = extent.full_tiles, .hashes = {}, .changed = false};
    if (extent.partial_width > 0) {
      CARNET_ASSIGN_OR_RETURN(edge.hashes, read(level, extent.full_tiles));
      const std::size_t expected = extent.partial_width * kDigestBytes;
      if (edge.hashes.size() < expected) {
        return absl::DataLossError("store: a tile is shorter than the log");
      }
      edge.hashes.resize(expected);
    }
    builder.edges_.push_back(std::move(edge));
  }
  return builder;
}

void TileBuilder::Append(const Digest& leaf_hash) {
  Digest hash = leaf_hash;
  for (std::size_t level = 0;; ++level) {
    CARNET_CHECK(level <= kTileLevelMax);
    if (level == edges_.size()) {
      edges_.emplace_back();
    }
    Edge& edge = edges_[level];
    edge.hashes.insert(edge.hashes.end(), hash.begin(), hash.end());
    edge.changed = true;
    if (edge.hashes.size() < kTileWidth * kDigestBytes) {
      return;
    }
    // A full tile is one hash of the level above; a partial one is never hashed upward.
    hash = SubtreeOfTile(edge.hashes, kTileHeight, 0);
    full_.push_back({.level = static_cast<unsigned>(level),
                     .index = edge.index,
                     .hashes = std::move(edge.hashes)});
    edge = {.index = edge.index + 1, .hashes = {}, .changed = false};
  }
}

std::vector<StoredTile> TileBuilder::TakeChanged() {
  std::vector<StoredTile> changed = std::exchange(full_, {});
  for (std::size_t level = 0; level < edges_.size(); ++level) {
    if (edges_[level].changed) {
      changed.push_back({.level = static_cast<unsigned>(level),
                         .index = edges_[level].index,
                         .hashes = edges_[level].hashes});
      edges_[level].changed = false;
    }
  }
  return changed;
}

}  // namespace carnet::ledger
