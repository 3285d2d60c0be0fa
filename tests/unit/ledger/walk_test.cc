// Reading a whole log at once, and the nodes that proofs keep.
#include "ledger/walk.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ledger/errors.h"
#include "ledger/log.h"
#include "ledger/sqlite.h"
#include "ledger/sqlite_store.h"
#include "ledger/tile_trees.h"
#include "ledger/tiles.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

void Grow(SmallFederation& federation, std::uint64_t records) {
  std::vector<v1::SignedRecord> batch;
  while (federation.size() + batch.size() < records) {
    batch.push_back(federation.Filler());
  }
  REQUIRE((batch.empty() || federation.log().Append(batch).ok()));
}

TEST_CASE("Walk: every record comes opened and in order, by any number of threads") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  Grow(federation, 1029);  // four tiles, and a bit of a fifth
  for (const unsigned threads : {1u, 2u, 7u}) {
    CAPTURE(threads);
    std::uint64_t next = 0;
    REQUIRE(
        ForEachOpened(federation.log(), threads, [&](std::uint64_t index, const Record& record) {
          const auto expected = OpenVerifiedRecord(*federation.log().ReadRecord(index));
          CHECK(index == next++);
          CHECK(record.leaf_hash == expected->leaf_hash);
          CHECK(record.type == expected->type);
          CHECK(record.signer == expected->signer);
          return absl::OkStatus();
        }).ok());
    CHECK(next == 1029);
  }
}

TEST_CASE("Walk: an error of who visits ends it") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  Grow(federation, 700);
  std::uint64_t visited = 0;
  const absl::Status walked =
      ForEachOpened(federation.log(), 2, [&](std::uint64_t index, const Record&) {
        ++visited;
        return index == 300 ? absl::AbortedError("enough") : absl::OkStatus();
      });
  CHECK(absl::IsAborted(walked));
  CHECK(visited == 301);
}

TEST_CASE("Walk: the first record that is not the tree's is named, and those before it come") {
  const char* const sql =
      GENERATE("UPDATE records SET statement = CAST('x' AS BLOB) WHERE idx >= 300",
               "UPDATE records SET entry = CAST('x' AS BLOB) WHERE idx >= 300");
  CAPTURE(sql);
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  Grow(federation, 700);
  federation.Close();
  REQUIRE((*SqliteConnection::Open(dir.path() / kStoreFileName, true))->Execute(sql).ok());
  const auto view = *LogView::OpenReadOnly(dir.path());
  std::uint64_t visited = 0;
  const absl::Status walked = ForEachOpened(*view, 2, [&](std::uint64_t, const Record&) {
    ++visited;
    return absl::OkStatus();
  });
  CHECK(IsLogMisbehaviour(walked));
  CHECK(walked.message().find("record 300 ") != absl::string_view::npos);
  CHECK(visited == 300);
}

// Every node that a tree of `size` leaves has.
void CheckNodes(TileTrees& trees, const Store& store, std::uint64_t size) {
  for (unsigned level = 0; size >> level > 0; ++level) {
    for (std::uint64_t index = 0; index < size >> level; ++index) {
      CAPTURE(size, level, index);
      const std::uint64_t first = index << (level % kTileHeight);
      const Bytes tile = *store.ReadTile(level / kTileHeight, first / kTileWidth);
      const Digest expected =
          SubtreeOfTile(tile, level % kTileHeight, static_cast<unsigned>(first % kTileWidth));
      REQUIRE(*trees.Node(level, index) == expected);
    }
  }
}

TEST_CASE("Kept nodes: are those of the stored tiles, also when few are kept and tiles grow") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const ReadOnlyStore opened = *OpenSqliteStoreReadOnly(dir.path() / kStoreFileName);
  TileTrees many(*opened.store);
  TileTrees one(*opened.store, 1);
  for (const std::uint64_t size : {5u, 255u, 256u, 300u, 777u}) {
    Grow(federation, size);
    CheckNodes(many, *opened.store, size);
    CheckNodes(one, *opened.store, size);
    CHECK_FALSE(many.Node(0, size).ok());  // beyond the end
  }
}

TEST_CASE("Kept nodes: a stored tile of a wrong size is damage") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Close();
  REQUIRE((*SqliteConnection::Open(dir.path() / kStoreFileName, true))
              ->Execute("UPDATE tiles SET hashes = substr(hashes, 1, 63)")
              .ok());
  const ReadOnlyStore opened = *OpenSqliteStoreReadOnly(dir.path() / kStoreFileName);
  TileTrees trees(*opened.store);
  CHECK(absl::IsDataLoss(trees.Node(0, 0).status()));
}

}  // namespace
}  // namespace carnet::ledger
