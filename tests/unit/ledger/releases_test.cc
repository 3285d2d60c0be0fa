// Models that went to somebody: what a manifest holds of it (ledger/verifier/releases.h), and what
// a whole log answers (ledger/query/contents.h).
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/timestamp.h"
#include "ledger/export.h"
#include "ledger/manifest.h"
#include "ledger/query/contents.h"
#include "ledger/readers/directory_source.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/whole_log.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using query::Contents;
using query::ModelAnswer;
using query::Question;
using testing_ledger::DigestOf;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;
using verifier::ManifestReport;
using verifier::Verdict;
using Signer = SmallFederation::Signer;
using Indexes = std::vector<std::uint64_t>;

constexpr char kPerson[] = "u-eeeeeeeeeeeeeeee";

// genesis 0, user 1, workers 2 and 3, job 4, one round (5 to 9).
class Fixture {
 public:
  Fixture() : federation_(dir_.path()) {
    federation_.Found();
    federation_.Round();
  }

  // To the person, of the newest model, as policies of `revision` with that bundle allowed it.
  v1::Release Draft() {
    v1::Release release;
    release.set_job_id(federation_.job_id());
    release.set_round(rounds_);
    release.set_model_sha256(ToString(federation_.model()));
    release.set_released_to(kPerson);
    release.set_jurisdiction("DE");
    release.set_recipient("acme");
    for (const char* shard : {"1", "2"}) {
      release.add_shards(std::string("digits/") + shard);
      release.add_shard_sha256(ToString(DigestOf(std::string("digits/") + shard)));
    }
    *release.mutable_basis() = basis();
    return release;
  }
  std::uint64_t Append(v1::Release release) {
    return federation_.Append(release, Signer::kCoordinator);
  }
  void Round() {
    federation_.Round();
    ++rounds_;
  }
  std::uint64_t Complete() {
    v1::JobCompleted completed;
    completed.set_job_id(federation_.job_id());
    completed.set_model_sha256(ToString(federation_.model()));
    return federation_.Append(completed, Signer::kCoordinator,
                              {{.name = "spec", .sha256 = DigestOf("spec")}});
  }
  ManifestReport Verify() {
    return verifier::VerifyManifest(federation_.model(),
                                    *MakeManifest(federation_.log(), federation_.Order()),
                                    federation_.Policy());
  }
  std::vector<ModelAnswer> Ask(const Question& question) {
    const TempDir out;
    const auto folder = out.path() / "log";
    REQUIRE(ExportTiles(federation_.log(), folder, {.statements = true}).ok());
    DirectorySource source(folder);
    Contents contents(question);
    const auto verdict = verifier::VerifyWholeLog(source, federation_.Policy(), {},
                                                  [&contents](const verifier::TakenRecord& taken) {
                                                    contents.Visit(taken.index, taken.record);
                                                  });
    CHECK_FALSE(verdict.failure.has_value());
    return contents.answers();
  }
  // As the newest round was opened under.
  v1::DecisionBasis basis() {
    for (std::uint64_t index = federation_.size(); index-- > 0;) {
      const Record record = *OpenRecord(*federation_.log().ReadRecord(index));
      if (const auto* opened = record.As<v1::RoundOpened>(); opened != nullptr) {
        return opened->basis();
      }
    }
    FAIL("no round");
    return {};
  }
  SmallFederation& federation() { return federation_; }

 private:
  const TempDir dir_;
  SmallFederation federation_;
  std::uint32_t rounds_ = 1;
};

TEST_CASE("Releases: a manifest names who its model went to, where, when and by which policies") {
  Fixture fixture;
  CHECK(fixture.Verify().releases.empty());
  CHECK(fixture.Verify().checks.back().name == "lineage");
  const std::uint64_t first = fixture.Append(fixture.Draft());
  fixture.federation().ActivatePolicies("second bundle");
  v1::Release again = fixture.Draft();
  again.mutable_basis()->set_bundle_sha256(ToString(DigestOf("second bundle")));
  again.mutable_basis()->set_revision(2);
  again.set_jurisdiction("FR");
  const std::uint64_t second = fixture.Append(again);
  const ManifestReport report = fixture.Verify();
  REQUIRE(report.verdict == Verdict::kGood);
  CHECK(report.checks.back().name == "releases");
  REQUIRE(report.releases.size() == 2);
  CHECK(report.releases[0].index == first);
  CHECK(report.releases[0].to == kPerson);
  CHECK(report.releases[0].jurisdiction == "DE");
  CHECK(report.releases[0].recipient == "acme");
  CHECK(report.releases[0].revision == 1);
  // The fixture's clock: a second for each record, from 1'790'000'001 on.
  CHECK(report.releases[0].at ==
        absl::FromUnixSeconds(1'790'000'001 + static_cast<std::int64_t>(first)));
  CHECK(report.releases[1].index == second);
  CHECK(report.releases[1].revision == 2);
  CHECK(report.releases[1].bundle_sha256 == DigestOf("second bundle"));
  // The compact form keeps them.
  const auto full = verifier::ParseManifest(
      *MakeManifest(fixture.federation().log(), fixture.federation().Order()));
  REQUIRE(full.ok());
  const auto compact = verifier::CompactForm(*full, report.head.size);
  REQUIRE(compact.ok());
  CHECK(compact->leaves.size() == 2);
  CHECK(compact->records.size() == full->records.size() - 2);
}

TEST_CASE("Releases: of an earlier round's model they are another model's") {
  Fixture fixture;
  fixture.Append(fixture.Draft());
  fixture.Round();
  const ManifestReport report = fixture.Verify();
  CHECK(report.verdict == Verdict::kGood);
  CHECK(report.releases.empty());
}

TEST_CASE("Releases: one that does not fit the lineage is found") {
  struct Lie {
    const char* what;
    std::function<void(v1::Release&)> change;
    Verdict verdict;
  };
  const std::vector<Lie> lies = {
      {"another round", [](v1::Release& release) { release.set_round(2); }, Verdict::kBadEvidence},
      {"a shard left out",
       [](v1::Release& release) {
         release.mutable_shards()->RemoveLast();
         release.mutable_shard_sha256()->RemoveLast();
       },
       Verdict::kBadEvidence},
      {"another shard's digest",
       [](v1::Release& release) { release.set_shard_sha256(0, ToString(DigestOf("digits/9"))); },
       Verdict::kBadEvidence},
      {"other policies",
       [](v1::Release& release) {
         release.mutable_basis()->set_bundle_sha256(ToString(DigestOf("another bundle")));
       },
       Verdict::kBadEvidence},
      {"policies that no record put into force",
       [](v1::Release& release) { release.mutable_basis()->set_revision(2); },
       Verdict::kCannotDecide},
      {"a person who is not in the manifest",
       [](v1::Release& release) { release.set_released_to("u-ffffffffffffffff"); },
       Verdict::kCannotDecide}};
  for (const Lie& lie : lies) {
    INFO(lie.what);
    Fixture fixture;
    v1::Release release = fixture.Draft();
    lie.change(release);
    const std::uint64_t index = fixture.Append(release);
    const ManifestReport report = fixture.Verify();
    CHECK(report.verdict == lie.verdict);
    CHECK(report.checks.back().name == "releases");
    CHECK(report.checks.back().index == index);
  }
}

TEST_CASE(
    "Contents: a released model is named with whom it went to, and the records that show it") {
  Fixture fixture;
  CHECK(fixture.Ask({.region = "sg"}).empty());
  const std::uint64_t during = fixture.Append(fixture.Draft());
  const auto before = fixture.Ask({.region = "sg"});
  REQUIRE(before.size() == 1);
  CHECK_FALSE(before[0].completed.has_value());
  CHECK(before[0].round == 1);
  REQUIRE(before[0].releases.size() == 1);
  CHECK(before[0].releases[0].index == during);
  CHECK(before[0].releases[0].to == kPerson);
  CHECK(before[0].releases[0].revision == 1);
  CHECK(before[0].evidence == Indexes{0, 1, 2, 4, 5, 6, 8, 9, during});
  const std::uint64_t completed = fixture.Complete();
  const std::uint64_t later = fixture.Append(fixture.Draft());
  const auto after = fixture.Ask({.region = "sg"});
  REQUIRE(after.size() == 1);
  CHECK(after[0].completed == completed);
  REQUIRE(after[0].releases.size() == 2);
  CHECK(after[0].releases[1].index == later);
  CHECK(after[0].evidence == Indexes{0, 1, 2, 4, 5, 6, 8, 9, during, completed, later});
  CHECK(fixture.Ask({.region = "br"}).empty());
}

TEST_CASE("Contents: models of several rounds that were released are several answers") {
  Fixture fixture;
  const Digest first = fixture.federation().model();
  fixture.Append(fixture.Draft());
  fixture.Round();
  fixture.Complete();
  const auto answers = fixture.Ask({.worker = "w-bbbbbbbbbbbbbbbb"});
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].model_sha256 == first);
  CHECK(answers[0].contributions == Indexes{6});
  CHECK(answers[0].releases.size() == 1);
  CHECK(answers[1].model_sha256 == fixture.federation().model());
  CHECK(answers[1].round == 2);
  CHECK(answers[1].contributions.size() == 2);
  CHECK(answers[1].releases.empty());
}

TEST_CASE("Contents: a release that was cut on its way says so") {
  Fixture fixture;
  const std::uint64_t release = fixture.Append(fixture.Draft());
  v1::TransferCut cut;
  cut.set_ticket_id("release-" + std::to_string(release));
  cut.set_job_id(fixture.federation().job_id());
  cut.set_reason("shard-withdrawn");
  const std::uint64_t index = fixture.federation().Append(cut, Signer::kCoordinator);
  const auto answers = fixture.Ask({.shard = "digits/1"});
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].releases[0].cut == index);
  CHECK(answers[0].evidence.back() == index);
}

}  // namespace
}  // namespace carnet::ledger
