// C2SP tlog-tiles: where the hashes and entries of a log live under a URL prefix or a folder. Pure.
#ifndef CARNET_LEDGER_TILES_H_
#define CARNET_LEDGER_TILES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"

namespace carnet::ledger {

inline constexpr unsigned kTileWidth = 256;   // hashes or entries in a full tile
inline constexpr unsigned kTileHeight = 8;    // levels of the tree in a tile
inline constexpr unsigned kTileLevelMax = 7;  // 256^8 > kTreeSizeMax
inline constexpr std::size_t kEntryBytesMax = 65'535;

// Tile `index` of `level`: hash i covers leaves (index * 256 + i) * 256^level and the following.
struct TileId {
  unsigned level = 0;
  std::uint64_t index = 0;
  unsigned width = kTileWidth;  // 1..256; less than 256: partial
  bool operator==(const TileId&) const = default;
};

// "tile/0/x001/x234/067" or "tile/0/x001/x234/067.p/12".
std::string TilePath(const TileId& tile);
// "tile/entries/000.p/3": entries index * 256 and the following.
std::string EntriesPath(std::uint64_t index, unsigned width);

// What a path names.
struct TileResource {
  bool entries = false;
  TileId tile;  // level 0 for entries
};
// Error INVALID_ARGUMENT: anything but what the two functions above write.
absl::StatusOr<TileResource> ParseTilePath(absl::string_view path);

// How far a level of a tree of `size` leaves reaches.
struct TileExtent {
  std::uint64_t full_tiles = 0;
  unsigned partial_width = 0;  // of the tile after them; 0: none
  bool operator==(const TileExtent&) const = default;
};
TileExtent ExtentOfLevel(std::uint64_t size, unsigned level);
// Levels that hold at least one hash: 0 for an empty tree, 3 for 70,000 leaves.
unsigned LevelCount(std::uint64_t size);

// Appends `uint16be length || entry`. Error INVALID_ARGUMENT: the entry is empty or longer than
// kEntryBytesMax.
absl::Status AppendToBundle(ByteView entry, Bytes& bundle);

// The hash of 2^height leaves-of-the-tile from `first` on (a multiple of 2^height), out of a tile's
// hashes. Precondition: height <= 8 and the tile holds them.
Digest SubtreeOfTile(ByteView tile_hashes, unsigned height, unsigned first);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_TILES_H_
