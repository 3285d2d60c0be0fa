#include "coordinator/audit/audit.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "coordinator/core/reasons.h"
#include "coordinator/core/tasks.h"
#include "ledger/readers/state_source.h"
#include "scenario/audit_world.h"
#include "tests/unit/ledger/temp_dir.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using audit::Severity;
using ledger::verifier::Verdict;

TEST_CASE("Audit: a whole job with evaluations and refusals is clean, every decision taken again") {
  World world = WorldWithEvidence(61);
  const std::string job = TrainWhole(world, 3, true);
  REQUIRE(world.state().jobs.at(job).phase == JobPhase::kCompleted);
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
  CHECK(report.findings.empty());
  std::uint64_t authorisations = 0;
  std::uint64_t denials = 0;
  for (const std::uint64_t index : world.Find("refusal")) {
    denials += static_cast<std::uint64_t>(world.At<v1::Refusal>(index).decisions_size());
  }
  for (const std::uint64_t index : world.Find("round-opened")) {
    for (const v1::RoundMember& member : world.At<v1::RoundOpened>(index).members()) {
      authorisations += static_cast<std::uint64_t>(member.authorisations_size());
    }
  }
  for (const std::uint64_t index : world.Find("round-closed")) {
    const auto& closed = world.At<v1::RoundClosed>(index);
    authorisations += static_cast<std::uint64_t>(closed.authorisations_size());
    for (const v1::Included& included : closed.included()) {
      authorisations += static_cast<std::uint64_t>(included.authorisations_size());
    }
  }
  for (const std::uint64_t index : world.Find("evaluation-opened")) {
    authorisations += static_cast<std::uint64_t>(
        world.At<v1::EvaluationOpened>(index).member().authorisations_size());
  }
  CHECK(denials > 0);  // br-1, whose place is only claimed
  CHECK(report.numbers.decisions == authorisations + denials);
  CHECK(report.numbers.refusals == denials);
  CHECK(report.numbers.replayed == world.log().size());
  CHECK(report.numbers.signers == world.log().size());
  CHECK(report.numbers.seen == 9 + 3);
  CHECK(report.numbers.keys == report.numbers.keys_destroyed);
  CHECK(report.numbers.models == 2 * 3 + 1);
  REQUIRE(report.jobs.size() == 1);
  CHECK(report.jobs.front().model_sha256 == world.state().jobs.at(job).model_sha256);
  REQUIRE(report.bundles.size() == 1);
  CHECK_FALSE(report.not_proven.empty());
}

TEST_CASE("Audit: stagings, abandoned rounds, revocations and withdrawn evidence are legal") {
  World world = WorldWithEvidence(62);
  REQUIRE(world.Do(StageData{kOperator, "digits", "fr", "sg-1", world.live}).ok());  // refused
  REQUIRE(world.Do(StageData{kOperator, "digits", "fr", "home-1", world.live}).ok());
  const auto tasks = TasksFor(world.state(), world.worker("home-1").id, world.now());
  REQUIRE(tasks.size() == 1);
  REQUIRE(world
              .Do(ConfirmStaged{world.worker("home-1").id, tasks.front().name.id,
                                world.state().shards.at("digits/fr").sha256, Bytes(32, 7), 10})
              .ok());
  const std::string job = world.Submit(2, 2);
  world.Settle();
  REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
  world.Advance(absl::Minutes(11));
  world.Settle();  // too few: abandoned
  world.Advance(absl::Minutes(1));
  world.Settle();
  REQUIRE(world.Do(RevokeWorker{kOperator, world.worker("ae-1").id, "operator"}).ok());
  for (const char* slot : {"fr-1", "sg-1"}) {
    REQUIRE(world.Do(world.Contribute(job, slot)).ok());
  }
  world.Settle();
  for (const auto& [id, evidence] : world.state().evidence) {
    if (evidence.terms.kind() == "tia" && evidence.terms.recipient() == "lion") {
      const std::string tia = id;
      REQUIRE(world.Do(WithdrawEvidence{kOperator, tia}).ok());
      break;
    }
  }
  world.Advance(absl::Minutes(1));
  world.Settle();
  REQUIRE(world.Do(StopJob{kOperator, job}).ok());
  world.Settle();
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
  CHECK(world.Find("round-abandoned").size() == 1);
  CHECK(world.Find("shard-staged").size() > 5);
  CHECK(report.numbers.refusals > 1);
}

TEST_CASE("Audit: storage faults and rejected contributions are legal") {
  World world = WorldWithEvidence(63);
  const std::string job = world.Submit(1, 2);
  world.Settle();
  SubmitContribution bad = world.Contribute(job, "ae-1");
  bad.verdict = reasons::kNotFinite;
  REQUIRE(world.Do(bad).ok());
  for (const char* slot : {"fr-1", "sg-1"}) {
    REQUIRE(world.Do(world.Contribute(job, slot)).ok());
  }
  REQUIRE(world.Do(CloseRound{job}).ok());
  REQUIRE(world.Do(StorageFault{job, world.worker("fr-1").id}).ok());
  world.Settle();
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
  CHECK(world.Find("contribution-rejected").size() == 2);
}

TEST_CASE("Audit: a job under way is no gap, and what stays open beyond its time is one") {
  World world = WorldWithEvidence(64);
  const std::string job = world.Submit(1, 2);
  world.Settle();
  const Report open = AuditWorld(world);
  INFO(TextOf(open));
  CHECK(open.verdict == Verdict::kGood);
  world.Advance(absl::Hours(2));
  world.AddEvidence("bcr", "lion", "SG");  // time goes on, and the round never ends
  const Report late = AuditWorld(world);
  CHECK(late.verdict == Verdict::kCannotDecide);
  const audit::Finding* gap = FindingOf(late, "round-end");
  REQUIRE(gap != nullptr);
  CHECK(gap->severity == Severity::kGap);
  CHECK(gap->index == world.Find("round-opened").front());
}

TEST_CASE("Audit: keys whose destruction is ordered and never recorded are a gap") {
  World world = WorldWithEvidence(65);
  const std::string job = world.Submit(1, 2);
  world.Settle();
  REQUIRE(world.Do(StopJob{kOperator, job}).ok());  // orders the destruction, and nobody does it
  CHECK(AuditWorld(world).verdict == Verdict::kGood);
  world.Advance(absl::Hours(2));
  world.AddEvidence("bcr", "lion", "SG");
  const Report report = AuditWorld(world);
  CHECK(report.verdict == Verdict::kCannotDecide);
  CHECK(FindingOf(report, "key-destroyed") != nullptr);
}

TEST_CASE("Audit: a log without statements cannot be decided") {
  World world(66);
  const testing_ledger::TempDir dir;
  const auto policy = WriteLog(world, dir.path());
  // Serves everything but statements.
  class Silent final : public ledger::verifier::LogSource {
   public:
    explicit Silent(ledger::verifier::LogSource& inner) : inner_(inner) {}
    absl::StatusOr<Bytes> Read(absl::string_view path) override {
      return path.substr(0, 10) == "statements" ? absl::NotFoundError("none") : inner_.Read(path);
    }

   private:
    ledger::verifier::LogSource& inner_;
  };
  const auto source = ledger::StateSource::Open(dir.path());
  REQUIRE(source.ok());
  Silent silent(**source);
  const Report report = audit::Audit(silent, policy, {world.now(), {}, {}, {}});
  CHECK(report.verdict == Verdict::kCannotDecide);
  CHECK(FindingOf(report, "statements") != nullptr);
}

TEST_CASE("Audit: progress counts every record, and a head that the log does not extend is found") {
  World world(67);
  const testing_ledger::TempDir dir;
  const auto policy = WriteLog(world, dir.path());
  World other(67);
  other.Advance(absl::Seconds(1));
  other.AddEvidence("bcr", "lion", "SG");
  world.AddEvidence("tia", "lion", "SG");
  const testing_ledger::TempDir other_dir;
  WriteLog(other, other_dir.path());
  const auto note = (*ledger::StateSource::Open(other_dir.path()))->Read("checkpoint");
  REQUIRE(note.ok());
  const testing_ledger::TempDir longer_dir;
  WriteLog(world, longer_dir.path());
  const auto source = ledger::StateSource::Open(longer_dir.path());
  REQUIRE(source.ok());
  std::uint64_t calls = 0;
  std::uint64_t last_total = 0;
  const Report report = audit::Audit(
      **source, policy,
      {world.now(), {ToString(*note)}, {}, [&](std::uint64_t done, std::uint64_t total) {
         ++calls;
         last_total = total;
         CHECK(done == calls);
       }});
  CHECK(calls == world.log().size());
  CHECK(last_total == world.log().size());
  CHECK(report.verdict == Verdict::kMisbehaviour);
  REQUIRE_FALSE(report.findings.empty());
  CHECK(report.findings.front().check == "log");
}

}  // namespace
}  // namespace carnet::coordinator
