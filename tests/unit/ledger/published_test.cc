#include "ledger/published.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "base/files.h"
#include "base/status.h"
#include "ledger/bundle.h"
#include "ledger/errors.h"
#include "ledger/export.h"
#include "ledger/log.h"
#include "ledger/manifest.h"
#include "ledger/verifier/tlog_proof.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::KeyOfSeed;
using testing_ledger::kOrigin;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

TEST_CASE("Published: without witnesses every signed head is published at once") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  CHECK_FALSE(federation.log().witnessed());
  CHECK(federation.log().PublishedHead()->note == federation.log().Head().note);
  CHECK_FALSE(federation.log().Publish(federation.log().Head().note).ok());
}

TEST_CASE("Published: with witnesses nothing is published, exported or proven before the policy") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  federation.Found();
  REQUIRE(federation.log().SetWitnessed(true).ok());
  CHECK(absl::IsNotFound(federation.log().PublishedHead().status()));
  CHECK(absl::IsNotFound(federation.log().ProvePublished(0).status()));
  CHECK(absl::IsNotFound(ExportTiles(federation.log(), out.path() / "t").status()));
  CHECK(absl::IsNotFound(MakeManifest(federation.log(), federation.Order()).status()));
  const auto reader = *LogView::OpenReadOnly(dir.path());
  CHECK(reader->witnessed());
  CHECK(absl::IsNotFound(reader->PublishedHead().status()));
}

TEST_CASE("Published: a published head stays when records follow, and after a restart") {
  const TempDir dir;
  const TempDir out;
  std::string note;
  {
    SmallFederation federation(dir.path());
    federation.Found();
    REQUIRE(federation.log().SetWitnessed(true).ok());
    note = federation.log().Head().note;
    REQUIRE(federation.log().Publish(note).ok());
    federation.Round();
    CHECK(federation.log().Head().note != note);
    CHECK(federation.log().PublishedHead()->note == note);
    CHECK(ExportTiles(federation.log(), out.path() / "t")->size == 5);
    CHECK(federation.log().ProvePublished(4)->head.note == note);
    CHECK(absl::IsOutOfRange(federation.log().ProvePublished(5).status()));
  }
  const auto log =
      *Log::Open({.state_dir = dir.path(), .head_file = {}, .origin = kOrigin}, KeyOfSeed(1));
  CHECK(log->witnessed());
  CHECK(log->PublishedHead()->note == note);
  CHECK((*LogView::OpenReadOnly(dir.path()))->PublishedHead()->note == note);
  REQUIRE(log->SetWitnessed(false).ok());
  CHECK(log->PublishedHead()->note == log->Head().note);
  CHECK_FALSE(std::filesystem::exists(dir.path() / kPublishedFileName));
}

TEST_CASE("Tlog-proof: what is exported verifies under the policy, and nothing changed does") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  const LogView::Proven proven = *federation.log().ProvePublished(7);
  const std::string text = *TlogProof(proven.record.proof(), proven.head);
  const Digest leaf = OpenRecord(proven.record.record())->leaf_hash;
  const auto proof = *verifier::ParseTlogProof(text);
  CHECK(proof.index == 7);
  CHECK(verifier::VerifyTlogProof(proof, leaf, federation.Policy())->operator_only);
  const std::string extra = absl::StrReplaceAll(text, {{"index 7", "extra AAAA\nindex 7"}});
  CHECK(
      verifier::VerifyTlogProof(*verifier::ParseTlogProof(extra), leaf, federation.Policy()).ok());
  Digest other = leaf;
  other[0] ^= 1;
  CHECK_FALSE(verifier::VerifyTlogProof(proof, other, federation.Policy()).ok());
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"@v1", "@v2"},
                                                        {"index 7", "index 07"},
                                                        {"index 7", "index -7"},
                                                        {"index 7", "index 6"},
                                                        {"index 7", "index"},
                                                        {"index 7", "extra !\nindex 7"},
                                                        {"index 7\n", "index 7\nAAAA\n"},
                                                        {"index 7\n", "index 7\n\n"}}) {
    CAPTURE(from, to);
    const auto changed = verifier::ParseTlogProof(absl::StrReplaceAll(text, {{from, to}}));
    CHECK((!changed.ok() || !verifier::VerifyTlogProof(*changed, leaf, federation.Policy()).ok()));
  }
}

TEST_CASE("Published: never a smaller head, and never one of somebody else") {
  const TempDir dir;
  const TempDir other;
  SmallFederation federation(dir.path());
  federation.Found();
  REQUIRE(federation.log().SetWitnessed(true).ok());
  const std::string old_note = federation.log().Head().note;
  federation.Round();
  REQUIRE(federation.log().Publish(federation.log().Head().note).ok());
  CHECK(absl::IsFailedPrecondition(federation.log().Publish(old_note)));
  CHECK(absl::IsInvalidArgument(federation.log().Publish("nothing")));
  // The same size again: fresh cosignatures.
  CHECK(federation.log().Publish(federation.log().Head().note).ok());
}

TEST_CASE("Published: a log that holds less than it published does not open") {
  const TempDir dir;
  const TempDir old;
  {
    SmallFederation federation(dir.path());
    federation.Found();
    REQUIRE(federation.log().SetWitnessed(true).ok());
    federation.Close();
    std::filesystem::copy(dir.path() / kStoreFileName, old.path() / kStoreFileName);
    std::filesystem::copy(dir.path() / kHeadFileName, old.path() / kHeadFileName);
  }
  {
    const auto log =
        *Log::Open({.state_dir = dir.path(), .head_file = {}, .origin = kOrigin}, KeyOfSeed(1));
    SmallFederation sign_only(TempDir().path());
    REQUIRE(log->Append({sign_only.Filler()}).ok());
    REQUIRE(log->Publish(log->Head().note).ok());
  }
  std::filesystem::remove(dir.path() / "ledger.db-wal");
  std::filesystem::remove(dir.path() / "ledger.db-shm");
  const auto overwrite = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy(old.path() / kStoreFileName, dir.path() / kStoreFileName, overwrite);
  std::filesystem::copy(old.path() / kHeadFileName, dir.path() / kHeadFileName, overwrite);
  const auto log =
      Log::Open({.state_dir = dir.path(), .head_file = {}, .origin = kOrigin}, KeyOfSeed(1));
  CHECK(IsLogMisbehaviour(log.status()));
  const auto reader = LogView::OpenReadOnly(dir.path());
  CHECK(IsLogMisbehaviour(reader.status()));
}

TEST_CASE("Published: a file that holds no head of the log is named") {
  const TempDir dir;
  {
    SmallFederation federation(dir.path());
    federation.Found();
  }
  REQUIRE(WriteFileAtomic(dir.path() / kPublishedFileName, AsBytes("something else")).ok());
  const auto log =
      Log::Open({.state_dir = dir.path(), .head_file = {}, .origin = kOrigin}, KeyOfSeed(1));
  REQUIRE(absl::IsDataLoss(log.status()));
  CHECK_FALSE(IsLogMisbehaviour(log.status()));
  CHECK(OperatorDetail(log.status()).find(kPublishedFileName) != std::string::npos);
}

}  // namespace
}  // namespace carnet::ledger
