// A log that lost records: what of it still counts, and who believes the one that takes its place.
#include "ledger/salvage.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ledger/export.h"
#include "ledger/log.h"
#include "ledger/manifest.h"
#include "ledger/readers/directory_source.h"
#include "ledger/sqlite.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/whole_log.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

void Execute(const std::filesystem::path& state, const std::string& sql) {
  const auto connection = *SqliteConnection::Open(state / kStoreFileName, true);
  REQUIRE(connection->Execute(sql.c_str()).ok());
}

// A log of 5 records and then 3 batches of one, closed; its heads after each.
std::vector<SignedHead> FoundAndClose(const std::filesystem::path& state) {
  SmallFederation federation(state);
  federation.Found();
  std::vector<SignedHead> heads = {federation.log().Head()};
  for (int i = 0; i < 3; ++i) {
    REQUIRE(federation.log().Append({federation.Filler()}).ok());
    heads.push_back(federation.log().Head());
  }
  return heads;
}

TEST_CASE("Salvage: a whole log is held whole, and extends each of its heads") {
  const TempDir dir;
  const std::vector<SignedHead> heads = FoundAndClose(dir.path());
  const auto held = HeldLog::Open(dir.path());
  REQUIRE(held.ok());
  REQUIRE(held->last_held().has_value());
  CHECK(held->last_held()->note == heads.back().note);
  for (const SignedHead& head : heads) {
    CHECK(*held->Extends(head.head));
  }
  Head other = heads[1].head;
  other.root[0] ^= 1;
  CHECK_FALSE(*held->Extends(other));
  std::uint64_t records = 0;
  CHECK(held->ForEachRecord([&](std::uint64_t index, const v1::SignedRecord&) {
              CHECK(index == records++);
              return absl::OkStatus();
            })
            .ok());
  CHECK(records == heads.back().head.size);
}

TEST_CASE("Salvage: without its tail, or with a damaged record, a log is held up to there") {
  const TempDir dir;
  const std::vector<SignedHead> heads = FoundAndClose(dir.path());
  const std::uint64_t lost = heads[2].head.size - 1;  // the record that heads[2] covers first
  const bool damaged = GENERATE(false, true);
  Execute(dir.path(),
          damaged ? absl::StrCat("UPDATE records SET entry = CAST('{}' AS BLOB) WHERE idx = ", lost)
                  : absl::StrCat("DELETE FROM records WHERE idx >= ", lost));
  const auto held = HeldLog::Open(dir.path());
  REQUIRE(held.ok());
  REQUIRE(held->last_held().has_value());
  CHECK(held->last_held()->note == heads[1].note);
  CHECK(*held->Extends(heads[1].head));
  CHECK_FALSE(*held->Extends(heads[2].head));
  CHECK_FALSE(*held->Extends(heads[3].head));
}

TEST_CASE("Salvage: records that no signed head covers do not count") {
  const TempDir dir;
  const std::vector<SignedHead> heads = FoundAndClose(dir.path());
  Execute(dir.path(), absl::StrCat("DELETE FROM heads WHERE size > ", heads[1].head.size));
  const auto held = HeldLog::Open(dir.path());
  REQUIRE(held.ok());
  CHECK(held->last_held()->note == heads[1].note);
  const TempDir empty;
  CHECK(absl::IsNotFound(HeldLog::Open(empty.path()).status()));
}

TEST_CASE("Succession: a log that takes the place of another is believed by an explicit line") {
  const TempDir dir;
  const TempDir out;
  SmallFederation federation(dir.path());
  federation.SetTamper([](google::protobuf::Message& predicate, SmallFederation::Signer&) {
    if (auto* genesis = dynamic_cast<v1::Genesis*>(&predicate); genesis != nullptr) {
      genesis->mutable_succeeds()->set_origin("old.test/log");
    }
  });
  federation.Found();
  federation.Round();
  REQUIRE(ExportTiles(federation.log(), out.path(), {.statements = true}).ok());
  const Bytes manifest = *MakeManifest(federation.log(), federation.Order());
  const std::string text = federation.PolicyText();
  for (const std::string line : {"", "# succeeds other.test/log\n", "# succeeds\n",
                                 "#   # succeeds old.test/log\n", "# succeeds old.test/log\n"}) {
    CAPTURE(line);
    const bool accepted = line == "# succeeds old.test/log\n";
    const auto policy = verifier::ParseTrustPolicy(text + line);
    REQUIRE(policy.ok());
    DirectorySource source(out.path());
    const auto verdict = verifier::VerifyWholeLog(source, *policy, {});
    CHECK(verdict.failure.has_value() != accepted);
    if (!accepted) {
      CHECK(verdict.failure->index == 0u);
      CHECK(absl::StrContains(verdict.failure->status.message(), "# succeeds old.test/log"));
    }
    const auto report = verifier::VerifyManifest(federation.model(), manifest, *policy);
    CHECK((report.verdict == verifier::Verdict::kGood) == accepted);
    CHECK((report.checks.back().name == "genesis") != accepted);
  }
}

}  // namespace
}  // namespace carnet::ledger
