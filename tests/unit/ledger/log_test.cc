#include "ledger/log.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/files.h"
#include "base/status.h"
#include "ledger/head.h"
#include "ledger/sqlite.h"
#include "ledger/verifier/merkle.h"
#include "ledger/verifier/record.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::KeyOfSeed;
using testing_ledger::kOrigin;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

absl::StatusOr<std::unique_ptr<Log>> OpenLog(const std::filesystem::path& state,
                                             const std::filesystem::path& head_file = {}) {
  return Log::Open({.state_dir = state, .head_file = head_file, .origin = kOrigin}, KeyOfSeed(1));
}

std::string Text(const std::filesystem::path& path) {
  return ToString(*ReadFile(path, 1 << 16));
}

// What an operator's backup holds.
void CopyState(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

void Execute(const std::filesystem::path& state, const char* sql) {
  REQUIRE((*SqliteConnection::Open(state / kStoreFileName, true))->Execute(sql).ok());
}

TEST_CASE("Log: a new one signs a head of size 0 and keeps it in the head file") {
  const TempDir dir;
  const auto log = *OpenLog(dir.path());
  CHECK(log->Size() == 0);
  CHECK(Text(dir.path() / kHeadFileName) == log->Head().note);
  CHECK(log->Head().head.root == EmptyRoot());
}

TEST_CASE(
    "Log: an index returned is the record's, and its proof holds under the head that came with "
    "it") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  std::vector<v1::SignedRecord> batch = {federation.Filler(), federation.Filler(),
                                         federation.Filler()};
  const AppendResult result = *federation.log().Append(batch);
  CHECK(result.first_index == 5);
  CHECK(result.head.head.size == 8);
  CHECK(Text(dir.path() / kHeadFileName) == result.head.note);
  const auto key = *verifier::ParseVerifierKey(federation.log().key().Vkey());
  const verifier::TreeHead head = verifier::VerifyHead(result.head.note, key)->tree;
  for (std::uint64_t index = 0; index < 8; ++index) {
    const LogView::Proven proven = *federation.log().Prove(index);
    CHECK(verifier::VerifyProvenRecord(proven.record, head).ok());
    const v1::Receipt receipt = *federation.log().MakeReceipt(index);
    CHECK(receipt.head() == result.head.note);
    CHECK(receipt.proof().SerializeAsString() == proven.record.proof().SerializeAsString());
  }
  CHECK(federation.log().ReadRecord(6)->SerializeAsString() == batch[1].SerializeAsString());
}

TEST_CASE(
    "Log: it goes on after it was closed, across tile borders, with the same roots as one that was "
    "not") {
  const TempDir first;
  const TempDir second;
  SmallFederation steady(first.path());
  std::vector<v1::SignedRecord> all;
  for (int i = 0; i < 600; ++i) {
    all.push_back(steady.Filler());
  }
  CHECK(steady.log().Append(all)->head.head.size == 600);
  std::size_t next = 0;
  for (const std::size_t batch : {1u, 254u, 1u, 1u, 200u, 143u}) {
    const auto log = *OpenLog(second.path());
    CHECK(log->Size() == next);
    REQUIRE(log->Append({all.begin() + static_cast<std::ptrdiff_t>(next),
                         all.begin() + static_cast<std::ptrdiff_t>(next + batch)})
                .ok());
    next += batch;
    CHECK(log->Head().head.root == *steady.log().Root(next));
  }
  const auto log = *OpenLog(second.path());
  CHECK(log->Head().note == steady.log().Head().note);
  for (const std::uint64_t old : {0, 1, 255, 256, 257, 511, 512, 599, 600}) {
    const v1::ConsistencyProof proof = *log->ConsistencyProof(old, 600);
    std::vector<Digest> path;
    for (const std::string& hash : proof.hashes()) {
      path.push_back(*ToDigest(AsBytes(hash)));
    }
    CHECK(verifier::VerifyConsistency(old, *log->Root(old), 600, *log->Root(600), path).ok());
  }
  CHECK(log->Tile({.level = 1, .index = 0, .width = 2})->size() == 2 * kDigestBytes);
  CHECK(log->Tile({.level = 0, .index = 2, .width = 17})->size() == 17 * kDigestBytes);
  CHECK(absl::IsNotFound(log->Tile({.level = 0, .index = 2, .width = 89}).status()));
  CHECK(absl::IsNotFound(log->Tile({.level = 1, .index = 0, .width = 3}).status()));
  CHECK(absl::IsNotFound(log->EntryBundle(2, 89).status()));
  CHECK(log->EntryBundle(1, 256).ok());
}

TEST_CASE("Log: the second opener of one state folder is refused") {
  const TempDir dir;
  const auto log = *OpenLog(dir.path());
  CHECK(absl::IsFailedPrecondition(OpenLog(dir.path()).status()));
}

TEST_CASE("Log: a store of another name or key is refused") {
  const TempDir dir;
  REQUIRE(OpenLog(dir.path()).ok());
  CHECK(absl::IsFailedPrecondition(Log::Open({dir.path(), {}, kOrigin}, KeyOfSeed(9)).status()));
  CHECK(absl::IsFailedPrecondition(
      Log::Open({dir.path(), {}, "other.test/log"}, KeyOfSeed(1)).status()));
  CHECK(OpenLog(dir.path()).ok());
}

TEST_CASE("Log: a record that a later start would refuse never enters, and the log stays open") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  v1::SignedRecord bad_signature = federation.Filler();
  (*bad_signature.mutable_signature())[0] ^= 1;
  CHECK(absl::IsUnauthenticated(
      federation.log().Append({federation.Filler(), bad_signature}).status()));
  CHECK(
      absl::IsInvalidArgument(federation.log().Append({SignRecord("{}", KeyOfSeed(2))}).status()));
  CHECK(absl::IsInvalidArgument(federation.log().Append({}).status()));
  CHECK(absl::IsResourceExhausted(
      federation.log()
          .Append(std::vector<v1::SignedRecord>(kBatchRecordsMax + 1, federation.Filler()))
          .status()));
  CHECK(federation.size() == 0);
  CHECK(federation.log().Append({federation.Filler()}).ok());
}

TEST_CASE("Log: reads beyond the signed size are refused") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  CHECK(absl::IsOutOfRange(federation.log().ReadRecord(5).status()));
  CHECK(absl::IsOutOfRange(federation.log().InclusionProof(0, 6).status()));
  CHECK(absl::IsOutOfRange(federation.log().InclusionProof(5, 5).status()));
  CHECK(absl::IsOutOfRange(federation.log().ConsistencyProof(2, 6).status()));
  CHECK(absl::IsOutOfRange(federation.log().Root(6).status()));
  CHECK(absl::IsOutOfRange(federation.log().ReadRange(3, 3).status()));
}

TEST_CASE("Log: the fold sees every record in order") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  std::uint64_t next = 2;
  REQUIRE(federation.log()
              .ForEachRecord(2,
                             [&next](std::uint64_t index, const v1::SignedRecord& record) {
                               CHECK(index == next++);
                               return OpenVerifiedRecord(record).status();
                             })
              .ok());
  CHECK(next == federation.size());
  const absl::Status stop = absl::AbortedError("enough");
  CHECK(federation.log().ForEachRecord(
            0, [&stop](std::uint64_t, const v1::SignedRecord&) { return stop; }) == stop);
}

// ---- rollback, damage and crashes
// -----------------------------------------------------------------------------------

TEST_CASE(
    "Log: a state folder rolled back to a copy is caught by the head file, and nothing is "
    "appended") {
  const TempDir dir;
  const TempDir other_disk;
  const std::filesystem::path head_file = other_disk.path() / "head";
  const std::filesystem::path state = dir.path() / "state";
  std::filesystem::create_directory(state);
  {
    SmallFederation federation(state, head_file);
    federation.Found();
    federation.Close();
    CopyState(state, dir.path() / "backup");
  }
  {
    std::filesystem::create_directory(dir.path() / "signer");
    SmallFederation signer(dir.path() / "signer");
    const auto log = *OpenLog(state, head_file);
    REQUIRE(log->Append({signer.Filler()}).ok());
  }
  const auto rolled_back = OpenLog(dir.path() / "backup", head_file);
  CHECK(absl::IsDataLoss(rolled_back.status()));
  CHECK(IsLogMisbehaviour(rolled_back.status()));
  // Nothing was appended to either.
  CHECK(OpenLog(state, head_file).value()->Size() == 6);
}

TEST_CASE("Log: a history of the same size and another root is caught by the head file") {
  const TempDir dir;
  const TempDir other_disk;
  std::filesystem::create_directory(dir.path() / "a");
  std::filesystem::create_directory(dir.path() / "b");
  std::filesystem::create_directory(dir.path() / "signer");
  const std::filesystem::path head_file = other_disk.path() / "head";
  SmallFederation signer(dir.path() / "signer");
  REQUIRE((*OpenLog(dir.path() / "a", head_file))->Append({signer.Filler()}).ok());
  REQUIRE((*OpenLog(dir.path() / "b"))->Append({signer.Filler()}).ok());
  CHECK(IsLogMisbehaviour(OpenLog(dir.path() / "b", head_file).status()));
  CHECK(OpenLog(dir.path() / "a", head_file).ok());
}

TEST_CASE("Log: a head file that is missing, empty or of another log refuses the start") {
  const TempDir dir;
  SmallFederation(dir.path()).Found();
  const std::filesystem::path head_file = dir.path() / kHeadFileName;
  const std::string note = Text(head_file);
  REQUIRE(WriteFileAtomic(head_file, {}).ok());
  CHECK(absl::IsFailedPrecondition(OpenLog(dir.path()).status()));
  REQUIRE(RemoveFileDurably(head_file).ok());
  const absl::Status missing = OpenLog(dir.path()).status();
  CHECK(absl::IsFailedPrecondition(missing));
  CHECK_FALSE(Remedy(missing).empty());
  const SignedHead other =
      *SignHead({.origin = kOrigin, .size = 0, .root = EmptyRoot()}, KeyOfSeed(7));
  REQUIRE(WriteFileAtomic(head_file, AsBytes(other.note)).ok());
  CHECK(absl::IsFailedPrecondition(OpenLog(dir.path()).status()));
  REQUIRE(WriteFileAtomic(head_file, AsBytes(note)).ok());
  CHECK(OpenLog(dir.path()).ok());
}

TEST_CASE(
    "Log: a crash between head and head file, or before the first head file, heals at the next "
    "start") {
  const TempDir dir;
  const std::filesystem::path head_file = dir.path() / kHeadFileName;
  REQUIRE(OpenLog(dir.path()).ok());
  REQUIRE(RemoveFileDurably(head_file).ok());
  REQUIRE(OpenLog(dir.path()).ok());  // one head, which never left
  const std::string old_note = Text(head_file);
  SmallFederation federation(dir.path());
  federation.Found();
  const std::string note = federation.log().Head().note;
  federation.Close();
  REQUIRE(WriteFileAtomic(head_file, AsBytes(old_note)).ok());
  CHECK(OpenLog(dir.path()).value()->Head().note == note);
  CHECK(Text(head_file) == note);
}

TEST_CASE("Log: records committed without a head are covered by the next one") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const std::string note = federation.log().Head().note;
  federation.Close();
  // As a crash leaves it after the batch and before the head. The head file is older still.
  Execute(dir.path(), "DELETE FROM heads WHERE size >= 3");
  const SignedHead older =
      *SignHead({.origin = kOrigin, .size = 0, .root = EmptyRoot()}, KeyOfSeed(1));
  REQUIRE(WriteFileAtomic(dir.path() / kHeadFileName, AsBytes(older.note)).ok());
  CHECK(OpenLog(dir.path()).value()->Head().note == note);
}

TEST_CASE("Log: damage in what heads cover refuses the start or names the index") {
  const auto [sql, at_open] = GENERATE(table<const char*, bool>({
      {"DELETE FROM records WHERE idx = 4", true},                        // a lost tail
      {"UPDATE tiles SET hashes = zeroblob(160) WHERE level = 0", true},  // another tree
      {"UPDATE tiles SET hashes = substr(hashes, 1, 64)", true},          // a short tile
      {"UPDATE heads SET note = 'x' WHERE size = 5", true},               // no head
      {"UPDATE heads SET root = zeroblob(32) WHERE size = 5", true},      //
      {"DELETE FROM heads WHERE size = 5; UPDATE records SET entry = CAST('x' AS BLOB) WHERE idx = "
       "4",
       true},  // an unsigned tail
      {"UPDATE records SET statement = CAST('x' AS BLOB) WHERE idx = 3", false},
      {"UPDATE records SET entry = CAST('x' AS BLOB) WHERE idx = 3", false},
  }));
  CAPTURE(sql);
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Close();
  Execute(dir.path(), absl::StrCat("PRAGMA ignore_check_constraints=ON;", sql).c_str());
  const auto log = OpenLog(dir.path());
  CHECK(log.ok() != at_open);
  if (log.ok()) {
    const absl::Status walked = (*log)->ForEachRecord(
        0, [](std::uint64_t, const v1::SignedRecord&) { return absl::OkStatus(); });
    CHECK(IsLogMisbehaviour(walked));
    CHECK(walked.message().find("record 3") != absl::string_view::npos);
  }
}

TEST_CASE("Log: a failed append closes the log") {
  const TempDir dir;
  const TempDir other_disk;
  std::filesystem::create_directory(other_disk.path() / "d");
  SmallFederation federation(dir.path(), other_disk.path() / "d" / "head");
  federation.Found();
  std::filesystem::remove_all(other_disk.path() / "d");  // the head file can no longer be written
  CHECK_FALSE(federation.log().Append({federation.Filler()}).ok());
  CHECK(federation.log().closed());
  std::filesystem::create_directory(other_disk.path() / "d");
  CHECK(absl::IsFailedPrecondition(federation.log().Append({federation.Filler()}).status()));
  CHECK(federation.size() == 5);  // the head that never left is not shown
}

TEST_CASE("Log: a head that others hold is checked against what it holds") {
  const TempDir dir;
  const TempDir copy;
  SmallFederation federation(dir.path());
  federation.Found();
  const std::string held = federation.log().Head().note;
  CHECK(federation.log().CheckOwnHead(held).ok());
  const SignedHead forged =
      *SignHead({.origin = kOrigin, .size = 3, .root = EmptyRoot()}, KeyOfSeed(7));
  CHECK(absl::IsUnauthenticated(federation.log().CheckOwnHead(forged.note)));
  CHECK_FALSE(federation.log().closed());

  SECTION("a larger one that it signed: the state was rolled back") {
    const SignedHead larger =
        *SignHead({.origin = kOrigin, .size = 9, .root = EmptyRoot()}, KeyOfSeed(1));
    CHECK(IsLogMisbehaviour(federation.log().CheckOwnHead(larger.note)));
    CHECK(absl::IsFailedPrecondition(federation.log().Append({federation.Filler()}).status()));
  }
  SECTION("one of another history") {
    const SignedHead other =
        *SignHead({.origin = kOrigin, .size = 3, .root = EmptyRoot()}, KeyOfSeed(1));
    CHECK(IsLogMisbehaviour(federation.log().CheckOwnHead(other.note)));
    CHECK(federation.log().closed());
  }
}

TEST_CASE("Log: `seen` is a prefix, or it is not") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  v1::Seen seen;
  seen.set_origin(kOrigin);
  seen.set_size(3);
  seen.set_root(ToString(*federation.log().Root(3)));
  CHECK(federation.log().CheckSeen(seen).ok());
  seen.set_size(4);
  CHECK(absl::IsFailedPrecondition(federation.log().CheckSeen(seen)));
  seen.set_size(6);
  CHECK(absl::IsFailedPrecondition(federation.log().CheckSeen(seen)));
  seen.set_size(3);
  seen.set_origin("other.test/log");
  CHECK(absl::IsFailedPrecondition(federation.log().CheckSeen(seen)));
  CHECK_FALSE(federation.log().closed());
}

TEST_CASE("Log: readers on other threads see whole prefixes while one appends") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  std::atomic<bool> stop = false;
  std::atomic<int> failures = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&federation, &stop, &failures] {
      do {
        const SignedHead head = federation.log().Head();
        const std::uint64_t size = head.head.size;
        const auto root = federation.log().Root(size);
        failures += root.ok() && *root == head.head.root &&
                            federation.log().ReadRecord(size - 1).ok() &&
                            federation.log().InclusionProof(size - 1, size).ok()
                        ? 0
                        : 1;
      } while (!stop);
    });
  }
  bool appended = true;
  for (int i = 0; i < 20; ++i) {
    appended = federation.log().Append({federation.Filler(), federation.Filler()}).ok() && appended;
  }
  stop = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  CHECK(appended);
  CHECK(failures == 0);
  CHECK(federation.size() == 45);
}

TEST_CASE("Log: tools read a state folder beside the process that writes it") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  const auto view = *LogView::OpenReadOnly(dir.path());
  CHECK(view->Size() == 5);
  CHECK(view->key().Vkey() == federation.log().key().Vkey());
  federation.Round();
  CHECK(view->Size() == 5);
  CHECK(view->Prove(4)->record.SerializeAsString() ==
        [&federation] {
          v1::ProvenRecord record;
          *record.mutable_record() = *federation.log().ReadRecord(4);
          *record.mutable_proof() = *federation.log().InclusionProof(4, 5);
          return record;
        }()
            .SerializeAsString());
  CHECK(absl::IsNotFound(LogView::OpenReadOnly(dir.path() / "nowhere").status()));
}

}  // namespace
}  // namespace carnet::ledger
