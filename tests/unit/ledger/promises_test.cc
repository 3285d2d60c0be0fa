// P1 to P3 of ledger/log.h with a store that does not keep what it was given: triggers stand for a
// disk, a library or a person that changes bytes between the write and the signature.
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "base/files.h"
#include "ledger/log.h"
#include "ledger/sqlite.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::KeyOfSeed;
using testing_ledger::kOrigin;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

void Execute(const std::filesystem::path& state, const char* sql) {
  REQUIRE((*SqliteConnection::Open(state / kStoreFileName, true))->Execute(sql).ok());
}

std::uint64_t Count(const std::filesystem::path& state, const char* sql) {
  const auto connection = *SqliteConnection::Open(state / kStoreFileName, true);
  auto query = *connection->Query(sql);
  REQUIRE(*query.Step());
  return query.Number(0);
}

std::string HeadFile(const std::filesystem::path& state) {
  return ToString(*ReadFile(state / kHeadFileName, kNoteBytesMax));
}

TEST_CASE("Log: no head is signed over what the store did not keep") {
  const char* const trigger = GENERATE(
      // A flipped byte in a statement, in an entry, in a signature.
      "AFTER INSERT ON records BEGIN UPDATE records SET statement = CAST(replace(CAST(statement AS "
      "TEXT), 'common', 'uncommon') AS BLOB) WHERE idx = NEW.idx; END",
      "AFTER INSERT ON records BEGIN UPDATE records SET entry = CAST(replace(CAST(entry AS TEXT), "
      "'0.0.2', '0.0.3') AS BLOB) WHERE idx = NEW.idx; END",
      "AFTER INSERT ON records BEGIN UPDATE records SET signature = zeroblob(64) WHERE idx = "
      "NEW.idx; END",
      // A whole record of earlier in the place of the new one: each part of it fits the others.
      "AFTER INSERT ON records BEGIN UPDATE records SET (statement, signature, public_key, entry) "
      "= "
      "(SELECT statement, signature, public_key, entry FROM records WHERE idx = 3) WHERE idx = "
      "NEW.idx; END",
      // The new record is lost.
      "AFTER INSERT ON records BEGIN DELETE FROM records WHERE idx = NEW.idx; END",
      // Tiles of another tree.
      "AFTER UPDATE OF hashes ON tiles BEGIN UPDATE tiles SET hashes = "
      "zeroblob(length(hashes)) WHERE level = NEW.level AND idx = NEW.idx; END",
      // An older tile comes back.
      "AFTER UPDATE OF hashes ON tiles BEGIN UPDATE tiles SET hashes = OLD.hashes WHERE level = "
      "NEW.level AND idx = NEW.idx; END");
  CAPTURE(trigger);
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const std::uint64_t heads = Count(dir.path(), "SELECT count(*) FROM heads");
  const std::string head = federation.log().Head().note;
  Execute(dir.path(), absl::StrCat("CREATE TRIGGER disk ", trigger).c_str());

  const auto appended = federation.log().Append({federation.Filler()});
  REQUIRE_FALSE(appended.ok());
  CHECK((IsLogMisbehaviour(appended.status()) || absl::IsNotFound(appended.status())));
  CHECK(federation.log().closed());
  CHECK(federation.log().Head().note == head);
  CHECK(HeadFile(dir.path()) == head);
  CHECK(Count(dir.path(), "SELECT count(*) FROM heads") == heads);
}

TEST_CASE("Log: the store holds one row for each tile, and no partial one beside its full one") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  for (const std::size_t records : {1, 100, 149, 1, 1, 254, 1, 1, 88}) {
    std::vector<v1::SignedRecord> batch(records);
    for (v1::SignedRecord& record : batch) {
      record = federation.Filler();
    }
    REQUIRE(federation.log().Append(batch).ok());
    const std::uint64_t size = federation.size();
    std::uint64_t implied = 0;
    for (unsigned level = 0; level < LevelCount(size); ++level) {
      const TileExtent extent = ExtentOfLevel(size, level);
      implied += extent.full_tiles + (extent.partial_width > 0 ? 1 : 0);
    }
    CAPTURE(size);
    CHECK(Count(dir.path(), "SELECT count(*) FROM tiles") == implied);
  }
  CHECK(federation.size() == 601);
}

}  // namespace
}  // namespace carnet::ledger
