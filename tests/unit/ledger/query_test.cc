// Finding records by what they name, and models by what they contain: ledger/query/.
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "ledger/export.h"
#include "ledger/query/contents.h"
#include "ledger/query/search.h"
#include "ledger/readers/directory_source.h"
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
using verifier::LogVerdict;

using Indexes = std::vector<std::uint64_t>;

// genesis 0, user 1, workers 2 and 3, job 4; each round: opened, sg, fr, closed, aggregate (5 to 9,
// 10 to 14, ...). The second round's loss adds a rejection.
class Fixture {
 public:
  explicit Fixture(int rounds = 2) : federation_(dir_.path()) {
    federation_.Found();
    for (int i = 0; i < rounds; ++i) {
      federation_.Round();
    }
  }
  void Complete() {
    v1::JobCompleted completed;
    completed.set_job_id(federation_.job_id());
    completed.set_model_sha256(ToString(federation_.model()));
    federation_.Append(completed, SmallFederation::Signer::kCoordinator,
                       {{.name = "spec", .sha256 = DigestOf("spec")}});
  }
  LogVerdict Read(const verifier::RecordTaker& take, bool statements = true) {
    const TempDir out;
    const auto folder = out.path() / "log";
    REQUIRE(ExportTiles(federation_.log(), folder, {.statements = statements}).ok());
    DirectorySource source(folder);
    return verifier::VerifyWholeLog(source, federation_.Policy(), {}, take);
  }
  Indexes Search(const Question& question) {
    query::TermsReader reader;
    Indexes found;
    const LogVerdict verdict = Read([&](const verifier::TakenRecord& taken) {
      if (Matches(question, taken.record.type, reader.Read(taken.record))) {
        found.push_back(taken.index);
      }
    });
    CHECK_FALSE(verdict.failure.has_value());
    CHECK(verdict.report.statements_checked == verdict.report.head.size);
    return found;
  }
  std::vector<ModelAnswer> Ask(const Question& question) {
    Contents contents(question);
    const LogVerdict verdict = Read(
        [&](const verifier::TakenRecord& taken) { contents.Visit(taken.index, taken.record); });
    CHECK_FALSE(verdict.failure.has_value());
    return contents.answers();
  }
  SmallFederation& federation() { return federation_; }

 private:
  const TempDir dir_;
  SmallFederation federation_;
};

TEST_CASE("Search: by type, worker, region, supplier, shard, job, revision and digest") {
  Fixture fixture;
  CHECK(fixture.Search({.type = "aggregate"}) == Indexes{9, 14});
  CHECK(fixture.Search({.type = "contribution", .worker = "w-bbbbbbbbbbbbbbbb"}) == Indexes{6, 11});
  // The enrolment says where a worker is; later records name the worker alone.
  CHECK(fixture.Search({.region = "fr"}) == Indexes{3, 5, 7, 8, 10, 12, 13});
  CHECK(fixture.Search({.type = "worker-enrolled", .supplier = "lion"}) == Indexes{2, 3});
  // A contribution names its shard by digest alone.
  CHECK(fixture.Search({.type = "contribution", .shard = "digits/2"}) == Indexes{7, 12});
  CHECK(fixture.Search({.job = fixture.federation().job_id()}).size() == 11);
  CHECK(fixture.Search({.type = "round-closed", .revision = 1}) == Indexes{8, 13});
  CHECK(fixture.Search({.revision = 2}).empty());
  CHECK(fixture.Search({.artifact = DigestOf("base model")}) == Indexes{4, 5, 6, 7, 8, 9});
  CHECK(fixture.Search({.worker = "w-unknown"}).empty());
  CHECK(fixture.Search({}).size() == 15);
}

TEST_CASE("Search: by time, both ends of which count") {
  Fixture fixture;
  // The fixture's clock: a second for each record, from 1'790'000'001 on.
  const auto at = [](int index) { return absl::FromUnixSeconds(1'790'000'001 + index); };
  CHECK(fixture.Search({.from = at(3), .until = at(5)}) == Indexes{3, 4, 5});
  CHECK(fixture.Search({.from = at(15)}).empty());
}

TEST_CASE("Search: a log without statements is searched in nothing, and says so") {
  Fixture fixture;
  std::uint64_t visited = 0;
  const LogVerdict verdict =
      fixture.Read([&visited](const verifier::TakenRecord&) { ++visited; }, false);
  CHECK_FALSE(verdict.failure.has_value());
  CHECK(visited == 0);
  CHECK(verdict.report.statements_checked == 0);
  CHECK(verdict.report.head.size == 15);
}

TEST_CASE("Contents: a finished model is named with the contributions and records that show it") {
  Fixture fixture;
  CHECK(fixture.Ask({.region = "sg"}).empty());  // nothing left training yet
  fixture.Complete();
  const std::vector<ModelAnswer> answers = fixture.Ask({.region = "sg"});
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].model_sha256 == fixture.federation().model());
  CHECK(answers[0].completed == 15);
  CHECK(answers[0].contributions == Indexes{6, 11});
  CHECK(answers[0].evidence == Indexes{0, 2, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15});
  CHECK(answers[0].inherited_from.empty());
  CHECK(fixture.Ask({.worker = "w-cccccccccccccccc"})[0].contributions == Indexes{7, 12});
  CHECK(fixture.Ask({.shard = "digits/2"})[0].contributions == Indexes{7, 12});
  CHECK(fixture.Ask({.supplier = "lion"})[0].contributions == Indexes{6, 7, 11, 12});
  CHECK(fixture.Ask({.region = "br"}).empty());
}

TEST_CASE("Contents: with a date, contributions before it do not count, later rounds show them") {
  Fixture fixture;
  fixture.Complete();
  const absl::Time second_round = absl::FromUnixSeconds(1'790'000'001 + 10);
  const auto answers = fixture.Ask({.region = "sg", .from = second_round});
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].contributions == Indexes{11});
  CHECK(fixture.Ask({.region = "sg", .from = second_round + absl::Seconds(9)}).empty());
}

TEST_CASE("Contents: a contribution that no aggregate took in is in no model") {
  Fixture fixture(0);
  fixture.federation().Round(SmallFederation::Loss::kSecondAfterClose);
  fixture.Complete();
  CHECK(fixture.Ask({.region = "sg"}).size() == 1);
  CHECK(fixture.Ask({.region = "fr"}).empty());
}

TEST_CASE("Contents: a shard withdrawn before or after the end is named with its record") {
  Fixture fixture;
  const auto withdraw = [&](const std::string& shard) {
    v1::ShardWithdrawn withdrawn;
    withdrawn.set_dataset("digits");
    withdrawn.set_shard(shard);
    withdrawn.set_sha256(ToString(DigestOf("digits/" + shard)));
    withdrawn.set_reason("licence-ended");
    return fixture.federation().Append(withdrawn, SmallFederation::Signer::kCoordinator);
  };
  const std::uint64_t before = withdraw("1");
  fixture.Complete();
  const std::uint64_t after = withdraw("2");
  withdraw("3");
  const auto answers = fixture.Ask({.supplier = "lion"});
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].withdrawn ==
        std::map<std::string, std::uint64_t>{{"digits/1", before}, {"digits/2", after}});
  CHECK(answers[0].evidence.back() == after);
  CHECK(fixture.Ask({.shard = "digits/2"})[0].withdrawn.size() == 1);
}

TEST_CASE("Contents: a job on a trained model has what that model contains") {
  Fixture fixture;
  fixture.Complete();
  v1::JobSubmitted job;
  job.set_job_id("j-second");
  job.mutable_spec()->set_job("second");
  job.set_model_sha256(ToString(fixture.federation().model()));
  job.set_submitter("u-eeeeeeeeeeeeeeee");
  job.set_spec_sha256(ToString(SmallFederation::SpecDigest(job.spec())));
  fixture.federation().Append(job, SmallFederation::Signer::kUser);
  v1::JobCompleted completed;
  completed.set_job_id("j-second");
  completed.set_model_sha256(job.model_sha256());
  fixture.federation().Append(completed, SmallFederation::Signer::kCoordinator,
                              {{.name = "spec", .sha256 = DigestOf("spec")}});
  const auto answers = fixture.Ask({.region = "sg"});
  REQUIRE(answers.size() == 2);
  CHECK(answers[1].job_id == "j-second");
  CHECK(answers[1].contributions == Indexes{6, 11});
  CHECK(answers[1].inherited_from == std::set<std::string>{fixture.federation().job_id()});
}

}  // namespace
}  // namespace carnet::ledger
