#include "worker/journal.h"

#include <catch2/catch.hpp>

#include "base/files.h"
#include "tests/unit/worker/test_support.h"

namespace carnet::worker {
namespace {

TEST_CASE("Journal: an upload counts only with its whole file and for its own task") {
  const TestDirectory directory;
  auto journal = Journal::Open(directory.path(), "train/a/1/1");
  REQUIRE(journal.ok());
  CHECK_FALSE(journal->Upload("train/a/1/1")->has_value());
  v1::UploadOpen open;
  open.set_task_id("train/a/1/1");
  open.set_sealed_bytes(3);
  v1::Contribution draft;
  draft.set_steps(5);
  REQUIRE(journal->KeepUpload(open, draft).ok());
  CHECK_FALSE(journal->Upload("train/a/1/1")->has_value());
  REQUIRE(WriteFileAtomic(journal->sealed(), AsBytes("ab")).ok());
  CHECK_FALSE(journal->Upload("train/a/1/1")->has_value());
  REQUIRE(WriteFileAtomic(journal->sealed(), AsBytes("abc")).ok());
  CHECK(journal->Upload("train/a/1/1")->has_value());
  CHECK_FALSE(journal->Upload("train/a/1/2")->has_value());
  CHECK(journal->Draft()->steps() == 5);
}

TEST_CASE("Journal: the record that was signed is there after a restart") {
  const TestDirectory directory;
  v1::SignedRecord record;
  record.set_statement("s");
  {
    auto journal = Journal::Open(directory.path(), "t");
    REQUIRE(journal.ok());
    CHECK_FALSE(journal->Record()->has_value());
    REQUIRE(journal->KeepRecord(record).ok());
  }
  auto journal = Journal::Open(directory.path(), "t");
  REQUIRE(journal.ok());
  REQUIRE(journal->Record()->has_value());
  CHECK((*journal->Record())->statement() == "s");
}

TEST_CASE("Journal: the end of a task and a sweep remove it, others stay") {
  const TestDirectory directory;
  REQUIRE(Journal::Open(directory.path(), "a").ok());
  auto keep = Journal::Open(directory.path(), "b");
  REQUIRE(keep.ok());
  REQUIRE(keep->KeepRecord({}).ok());
  REQUIRE(Journal::Sweep(directory.path(), "b").ok());
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
  REQUIRE(keep->Remove().ok());
  REQUIRE(keep->Remove().ok());
  CHECK(std::filesystem::is_empty(directory.path()));
}

}  // namespace
}  // namespace carnet::worker
