// Models that are on their way to a person when what allowed it no longer does.
#include "base/timestamp.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/release.h"
#include "coordinator/core/transfers.h"
#include "scenario/audit_world.h"
#include "scenario/release_people.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using ledger::verifier::Verdict;

// A person in the Emirates to whom a model of people in three places goes.
struct Way {
  explicit Way(std::uint64_t seed) : world(WorldWithEvidence(seed)) {
    person = EnrolAt(world, 3, "AE", "falcon");
    job = TrainWhole(world, 1);
    release = AllowedBy(world, ReleaseModel{person, job, 0});
  }
  CutTransfer Cut(std::uint64_t bytes = 7) const {
    return {"", "", ReleaseTicket(release), false, bytes};
  }
  Standing Look() const {
    std::uint64_t counter = 0;
    const Bytes seed(32);
    return StandingOf(world.state(), {"", "", ReleaseTicket(release), false}, world.now(), seed,
                      &counter);
  }
  // The cut that is decided now, which must be.
  const v1::TransferCut& CutNow() {
    const auto done = world.Do(Cut());
    INFO(done.status().ToString());
    REQUIRE(done.ok());
    return world.At<v1::TransferCut>(*done->answer_index);
  }
  void WithdrawPaper() {
    for (const auto& [id, item] : world.state().evidence) {
      if (item.terms.kind() == "tia" && item.terms.recipient() == "falcon") {
        REQUIRE(world.Do(WithdrawEvidence{kOperator, id}).ok());
        return;
      }
    }
    FAIL("no paper");
  }
  void ExpectVerdict(Verdict verdict) const {
    const Report report = AuditWorld(world);
    INFO(TextOf(report));
    CHECK(report.verdict == verdict);
  }

  World world;
  std::string person;
  std::string job;
  std::uint64_t release = 0;
};

TEST_CASE("Release cut: a model whose rules still hold goes on") {
  Way way(351);
  CHECK(way.Look().kind == Standing::Kind::kMayMove);
  CHECK(way.world.Do(way.Cut()).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(way.world.Do(CutTransfer{"", "", "release-0", false, 1}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
}

TEST_CASE(
    "Release cut: for each reason, on record with its bytes, and decided again by the audit") {
  Way way(352);
  SECTION("a paper is withdrawn") {
    way.WithdrawPaper();
    const v1::TransferCut& cut = way.CutNow();
    CHECK(cut.reason() == reasons::kRefused);
    CHECK(cut.job_id() == way.job);
    CHECK(cut.round() == 1);
    CHECK(cut.direction() == "download");
    CHECK(cut.bytes_crossed() == 7);
    CHECK(cut.decisions_size() > 0);
  }
  SECTION("a shard is withdrawn") {
    REQUIRE(way.world.Do(WithdrawShard{kOperator, "digits", "sg", "subject-request"}).ok());
    CHECK(way.CutNow().reason() == reasons::kShardWithdrawn);
  }
  SECTION("the person is no operator any more") {
    REQUIRE(way.world.Do(RevokeRole{kOperator, way.person, "operator"}).ok());
    CHECK(way.CutNow().reason() == kUserRevoked);
  }
  SECTION("the person left") {
    REQUIRE(way.world.Do(RevokeUser{kOperator, way.person, "left"}).ok());
    CHECK(way.CutNow().reason() == kUserRevoked);
  }
  CHECK(way.Look().kind == Standing::Kind::kOver);
  CHECK(way.world.Do(way.Cut()).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(way.world.Refold().cut_tickets == way.world.state().cut_tickets);
  way.ExpectVerdict(Verdict::kGood);
}

TEST_CASE("Release cut: what was cut is another release when it is allowed again") {
  Way way(353);
  way.WithdrawPaper();
  way.CutNow();
  const ByteView model = way.world.state().jobs.at(way.job).model_sha256;
  CHECK(LiveRelease(way.world.state(), way.person, model, way.world.now()) == nullptr);
  way.world.AddEvidence("tia", "falcon", "AE");
  CHECK(AllowedBy(way.world, ReleaseModel{way.person, way.job, 0}) > way.release);
  CHECK(LiveRelease(way.world.state(), way.person, model, way.world.now()) != nullptr);
  way.ExpectVerdict(Verdict::kGood);
}

TEST_CASE("Release cut: a day later it is over, and nothing is put on record") {
  Way way(354);
  way.world.Advance(kReleaseLife);
  CHECK(way.Look().kind == Standing::Kind::kOver);
  CHECK(way.world.Find("transfer-cut").empty());
}

TEST_CASE("Release cut: the audit finds one that names no release, another job, or no reason") {
  Way way(355);
  v1::TransferCut cut;
  way.world.FillCommon(cut.mutable_common());
  cut.set_ticket_id(ReleaseTicket(way.release));
  cut.set_job_id(way.job);
  cut.set_round(1);
  cut.set_direction("download");
  const auto expect_found = [&] {
    way.world.Forge(cut, way.world.statement_key());
    way.ExpectVerdict(Verdict::kBadEvidence);
  };
  SECTION("no release") {
    cut.set_ticket_id("release-1");
    expect_found();
  }
  SECTION("another round") {
    REQUIRE(way.world.Do(RevokeUser{kOperator, way.person, "left"}).ok());
    cut.set_round(2);
    cut.set_reason("user-revoked");
    expect_found();
  }
  SECTION("a person who may have it") {
    cut.set_reason("user-revoked");
    expect_found();
  }
  SECTION("no shard was withdrawn") {
    cut.set_reason("shard-withdrawn");
    expect_found();
  }
  SECTION("no flow was denied") {
    cut.set_reason("refused");
    expect_found();
  }
}

}  // namespace
}  // namespace carnet::coordinator
