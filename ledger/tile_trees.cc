#include "ledger/tile_trees.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "ledger/merkle.h"
#include "ledger/tiles.h"

namespace carnet::ledger {
namespace {

absl::Status WrongWidth() {
  return absl::DataLossError("store: a tile has not the size that the log implies");
}

}  // namespace

absl::StatusOr<Digest> TileTrees::Node(unsigned level, std::uint64_t index) {
  const unsigned height = level % kTileHeight;
  const std::uint64_t first = index << height;  // among the hashes of the tile's level
  const Key key{level / kTileHeight, first / kTileWidth};
  const std::size_t place = first % kTileWidth >> height;
  const std::size_t width = (place + 1) << height;
  std::shared_ptr<const Tree> tree = Find(key, width);
  if (tree == nullptr) {
    CARNET_ASSIGN_OR_RETURN(const Bytes hashes, store_.ReadTile(key.first, key.second));
    CARNET_ASSIGN_OR_RETURN(tree, Grow(hashes));
    if (tree->heights[0].size() < width) {
      return WrongWidth();
    }
    Keep(key, tree);
  }
  return tree->heights[height][place];
}

absl::StatusOr<std::shared_ptr<const TileTrees::Tree>> TileTrees::Grow(ByteView tile_hashes) {
  if (tile_hashes.size() % kDigestBytes != 0 || tile_hashes.size() > kTileWidth * kDigestBytes) {
    return WrongWidth();
  }
  auto tree = std::make_shared<Tree>();
  tree->heights.resize(kTileHeight + 1);
  std::vector<Digest>& hashes = tree->heights[0];
  hashes.resize(tile_hashes.size() / kDigestBytes);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const ByteView hash = tile_hashes.subspan(i * kDigestBytes, kDigestBytes);
    std::copy(hash.begin(), hash.end(), hashes[i].begin());
  }
  for (unsigned height = 1; height <= kTileHeight; ++height) {
    const std::vector<Digest>& below = tree->heights[height - 1];
    for (std::size_t i = 0; i + 1 < below.size(); i += 2) {
      tree->heights[height].push_back(NodeHash(below[i], below[i + 1]));
    }
  }
  return std::shared_ptr<const Tree>(std::move(tree));
}

std::shared_ptr<const TileTrees::Tree> TileTrees::Find(const Key& key, std::size_t width) {
  const MutexLock lock(mutex_);
  const auto place = places_.find(key);
  if (place == places_.end() || place->second->tree->heights[0].size() < width) {
    return nullptr;
  }
  kept_.splice(kept_.begin(), kept_, place->second);
  return place->second->tree;
}

void TileTrees::Keep(const Key& key, std::shared_ptr<const Tree> tree) {
  const MutexLock lock(mutex_);
  if (const auto place = places_.find(key); place != places_.end()) {
    kept_.erase(place->second);
    places_.erase(place);
  }
  kept_.push_front({key, std::move(tree)});
  places_[key] = kept_.begin();
  if (kept_.size() > trees_max_) {
    places_.erase(kept_.back().key);
    kept_.pop_back();
  }
}

}  // namespace carnet::ledger
