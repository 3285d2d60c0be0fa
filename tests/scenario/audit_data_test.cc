// Withdrawn shards and cut transfers, as an audit sees them: honest ones are good, each lie is
// found at its record.
#include <catch2/catch.hpp>
#include <functional>

#include "base/timestamp.h"
#include "coordinator/core/tasks.h"
#include "scenario/audit_world.h"

namespace carnet::coordinator {
namespace {

using audit::Report;
using ledger::verifier::Verdict;

// A job in its second round, in which sg-1 may download and upload.
std::string InSecondRound(World& world) {
  const std::string job = world.Submit(3, 2);
  world.Settle();
  world.ContributeAll(job);
  world.Settle();
  return job;
}

CutTransfer CutOf(const World& world, const std::string& slot, bool upload) {
  const std::string id = world.worker(slot).id;
  const auto tasks = TasksFor(world.state(), id, world.now());
  REQUIRE(tasks.size() == 1);
  const v1::Ticket& ticket = upload ? tasks.front().upload : tasks.front().download;
  return {id, TaskId(tasks.front().name), ticket.ticket_id(), upload, 123};
}

void WithdrawTia(World& world) {
  for (const auto& [id, evidence] : world.state().evidence) {
    if (evidence.terms.kind() == "tia" && evidence.terms.recipient() == "lion") {
      const std::string tia = id;
      REQUIRE(world.Do(WithdrawEvidence{kOperator, tia}).ok());
      return;
    }
  }
}

void Finish(World& world, const std::string& job) {
  REQUIRE(world.Do(world.Contribute(job, "ae-1")).ok());
  REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
  world.Settle();
}

void ExpectGood(const World& world) {
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kGood);
}

// The last record of the log is found by that check.
void ExpectFound(const World& world, const std::string& check) {
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, check);
  REQUIRE(finding != nullptr);
  CHECK(finding->index == world.signed_log().size() - 1);
}

template <typename Message>
void ForgeLike(World& world, const std::string& type, std::function<void(Message&)> change) {
  Message message = world.At<Message>(world.Find(type).back());
  world.FillCommon(message.mutable_common());
  change(message);
  world.Forge(message, world.statement_key());
}

// A cut that Decide would make now, changed before it is signed.
void LieAboutCut(World& world, const CutTransfer& command,
                 std::function<void(v1::TransferCut&)> change) {
  world.SetDoctor([change](ledger::Predicate& predicate) {
    if (auto* cut = predicate.As<v1::TransferCut>(); cut != nullptr) {
      change(*cut);
    }
  });
  REQUIRE(world.Do(command).ok());
}

TEST_CASE("Audit: cuts for each reason, and withdrawals, are good where they are true") {
  World world = WorldWithEvidence(131);
  const std::string job = InSecondRound(world);
  SECTION("refused") {
    const CutTransfer cut = CutOf(world, "sg-1", false);
    WithdrawTia(world);
    REQUIRE(world.Do(cut).ok());
    Finish(world, job);
    ExpectGood(world);
  }
  SECTION("revoked") {
    const CutTransfer cut = CutOf(world, "sg-1", true);
    REQUIRE(world.Do(RevokeWorker{kOperator, cut.worker_id, "operator"}).ok());
    REQUIRE(world.Do(cut).ok());
    Finish(world, job);
    ExpectGood(world);
  }
  SECTION("withdrawn") {
    const CutTransfer cut = CutOf(world, "sg-1", true);
    REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "sg", "licence-ended"}).ok());
    REQUIRE(world.Do(cut).ok());
    world.Settle();
    ExpectGood(world);
  }
}

TEST_CASE("Audit: a cut that names nobody's ticket, or another's, is found") {
  World world = WorldWithEvidence(132);
  InSecondRound(world);
  const CutTransfer cut = CutOf(world, "sg-1", false);
  WithdrawTia(world);
  SECTION("nobody's") {
    LieAboutCut(world, cut, [](v1::TransferCut& record) { record.set_ticket_id("t-none"); });
    ExpectFound(world, "ticket");
  }
  SECTION("another worker's") {
    const std::string other = world.worker("fr-1").id;
    LieAboutCut(world, cut, [other](v1::TransferCut& record) { record.set_worker_id(other); });
    ExpectFound(world, "ticket");
  }
  SECTION("the other direction's") {
    LieAboutCut(world, cut, [](v1::TransferCut& record) { record.set_direction("upload"); });
    ExpectFound(world, "ticket");
  }
  SECTION("more bytes than the ticket") {
    LieAboutCut(world, cut, [](v1::TransferCut& record) { record.set_bytes_crossed(1001); });
    ExpectFound(world, "ticket");
  }
  SECTION("a second time") {
    REQUIRE(world.Do(cut).ok());
    ForgeLike<v1::TransferCut>(world, "transfer-cut", [](v1::TransferCut&) {});
    ExpectFound(world, "ticket");
  }
}

TEST_CASE("Audit: a cut without its reason is found") {
  World world = WorldWithEvidence(133);
  InSecondRound(world);
  const CutTransfer cut = CutOf(world, "sg-1", false);
  WithdrawTia(world);
  SECTION("nobody was revoked") {
    LieAboutCut(world, cut, [](v1::TransferCut& record) {
      record.set_reason("worker-revoked");
      record.clear_decisions();
    });
    ExpectFound(world, "cut");
  }
  SECTION("nothing was withdrawn") {
    LieAboutCut(world, cut, [](v1::TransferCut& record) {
      record.set_reason("shard-withdrawn");
      record.clear_decisions();
    });
    ExpectFound(world, "cut");
  }
  SECTION("no decision says so") {
    LieAboutCut(world, cut, [](v1::TransferCut& record) { record.clear_decisions(); });
    ExpectFound(world, "cut");
  }
  SECTION("the bundle would not have refused") {
    LieAboutCut(world, cut, [](v1::TransferCut& record) {
      for (v1::Decision& decision : *record.mutable_decisions()) {
        if (decision.verdict() != v1::VERDICT_ALLOW) {
          decision.mutable_failures(0)->set_reason("house/invented");
        }
      }
    });
    ExpectFound(world, "decision-verdict");
  }
}

TEST_CASE("Audit: a contribution under a cut ticket is found") {
  World world = WorldWithEvidence(134);
  const std::string job = InSecondRound(world);
  const CutTransfer cut = CutOf(world, "sg-1", true);
  const v1::Contribution contribution = world.Contribute(job, "sg-1").contribution;
  REQUIRE(world.Do(RevokeWorker{kOperator, cut.worker_id, "operator"}).ok());
  REQUIRE(world.Do(cut).ok());
  world.Forge(contribution, world.worker("sg-1").key);
  ExpectFound(world, "ticket");
}

TEST_CASE("Audit: a withdrawal by the wrong person, of other data, or a second one, is found") {
  World world = WorldWithEvidence(135);
  SECTION("of other data") {
    world.SetDoctor([](ledger::Predicate& predicate) {
      if (auto* record = predicate.As<v1::ShardWithdrawn>(); record != nullptr) {
        record->set_sha256(std::string(32, 'x'));
      }
    });
    REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "fr", "mislabelled"}).ok());
    ExpectFound(world, "withdrawal");
  }
  SECTION("for no listed reason") {
    world.SetDoctor([](ledger::Predicate& predicate) {
      if (auto* record = predicate.As<v1::ShardWithdrawn>(); record != nullptr) {
        record->set_reason("because");
      }
    });
    REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "fr", "mislabelled"}).ok());
    ExpectFound(world, "withdrawal");
  }
  SECTION("twice") {
    REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "fr", "mislabelled"}).ok());
    ForgeLike<v1::ShardWithdrawn>(world, "shard-withdrawn", [](v1::ShardWithdrawn&) {});
    ExpectFound(world, "withdrawal");
  }
  SECTION("by nobody") {
    REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "fr", "mislabelled"}).ok());
    ForgeLike<v1::ShardWithdrawn>(world, "shard-withdrawn", [](v1::ShardWithdrawn& record) {
      record.set_withdrawn_by("u-bbbbbbbbbbbbbbbb");
    });
    ExpectFound(world, "role");
  }
}

TEST_CASE("Audit: a round that uses a withdrawn shard is found") {
  World world = WorldWithEvidence(136);
  REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "fr", "mislabelled"}).ok());
  // This coordinator gives it to somebody all the same.
  world.SetDoctor([&world](ledger::Predicate& predicate) {
    if (auto* opened = predicate.As<v1::RoundOpened>(); opened != nullptr) {
      opened->mutable_members(0)->add_shards("digits/fr");
      opened->mutable_members(0)->add_shard_sha256(
          ToString(world.state().shards.at("digits/fr").sha256));
    }
  });
  world.Submit(1, 2);
  world.Settle();
  const Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  const audit::Finding* finding = FindingOf(report, "withdrawal");
  REQUIRE(finding != nullptr);
  CHECK(finding->index == world.Find("round-opened").front());
}

TEST_CASE("Audit: figures of a model that saw a withdrawn shard are found") {
  World world = WorldWithEvidence(137);
  const std::string job = world.Submit(3, 2, true);
  world.Settle();
  world.ContributeAll(job);
  world.Settle();
  SECTION("in its lineage") {
    REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "fr", "mislabelled"}).ok());
  }
  SECTION("in the golden set") {
    REQUIRE(world.Do(WithdrawShard{kOperator, "golden", "home", "mislabelled"}).ok());
  }
  world.Forge(Evaluate(world, job).evaluation, world.worker("home-1").key);
  ExpectFound(world, "withdrawal");
}

TEST_CASE("Audit: a round that closes on a model that saw a withdrawn shard is found") {
  World world = WorldWithEvidence(138);
  World other = WorldWithEvidence(138);  // the same, without the withdrawal
  std::string job;
  for (World* each : {&world, &other}) {
    job = InSecondRound(*each);
    for (const char* slot : {"ae-1", "sg-1"}) {
      REQUIRE(each->Do(each->Contribute(job, slot)).ok());
    }
  }
  REQUIRE(other.Do(CloseRound{job}).ok());
  v1::RoundClosed closed = other.At<v1::RoundClosed>(other.Find("round-closed").back());
  REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "fr", "mislabelled"}).ok());
  world.FillCommon(closed.mutable_common());
  const auto model = ToDigest(world.state().jobs.at(job).model_sha256);
  REQUIRE(model.ok());
  world.Forge(closed, world.statement_key(), {{"base model", *model}});
  ExpectFound(world, "withdrawal");
}

TEST_CASE("Audit: a shard that arrives when it may not any more is found") {
  World world = WorldWithEvidence(139);
  REQUIRE(world.Do(StageData{kOperator, "digits", "fr", "home-1", world.live}).ok());
  const std::string id = world.state().stagings.begin()->first;
  v1::ShardStaged arrival;
  arrival.set_dataset("digits");
  arrival.set_shard("fr");
  arrival.set_worker_id(world.worker("home-1").id);
  arrival.set_sha256(ToString(world.state().shards.at("digits/fr").sha256));
  arrival.set_staging_id(id);
  std::string check = "staging";
  SECTION("its shard was withdrawn") {
    REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "fr", "mislabelled"}).ok());
    check = "withdrawal";
  }
  SECTION("it had expired") {
    world.Advance(absl::Hours(24));
    REQUIRE(world.now() >= ToTime(world.state().stagings.at(id).ordered.expires()));
  }
  SECTION("it has arrived before") {
    REQUIRE(
        world
            .Do(ConfirmStaged{arrival.worker_id(), id, ToBytes(arrival.sha256()), Bytes(32, 7), 10})
            .ok());
  }
  world.FillCommon(arrival.mutable_common());
  world.Forge(arrival, world.statement_key());
  ExpectFound(world, check);
}

}  // namespace
}  // namespace carnet::coordinator
