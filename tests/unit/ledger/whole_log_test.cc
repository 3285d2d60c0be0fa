#include "ledger/verifier/whole_log.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "ledger/export.h"
#include "ledger/readers/directory_source.h"
#include "ledger/readers/state_source.h"
#include "ledger/sqlite.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::SmallFederation;
using testing_ledger::TempDir;
using verifier::LogVerdict;

LogVerdict VerifyDirectory(const std::filesystem::path& path, const verifier::TrustPolicy& policy,
                           const std::vector<std::string>& old_heads = {}) {
  DirectorySource source(path);
  return verifier::VerifyWholeLog(source, policy, old_heads);
}

std::string Failure(const LogVerdict& verdict) {
  return verdict.failure ? verdict.failure->status.ToString() : "none";
}

void Grow(SmallFederation& federation, std::uint64_t size) {
  while (federation.size() < size) {
    std::vector<v1::SignedRecord> batch;
    while (federation.size() + batch.size() < size && batch.size() < 200) {
      batch.push_back(federation.Filler());
    }
    REQUIRE(federation.log().Append(batch).ok());
  }
}

TEST_CASE("Whole log: exported folders of sizes around the tiles' borders verify") {
  const auto size = GENERATE(as<std::uint64_t>(), 1, 5, 255, 256, 257, 511, 512, 600);
  const bool statements = size < 300;
  CAPTURE(size);
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  Grow(federation, size);
  REQUIRE(ExportTiles(federation.log(), out.path(), {.statements = statements})->size == size);
  const LogVerdict verdict = VerifyDirectory(out.path(), federation.Policy());
  INFO(Failure(verdict));
  REQUIRE_FALSE(verdict.failure);
  CHECK(verdict.report.entries_checked == size);
  CHECK(verdict.report.statements_checked == (statements ? size : 0));
  CHECK(verdict.report.operator_only);
  CHECK(verdict.report.head.size == size);
}

TEST_CASE("Whole log: an empty one is a head and nothing else") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  REQUIRE(ExportTiles(federation.log(), out.path())->size == 0);
  const auto policy =
      *verifier::ParseTrustPolicy(absl::StrCat("# genesis ", std::string(64, '0'), "\nlog ",
                                               federation.log().key().Vkey(), "\nquorum none\n"));
  CHECK_FALSE(VerifyDirectory(out.path(), policy).failure);
}

TEST_CASE("Whole log: a folder that is in use is not written over") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  CHECK(absl::IsAlreadyExists(ExportTiles(federation.log(), dir.path()).status()));
}

TEST_CASE("Whole log: one flipped byte in any file is found, and the first bad index is named") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  Grow(federation, 260);
  REQUIRE(ExportTiles(federation.log(), out.path(), {.statements = true}).ok());
  const auto policy = federation.Policy();
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(out.path())) {
    if (!entry.is_regular_file()) {
      continue;
    }
    ++files;
    const Bytes good = *ReadFile(entry.path(), 1 << 24);
    // In a partial or full tile the last byte belongs to its last hash or entry.
    for (const std::size_t at : {std::size_t{0}, good.size() / 2, good.size() - 1}) {
      Bytes bad = good;
      bad[at] ^= 1;
      REQUIRE(WriteFileAtomic(entry.path(), bad).ok());
      const LogVerdict verdict = VerifyDirectory(out.path(), policy);
      CAPTURE(entry.path().string(), at, Failure(verdict));
      REQUIRE(verdict.failure);
      CHECK((absl::IsUnauthenticated(verdict.failure->status) ||
             absl::IsNotFound(verdict.failure->status)));
      if (entry.path().filename() == "4" && at == good.size() - 1) {
        CHECK(verdict.failure->index == 259);
      }
    }
    REQUIRE(WriteFileAtomic(entry.path(), good).ok());
  }
  CHECK(files ==
        8);  // checkpoint; level 0: 000, 001.p/4; level 1: 000.p/1; entries and statements: 2 each
  CHECK_FALSE(VerifyDirectory(out.path(), policy).failure);
}

TEST_CASE("Whole log: a missing file is missing data") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  Grow(federation, 3);
  REQUIRE(ExportTiles(federation.log(), out.path()).ok());
  std::filesystem::remove(out.path() / "tile/0/000.p/3");
  CHECK(absl::IsNotFound(VerifyDirectory(out.path(), federation.Policy()).failure->status));
}

TEST_CASE("Whole log: a full tile stands in for a partial one") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  Grow(federation, 3);
  const std::string note = federation.log().Head().note;
  Grow(federation, 256);
  REQUIRE(ExportTiles(federation.log(), out.path()).ok());
  REQUIRE(WriteFileAtomic(out.path() / "checkpoint", AsBytes(note)).ok());
  const LogVerdict verdict = VerifyDirectory(out.path(), federation.Policy());
  INFO(Failure(verdict));
  CHECK_FALSE(verdict.failure);
  CHECK(verdict.report.entries_checked == 3);
}

TEST_CASE("Whole log: every head given must be a prefix, and one that is not is misbehaviour") {
  const TempDir dir;
  const TempDir other_dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  std::vector<std::string> heads = {federation.log().Head().note};
  for (const std::uint64_t size : {1, 2, 250, 256, 257}) {
    Grow(federation, size);
    heads.push_back(federation.log().Head().note);
  }
  REQUIRE(ExportTiles(federation.log(), out.path()).ok());
  LogVerdict verdict = VerifyDirectory(out.path(), federation.Policy(), heads);
  INFO(Failure(verdict));
  CHECK_FALSE(verdict.failure);
  CHECK(verdict.report.old_heads_checked == 6);

  SmallFederation other(other_dir.path());
  static_cast<void>(other.Filler());
  Grow(other, 2);
  heads.push_back(other.log().Head().note);
  CHECK(absl::IsDataLoss(VerifyDirectory(out.path(), federation.Policy(), heads).failure->status));
  Grow(federation, 300);
  CHECK(absl::IsDataLoss(
      VerifyDirectory(out.path(), federation.Policy(), {federation.log().Head().note})
          .failure->status));
}

TEST_CASE("Whole log: another genesis is another log") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  Grow(federation, 3);
  REQUIRE(ExportTiles(federation.log(), out.path()).ok());
  verifier::TrustPolicy policy = federation.Policy();
  policy.genesis[0] ^= 1;
  const LogVerdict verdict = VerifyDirectory(out.path(), policy);
  CHECK(absl::IsUnauthenticated(verdict.failure->status));
  CHECK(verdict.failure->index == 0);
}

TEST_CASE("Fsck: a store verifies with its statements, and a changed value is found at its index") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  Grow(federation, 300);
  const auto policy = federation.Policy();
  const auto check = [&] {
    const auto source = StateSource::Open(dir.path());
    REQUIRE(source.ok());
    return verifier::VerifyWholeLog(**source, policy, {});
  };
  LogVerdict verdict = check();
  INFO(Failure(verdict));
  REQUIRE_FALSE(verdict.failure);
  CHECK(verdict.report.statements_checked == 300);
  federation.Close();
  const auto [sql, index] = GENERATE(table<const char*, int>({
      {"UPDATE records SET statement = CAST(replace(CAST(statement AS TEXT), 'lion', 'tiger') AS "
       "BLOB)"
       " WHERE idx = 6",
       6},
      {"UPDATE records SET entry = CAST(replace(CAST(entry AS TEXT), '0.0.2', '0.0.3') AS BLOB) "
       "WHERE idx = 270",
       270},
      {"UPDATE tiles SET hashes = CAST(substr(hashes, 1, 64) || zeroblob(32) || substr(hashes, 97) "
       "AS BLOB)"
       " WHERE level = 0 AND idx = 0",
       2},
      {"UPDATE tiles SET hashes = zeroblob(32) WHERE level = 1", 0},
      {"DELETE FROM records WHERE idx = 299", -1},
      {"UPDATE heads SET note = replace(note, '300', '299') WHERE size = 300", -1},
  }));
  CAPTURE(sql);
  REQUIRE((*SqliteConnection::Open(dir.path() / "ledger.db", true))->Execute(sql).ok());
  verdict = check();
  CAPTURE(Failure(verdict));
  REQUIRE(verdict.failure);
  CHECK(verdict.failure->index.value_or(9999) ==
        (index < 0 ? 9999u : static_cast<std::uint64_t>(index)));
}

TEST_CASE("Fsck: no store is missing data") {
  const TempDir dir;
  CHECK(absl::IsNotFound(StateSource::Open(dir.path()).status()));
}

TEST_CASE("Export: trust.policy and trusted-root.json name the log and its first record") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  CHECK(absl::IsFailedPrecondition(ExportTrust(federation.log(), out.path())));
  federation.Found();
  REQUIRE(ExportTrust(federation.log(), out.path()).ok());
  const Bytes policy = *ReadFile(out.path() / "trust.policy", 1 << 16);
  CHECK(AsText(policy) == federation.PolicyText());
  const Bytes root = *ReadFile(out.path() / "trusted-root.json", 1 << 16);
  CHECK(absl::StrContains(AsText(root), absl::StrCat("https://", testing_ledger::kOrigin)));
}

}  // namespace
}  // namespace carnet::ledger
