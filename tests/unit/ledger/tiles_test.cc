#include "ledger/tiles.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/bytes.h"
#include "ledger/tile_builder.h"

namespace carnet::ledger {
namespace {

TEST_CASE("Tiles: paths are those of C2SP tlog-tiles") {
  // C2SP/tlog-tiles.md: 5 is 005, 1234 is x001/234, 1234067 is x001/x234/067.
  CHECK(TilePath({.level = 0, .index = 5}) == "tile/0/005");
  CHECK(TilePath({.level = 1, .index = 1234, .width = 17}) == "tile/1/x001/234.p/17");
  CHECK(EntriesPath(1234067, 256) == "tile/entries/x001/x234/067");
  // golang/mod sumdb/tlog tlog_test.go: x123/x456/078 is 123456078.
  CHECK(ParseTilePath("tile/0/x123/x456/078")->tile.index == 123456078);
}

TEST_CASE("Tiles: a path has one form") {
  CHECK(ParseTilePath("tile/entries/000.p/3")->entries);
  CHECK(ParseTilePath("tile/2/000.p/255")->tile == TileId{.level = 2, .index = 0, .width = 255});
  for (const char* path : {"tile/0/123/456/078", "tile/0/x000/005", "tile/00/005", "tile/8/005",
                           "tile/0/5", "tile/0/005.p/0", "tile/0/005.p/256", "tile/0/005.p/03",
                           "tile/0/", "tile/0/x123", "tile/-1/000", "tile/entries", "tiles/0/000",
                           "tile/0/005/", "tile/0/x999/x999/x999/x999/x999/x999/999"}) {
    CAPTURE(path);
    CHECK_FALSE(ParseTilePath(path).ok());
  }
}

TEST_CASE("Tiles: what a size implies") {
  // C2SP/tlog-tiles.md: 70,000 entries.
  CHECK(ExtentOfLevel(70'000, 0) == TileExtent{.full_tiles = 273, .partial_width = 112});
  CHECK(ExtentOfLevel(70'000, 1) == TileExtent{.full_tiles = 1, .partial_width = 17});
  CHECK(ExtentOfLevel(70'000, 2) == TileExtent{.full_tiles = 0, .partial_width = 1});
  CHECK(LevelCount(70'000) == 3);
  CHECK(ExtentOfLevel(256, 0) == TileExtent{.full_tiles = 1, .partial_width = 0});
  CHECK(ExtentOfLevel(256, 1) == TileExtent{.full_tiles = 0, .partial_width = 1});
  CHECK(LevelCount(0) == 0);
}

TEST_CASE("Tiles: entries of 1 to 65535 bytes go into a bundle, others do not") {
  Bytes bundle;
  // tessera testdata: the partial bundle of one, two, three.
  for (const char* entry : {"one", "two", "three"}) {
    REQUIRE(AppendToBundle(AsBytes(entry), bundle).ok());
  }
  CHECK(HexEncode(bundle) == "00036f6e65000374776f00057468726565");
  CHECK_FALSE(AppendToBundle({}, bundle).ok());
  CHECK_FALSE(AppendToBundle(Bytes(kEntryBytesMax + 1), bundle).ok());
  CHECK(AppendToBundle(Bytes(kEntryBytesMax), bundle).ok());
}

TEST_CASE("Tiles: the builder grows levels, and goes on from what is stored") {
  TileBuilder builder;
  std::map<std::pair<unsigned, std::uint64_t>, Bytes> stored;
  const auto read = [&stored](unsigned level, std::uint64_t index) -> absl::StatusOr<Bytes> {
    return stored.at({level, index});
  };
  for (std::uint64_t size = 0; size < 600; ++size) {
    if (size % 100 == 50) {
      builder = *TileBuilder::Load(size, read);
    }
    Digest leaf{};
    leaf[0] = static_cast<std::uint8_t>(size);
    builder.Append(leaf);
    for (const StoredTile& tile : builder.TakeChanged()) {
      stored[{tile.level, tile.index}] = tile.hashes;
    }
  }
  CHECK(stored.size() == 4);  // 000, 001 and 002.p/88 of level 0; 000.p/2 of level 1
  CHECK(stored.at({0, 2}).size() == 88 * kDigestBytes);
  REQUIRE(stored.at({1, 0}).size() == 2 * kDigestBytes);
  const Digest second = SubtreeOfTile(stored.at({0, 1}), 8, 0);
  CHECK(std::equal(second.begin(), second.end(), stored.at({1, 0}).begin() + kDigestBytes));
}

TEST_CASE("Tiles: a stored tile shorter than the log is noticed") {
  const auto read = [](unsigned, std::uint64_t) -> absl::StatusOr<Bytes> {
    return Bytes(kDigestBytes);
  };
  CHECK(absl::IsDataLoss(TileBuilder::Load(2, read).status()));
}

}  // namespace
}  // namespace carnet::ledger
