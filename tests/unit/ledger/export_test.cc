#include "ledger/export.h"

#include <fcntl.h>
#include <sys/file.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <string>

#include "base/files.h"
#include "ledger/errors.h"
#include "ledger/readers/directory_source.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

void Grow(SmallFederation& federation, std::uint64_t size) {
  while (federation.size() < size) {
    std::vector<v1::SignedRecord> batch;
    while (federation.size() + batch.size() < size && batch.size() < 200) {
      batch.push_back(federation.Filler());
    }
    REQUIRE(federation.log().Append(batch).ok());
  }
}

bool Verifies(const std::filesystem::path& folder, const SmallFederation& federation,
              const std::vector<std::string>& heads = {}) {
  DirectorySource source(folder);
  return !verifier::VerifyWholeLog(source, federation.Policy(), heads).failure;
}

// Every file below a folder, with what it holds.
std::map<std::string, Bytes> Files(const std::filesystem::path& folder) {
  std::map<std::string, Bytes> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[std::filesystem::relative(entry.path(), folder)] = *ReadFile(entry.path(), 1 << 24);
    }
  }
  return files;
}

TEST_CASE("Export: a later one adds what is new, and partial tiles go when the full one stands") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  federation.Found();
  Grow(federation, 300);
  const std::string old_head = federation.log().Head().note;
  const ExportOptions statements{.statements = true};
  // Entries, statements and hashes of two tiles, and the level above.
  CHECK(ExportTiles(federation.log(), out.path(), statements)->files_written == 7);
  CHECK(ExportTiles(federation.log(), out.path(), statements)->files_written == 0);
  const auto before = Files(out.path());
  CHECK(before.count("tile/entries/001.p/44") == 1);

  Grow(federation, 400);
  CHECK(ExportTiles(federation.log(), out.path())->files_written == 3);
  // Readers of the head of 300 still find its partial tiles.
  CHECK(Files(out.path()).count("tile/entries/001.p/44") == 1);
  CHECK(Files(out.path()).count("statements/001.p/144") == 1);
  REQUIRE(WriteFileAtomic(out.path() / "checkpoint", AsBytes(old_head)).ok());
  CHECK(Verifies(out.path(), federation));

  Grow(federation, 600);
  CHECK(ExportTiles(federation.log(), out.path())->files_written == 7);
  const auto after = Files(out.path());
  for (const auto& [name, bytes] : after) {
    CAPTURE(name);
    CHECK(name.find("001.p") == std::string::npos);
  }
  CHECK(after.at("tile/0/000") == before.at("tile/0/000"));
  CHECK(Verifies(out.path(), federation, {old_head}));
  const TempDir fresh;
  REQUIRE(ExportTiles(federation.log(), fresh.path(), statements).ok());
  auto grown = Files(out.path());
  // Of the earlier exports: level 1 is still open.
  CHECK(grown.erase("tile/1/000.p/1") == 1);
  CHECK(grown == Files(fresh.path()));
}

TEST_CASE("Export: one that was cut off is finished by the next") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  federation.Found();
  Grow(federation, 300);
  REQUIRE(ExportTiles(federation.log(), out.path()).ok());
  const auto whole = Files(out.path());
  // As a crash leaves it before the first head: files of a folder that has none.
  std::filesystem::remove(out.path() / "checkpoint");
  std::filesystem::remove(out.path() / "tile/entries/000");
  REQUIRE(WriteFileAtomic(out.path() / ".checkpoint.abc.tmp", AsBytes("half")).ok());
  CHECK(ExportTiles(federation.log(), out.path()).ok());
  std::filesystem::remove(out.path() / ".checkpoint.abc.tmp");
  CHECK(Files(out.path()) == whole);
  // A file that went away below a head comes back.
  std::filesystem::remove(out.path() / "tile/0/000");
  CHECK(ExportTiles(federation.log(), out.path())->files_written == 1);
  CHECK(Files(out.path()) == whole);
}

TEST_CASE("Export: a folder of something else, of another log, or in use is refused untouched") {
  const TempDir dir;
  const TempDir other_dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  federation.Found();
  REQUIRE(WriteFileAtomic(out.path() / "letters.txt", AsBytes("mine")).ok());
  CHECK(absl::IsAlreadyExists(ExportTiles(federation.log(), out.path()).status()));
  CHECK(Files(out.path()).size() == 1);

  std::filesystem::remove(out.path() / "letters.txt");
  const std::string note = "not/a/log\n1\nAAAA\n\n";
  REQUIRE(WriteFileAtomic(out.path() / "checkpoint", AsBytes(note)).ok());
  CHECK(absl::IsFailedPrecondition(ExportTiles(federation.log(), out.path()).status()));

  std::filesystem::remove(out.path() / "checkpoint");
  const UniqueFd held(::open(out.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::flock(held.get(), LOCK_EX | LOCK_NB) == 0);
  CHECK(absl::IsFailedPrecondition(ExportTiles(federation.log(), out.path()).status()));
  CHECK(Files(out.path()).empty());
}

TEST_CASE("Export: a folder that knows more than the log, or something else, is misbehaviour") {
  const TempDir dir;
  const TempDir old_dir;
  const TempDir out;
  SmallFederation old(old_dir.path());
  old.Found();
  SmallFederation federation(dir.path());
  federation.Found();
  Grow(federation, 20);
  REQUIRE(ExportTiles(federation.log(), out.path()).ok());
  const auto before = Files(out.path());
  // The same key on a state that was rolled back.
  CHECK(IsLogMisbehaviour(ExportTiles(old.log(), out.path()).status()));
  // And then went another way.
  old.Round();
  Grow(old, 20);
  CHECK(IsLogMisbehaviour(ExportTiles(old.log(), out.path()).status()));
  CHECK(Files(out.path()) == before);
}

}  // namespace
}  // namespace carnet::ledger
