#include "ledger/tiles.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "ledger/merkle.h"

namespace carnet::ledger {
namespace {

// 3-digit groups, all but the last with an x before them: 1234067 is x001/x234/067.
std::string IndexPath(std::uint64_t index) {
  std::string path = absl::StrFormat("%03d", index % 1000);
  for (index /= 1000; index > 0; index /= 1000) {
    path = absl::StrFormat("x%03d/%s", index % 1000, path);
  }
  return path;
}

std::string WithWidth(std::string path, unsigned width) {
  return width == kTileWidth ? path : absl::StrCat(path, ".p/", width);
}

absl::Status BadPath() {
  return absl::InvalidArgumentError("tile path: not as C2SP tlog-tiles writes them");
}

// A decimal without sign or leading zero, at most `max`.
bool ParseDecimal(absl::string_view text, unsigned max, unsigned& value) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) {
    return false;
  }
  value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return false;
    }
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= max;
}

// Reads what IndexPath wrote; the caller compares the text again.
bool ParseIndex(const std::vector<absl::string_view>& parts, std::uint64_t& index) {
  index = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    absl::string_view group = parts[i];
    if (i + 1 < parts.size() && !absl::ConsumePrefix(&group, "x")) {
      return false;
    }
    if (group.size() != 3 || index > kTreeSizeMax / 1000 - 1) {
      return false;
    }
    for (const char c : group) {
      if (c < '0' || c > '9') {
        return false;
      }
      index = index * 10 + static_cast<std::uint64_t>(c - '0');
    }
  }
  return !parts.empty();
}

}  // namespace

std::string TilePath(const TileId& tile) {
  return WithWidth(absl::StrCat("tile/", tile.level, "/", IndexPath(tile.index)), tile.width);
}

std::string EntriesPath(std::uint64_t index, unsigned width) {
  return WithWidth(absl::StrCat("tile/entries/", IndexPath(index)), width);
}

absl::StatusOr<TileResource> ParseTilePath(absl::string_view path) {
  if (path.size() > 64) {
    return BadPath();
  }
  std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (parts.size() < 3 || parts[0] != "tile") {
    return BadPath();
  }
  TileResource resource;
  resource.entries = parts[1] == "entries";
  if (!resource.entries && !ParseDecimal(parts[1], kTileLevelMax, resource.tile.level)) {
    return BadPath();
  }
  parts.erase(parts.begin(), parts.begin() + 2);
  if (parts.size() >= 2 && absl::EndsWith(parts[parts.size() - 2], ".p")) {
    if (!ParseDecimal(parts.back(), kTileWidth - 1, resource.tile.width) ||
        resource.tile.width == 0) {
      return BadPath();
    }
    parts.pop_back();
    parts.back().remove_suffix(2);
  }
  if (!ParseIndex(parts, resource.tile.index)) {
    return BadPath();
  }
  // One name for one resource: leading groups of zeros and the like do not come back.
  const std::string written = resource.entries
                                  ? EntriesPath(resource.tile.index, resource.tile.width)
                                  : TilePath(resource.tile);
  if (written != path) {
    return BadPath();
  }
  return resource;
}

TileExtent ExtentOfLevel(std::uint64_t size, unsigned level) {
  const unsigned shift = level * kTileHeight;
  const std::uint64_t hashes = shift >= 64 ? 0 : size >> shift;
  return {.full_tiles = hashes / kTileWidth,
          .partial_width = static_cast<unsigned>(hashes % kTileWidth)};
}

unsigned LevelCount(std::uint64_t size) {
  unsigned levels = 0;
  for (; size > 0; size >>= kTileHeight) {
    ++levels;
  }
  return levels;
}

absl::Status AppendToBundle(ByteView entry, Bytes& bundle) {
  if (entry.empty() || entry.size() > kEntryBytesMax) {
    return absl::InvalidArgumentError("entry bundle: an entry is empty or too long");
  }
  bundle.push_back(static_cast<std::uint8_t>(entry.size() >> 8));
  bundle.push_back(static_cast<std::uint8_t>(entry.size() & 0xff));
  bundle.insert(bundle.end(), entry.begin(), entry.end());
  return absl::OkStatus();
}

Digest SubtreeOfTile(ByteView tile_hashes, unsigned height, unsigned first) {
  CARNET_CHECK(height <= kTileHeight &&
               (first + (1u << height)) * kDigestBytes <= tile_hashes.size());
  std::vector<Digest> hashes(std::size_t{1} << height);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const ByteView hash = tile_hashes.subspan((first + i) * kDigestBytes, kDigestBytes);
    std::copy(hash.begin(), hash.end(), hashes[i].begin());
  }
  for (std::size_t count = hashes.size(); count > 1; count /= 2) {
    for (std::size_t i = 0; i < count / 2; ++i) {
      hashes[i] = NodeHash(hashes[2 * i], hashes[2 * i + 1]);
    }
  }
  return hashes[0];
}

}  // namespace carnet::ledger
