#include "ledger/shared_proof.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <map>
#include <span>

#include "base/status.h"
#include "ledger/tiles.h"

namespace carnet::ledger {
namespace {

// The hash of a subtree as the walk makes them: where it is not perfect, it ends with the tree.
absl::StatusOr<Digest> SubtreeHash(std::uint64_t first, std::uint64_t count,
                                   const HashReader& reader) {
  if (std::has_single_bit(count)) {
    const auto level = static_cast<unsigned>(std::countr_zero(count));
    return reader(level, first >> level);
  }
  const std::uint64_t split = std::bit_floor(count - 1);
  CARNET_ASSIGN_OR_RETURN(const Digest left, SubtreeHash(first, split, reader));
  CARNET_ASSIGN_OR_RETURN(const Digest right, SubtreeHash(first + split, count - split, reader));
  return NodeHash(left, right);
}

bool IsAscending(const std::vector<std::uint64_t>& values) {
  return std::adjacent_find(values.begin(), values.end(), std::greater_equal<>()) == values.end();
}

// One subtree of the walk of SharedProof.
absl::Status AddNodes(std::span<const std::uint64_t> indexes,
                      std::span<const std::uint64_t> prefixes, std::uint64_t first,
                      std::uint64_t count, const HashReader& reader, std::vector<Digest>& nodes) {
  if (indexes.empty() && prefixes.empty()) {
    CARNET_ASSIGN_OR_RETURN(const Digest hash, SubtreeHash(first, count, reader));
    nodes.push_back(hash);
    return absl::OkStatus();
  }
  if (count == 1) {
    return absl::OkStatus();
  }
  const std::uint64_t split = std::bit_floor(count - 1);
  const std::uint64_t middle = first + split;
  const auto cut = static_cast<std::size_t>(
      std::lower_bound(indexes.begin(), indexes.end(), middle) - indexes.begin());
  // A prefix that ends at the middle is the left half: it opens neither.
  const auto left_end = static_cast<std::size_t>(
      std::lower_bound(prefixes.begin(), prefixes.end(), middle) - prefixes.begin());
  const auto right_first = static_cast<std::size_t>(
      std::upper_bound(prefixes.begin(), prefixes.end(), middle) - prefixes.begin());
  CARNET_RETURN_IF_ERROR(
      AddNodes(indexes.first(cut), prefixes.first(left_end), first, split, reader, nodes));
  return AddNodes(indexes.subspan(cut), prefixes.subspan(right_first), middle, count - split,
                  reader, nodes);
}

}  // namespace

absl::StatusOr<std::vector<Digest>> SharedProof(const std::vector<std::uint64_t>& indexes,
                                                const std::vector<std::uint64_t>& prefixes,
                                                std::uint64_t size, const HashReader& reader) {
  if (!IsAscending(indexes) || !IsAscending(prefixes)) {
    return absl::InvalidArgumentError("shared proof: not in ascending order");
  }
  if (size > kTreeSizeMax || (!indexes.empty() && indexes.back() >= size) ||
      (!prefixes.empty() && prefixes.back() > size)) {
    return absl::OutOfRangeError("shared proof: beyond the tree");
  }
  std::vector<std::uint64_t> ends;
  for (const std::uint64_t prefix : prefixes) {
    if (prefix > 0 && prefix < size) {
      ends.push_back(prefix);
    }
  }
  std::vector<Digest> nodes;
  if (size > 0) {
    CARNET_RETURN_IF_ERROR(AddNodes(indexes, ends, 0, size, reader, nodes));
  }
  return nodes;
}

absl::StatusOr<std::vector<Digest>> ProveTogether(const LogView& log,
                                                  const std::vector<std::uint64_t>& indexes,
                                                  const std::vector<std::uint64_t>& prefixes,
                                                  std::uint64_t tree_size) {
  if (tree_size > log.Size()) {
    return absl::OutOfRangeError("shared proof: beyond the newest head");
  }
  std::map<std::pair<unsigned, std::uint64_t>, Bytes> tiles;
  const HashReader reader = [&](unsigned level, std::uint64_t index) -> absl::StatusOr<Digest> {
    const unsigned tile_level = level / kTileHeight;
    const unsigned height = level % kTileHeight;
    const std::uint64_t first = index << height;  // among the hashes of the tile's level
    const TileExtent extent = ExtentOfLevel(tree_size, tile_level);
    TileId id{.level = tile_level, .index = first / kTileWidth};
    id.width = id.index < extent.full_tiles ? kTileWidth : extent.partial_width;
    Bytes& tile = tiles[{id.level, id.index}];
    if (tile.empty()) {
      CARNET_ASSIGN_OR_RETURN(tile, log.Tile(id));
    }
    return SubtreeOfTile(tile, height, static_cast<unsigned>(first % kTileWidth));
  };
  return SharedProof(indexes, prefixes, tree_size, reader);
}

}  // namespace carnet::ledger
