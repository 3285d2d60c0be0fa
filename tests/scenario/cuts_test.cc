// What moves under a ticket stops when what allowed it no longer does, and a withdrawn shard is
// used by nothing that opens later.
#include <algorithm>
#include <catch2/catch.hpp>

#include "coordinator/core/reasons.h"
#include "coordinator/core/tasks.h"
#include "coordinator/core/transfers.h"
#include "coordinator/core/withdrawal.h"
#include "policies/loader.h"
#include "scenario/policy_office.h"
#include "scenario/transfers_of.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

World WorldWithPapers(std::uint64_t seed) {
  World world(seed);
  for (const auto& [supplier, to] :
       {std::pair<const char*, const char*>{"lion", "SG"}, {"falcon", "AE"}}) {
    world.AddEvidence("scc-2021-914", supplier, to);
    world.AddEvidence("tia", supplier, to);
  }
  return world;
}

// A round of all three, combined; the next one is open.
std::string AfterOneRound(World& world, std::uint32_t rounds = 3, bool evaluate = false) {
  const std::string job = world.Submit(rounds, 2, evaluate);
  world.Settle();
  world.ContributeAll(job);
  world.Settle();
  return job;
}

const v1::TransferCut& LastCut(const World& world) {
  REQUIRE(!world.Find("transfer-cut").empty());
  return world.At<v1::TransferCut>(world.Find("transfer-cut").back());
}

void WithdrawTia(World& world) {
  for (const auto& [id, evidence] : world.state().evidence) {
    if (evidence.terms.kind() == "tia" && evidence.terms.recipient() == "lion") {
      const std::string tia = id;
      REQUIRE(world.Do(WithdrawEvidence{kOperator, tia}).ok());
      return;
    }
  }
  FAIL("no assessment");
}

absl::StatusOr<Decided> Withdraw(World& world, const std::string& dataset,
                                 const std::string& shard) {
  return world.Do(WithdrawShard{kOperator, dataset, shard, "subject-request"});
}

std::map<std::string, std::string> LeftOut(const v1::RoundClosed& closed) {
  std::map<std::string, std::string> reasons;
  for (const v1::LeftOut& out : closed.left_out()) {
    reasons[out.worker_id()] = out.reason();
  }
  return reasons;
}

TEST_CASE("Cuts: withdrawn evidence cuts what it allowed, with the decisions and the bytes") {
  World world = WorldWithPapers(51);
  const std::string job = AfterOneRound(world);
  const TransferName name = TransferOf(world, "sg-1", false);
  REQUIRE(Look(world, name).kind == Standing::Kind::kMayMove);
  SECTION("while its ticket is alive") {
    WithdrawTia(world);
  }
  SECTION("unless the ticket ended first") {
    WithdrawTia(world);
    world.Advance(absl::Hours(24));
    CHECK(Look(world, name).kind == Standing::Kind::kOver);
    return;
  }
  REQUIRE(Look(world, name).reason == reasons::kRefused);
  REQUIRE(world.Do(CutOf(name, 600)).ok());
  const v1::TransferCut& cut = LastCut(world);
  CHECK(cut.ticket_id() == name.ticket_id);
  CHECK(cut.job_id() == job);
  CHECK(cut.round() == 2);
  CHECK(cut.attempt() == 1);
  CHECK(cut.worker_id() == world.worker("sg-1").id);
  CHECK(cut.direction() == "download");
  CHECK(cut.bytes_crossed() == 600);
  CHECK(cut.reason() == "refused");
  CHECK(std::any_of(cut.decisions().begin(), cut.decisions().end(),
                    [](const auto& decision) { return decision.verdict() == v1::VERDICT_DENY; }));
}

TEST_CASE("Cuts: a cut ticket is dead, and its worker out of the round") {
  World world = WorldWithPapers(52);
  const std::string job = AfterOneRound(world);
  const TransferName name = TransferOf(world, "sg-1", false);
  const SubmitContribution late = world.Contribute(job, "sg-1");
  WithdrawTia(world);
  REQUIRE(world.Do(CutOf(name, 10)).ok());
  CHECK(TasksFor(world.state(), name.worker_id, world.now()).empty());
  CHECK(!FindTicket(world.state(), name).has_value());
  CHECK(Look(world, name).kind == Standing::Kind::kOver);
  CHECK(world.Do(CutOf(name, 10)).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(
      world.Do(RecheckTask{name.worker_id, name.task_id, name.ticket_id, false}).status().code() ==
      absl::StatusCode::kFailedPrecondition);
  CHECK(world.Do(late).status().code() == absl::StatusCode::kFailedPrecondition);
  // The evidence comes back; the ticket does not.
  world.AddEvidence("tia", "lion", "SG");
  CHECK(TasksFor(world.state(), name.worker_id, world.now()).empty());
  // The round goes on with the others.
  REQUIRE(world.Do(world.Contribute(job, "ae-1")).ok());
  REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
  world.Settle();
  const auto& closed = world.At<v1::RoundClosed>(world.Find("round-closed").back());
  CHECK(closed.included_size() == 2);
  CHECK(LeftOut(closed).at(name.worker_id) == reasons::kCut);
  CHECK(world.Refold().cut_tickets == world.state().cut_tickets);
}

TEST_CASE("Cuts: a round that loses too many is abandoned by its ordinary rules") {
  World world = WorldWithPapers(53);
  const std::string job = AfterOneRound(world);
  for (const char* slot : {"sg-1", "ae-1"}) {
    const TransferName name = TransferOf(world, slot, true);
    REQUIRE(world.Do(RevokeWorker{kOperator, name.worker_id, "operator"}).ok());
    REQUIRE(world.Do(CutOf(name, 1)).ok());
  }
  REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
  world.Settle();
  REQUIRE(world.Find("round-abandoned").size() == 1);
  CHECK(world.At<v1::RoundAbandoned>(world.Find("round-abandoned").back()).reason() ==
        reasons::kTooFewContributions);
}

TEST_CASE("Cuts: a bundle that forbids the flow cuts it") {
  World world = WorldWithPapers(54);
  AfterOneRound(world);
  const TransferName name = TransferOf(world, "sg-1", true);
  PolicyOffice office(world);
  nlohmann::json json = office.Json();
  PolicyOffice::Policy(json, "house")["rules"].push_back(nlohmann::json::parse(
      R"({"id": "stop", "effect": "deny", "when": {"from.jurisdiction": {"is": "SG"}}})"));
  REQUIRE(office.Propose(office.Next(json)).ok());
  world.Settle();
  REQUIRE(world.state().bundle->revision() == 2);
  REQUIRE(Look(world, name).kind == Standing::Kind::kCut);
  REQUIRE(world.Do(CutOf(name, 400)).ok());
  CHECK(LastCut(world).reason() == "refused");
  CHECK(LastCut(world).direction() == "upload");
}

TEST_CASE("Cuts: a revoked worker's transfer is cut before its round may end without it") {
  World world = WorldWithPapers(55);
  const std::string job = AfterOneRound(world);
  const TransferName name = TransferOf(world, "sg-1", true);
  REQUIRE(world.Do(RevokeWorker{kOperator, name.worker_id, "operator"}).ok());
  REQUIRE(Look(world, name).reason == reasons::kWorkerRevoked);
  REQUIRE(world.Do(CutOf(name, 300)).ok());
  CHECK(LastCut(world).reason() == "worker-revoked");
  CHECK(LastCut(world).decisions().empty());
  CHECK(world.state().jobs.at(job).round->out.at(name.worker_id) == reasons::kRevoked);
}

TEST_CASE("Cuts: what may move is not cut, nor what nobody was given") {
  World world = WorldWithPapers(56);
  const std::string job = AfterOneRound(world);
  const TransferName name = TransferOf(world, "sg-1", true);
  const auto refused = [&](const CutTransfer& command) {
    return world.Do(command).status().code() == absl::StatusCode::kFailedPrecondition;
  };
  CHECK(refused(CutOf(name, 1)));
  WithdrawTia(world);
  CutTransfer other = CutOf(TransferOf(world, "sg-1", false), 1);
  CHECK(!Look(world, TransferOf(world, "sg-1", false)).reason.empty());
  SECTION("another worker") {
    other.worker_id = world.worker("fr-1").id;
    CHECK(refused(other));
  }
  SECTION("another ticket") {
    other.ticket_id = "t-aaaaaaaaaaaaaaaa";
    CHECK(refused(other));
  }
  SECTION("the other direction") {
    other.upload = true;
    CHECK(refused(other));
  }
  SECTION("a task that is none") {
    other.task_id = "train";
    CHECK(refused(other));
  }
  SECTION("one that was answered") {
    REQUIRE(world.Do(world.Contribute(job, "sg-1")).ok());
    CHECK(refused(other));
  }
  SECTION("one that failed") {
    REQUIRE(world.Do(FailTask{other.worker_id, other.task_id, v1::TASK_FAILURE_DISK}).ok());
    CHECK(refused(other));
  }
  CHECK(world.Find("transfer-cut").empty());
}

TEST_CASE("Cuts: more bytes than the ticket allows are never on record") {
  World world = WorldWithPapers(57);
  AfterOneRound(world);
  const TransferName name = TransferOf(world, "sg-1", false);
  WithdrawTia(world);
  REQUIRE(world.Do(CutOf(name, std::uint64_t{1} << 60)).ok());
  CHECK(LastCut(world).bytes_crossed() == 1000);
}

TEST_CASE("Cuts: the cut of a staging ends it") {
  World world(58);
  REQUIRE(world.Do(StageData{kOperator, "digits", "fr", "home-1", world.live}).ok());
  const TransferName name = TransferOf(world, "fr-1", true);
  SECTION("its shard is withdrawn") {
    REQUIRE(Withdraw(world, "digits", "fr").ok());
    REQUIRE(world.Do(CutOf(name, 7)).ok());
    CHECK(LastCut(world).reason() == reasons::kShardWithdrawn);
  }
  SECTION("its sender is revoked") {
    REQUIRE(world.Do(RevokeWorker{kOperator, name.worker_id, "operator"}).ok());
    REQUIRE(world.Do(CutOf(name, 7)).ok());
    CHECK(LastCut(world).reason() == reasons::kWorkerRevoked);
  }
  CHECK(LastCut(world).staging_id() == name.ticket_id);
  CHECK(LastCut(world).job_id().empty());
  REQUIRE(world.Find("staging-abandoned").size() == 1);
  CHECK(TasksFor(world.state(), world.worker("home-1").id, world.now()).empty());
}

TEST_CASE("Cuts: the cut of an evaluation abandons it and destroys its key") {
  World world = WorldWithPapers(59);
  const std::string job = AfterOneRound(world, 3, true);
  REQUIRE(world.state().jobs.at(job).evaluation.has_value());
  const TransferName name = TransferOf(world, "home-1", false);
  const std::size_t ordered = world.Find("key-destruction-ordered").size();
  REQUIRE(world.Do(RevokeWorker{kOperator, name.worker_id, "operator"}).ok());
  REQUIRE(world.Do(CutOf(name, 20)).ok());
  CHECK(world.Find("evaluation-abandoned").size() == 1);
  CHECK(world.Find("key-destruction-ordered").size() == ordered + 1);
  CHECK(!world.state().jobs.at(job).evaluation.has_value());
}

// ---- withdrawal ----

TEST_CASE("Withdrawal: a steward or the dpo withdraws a shard, once, for a listed reason") {
  World world(60);
  const auto code = [&](const WithdrawShard& command) { return world.Do(command).status().code(); };
  CHECK(code({"u-bbbbbbbbbbbbbbbb", "digits", "fr", "mislabelled"}) ==
        absl::StatusCode::kPermissionDenied);
  CHECK(code({kOperator, "digits", "nowhere", "mislabelled"}) == absl::StatusCode::kNotFound);
  CHECK(code({kOperator, "digits", "fr", "because"}) == absl::StatusCode::kInvalidArgument);
  const auto first = Withdraw(world, "digits", "fr");
  REQUIRE(first.ok());
  REQUIRE(world.Find("shard-withdrawn").size() == 1);
  const auto& record = world.At<v1::ShardWithdrawn>(*first->answer_index);
  CHECK(record.sha256() == AsText(world.state().shards.at("digits/fr").sha256));
  CHECK(record.withdrawn_by() == kOperator);
  const auto again = world.Do(WithdrawShard{kOperator, "digits", "fr", "mislabelled"});
  REQUIRE(again.ok());
  CHECK(again->answer_index == first->answer_index);
  CHECK(world.Find("shard-withdrawn").size() == 1);
}

TEST_CASE("Withdrawal: people with other roles do not withdraw") {
  World world(61);
  PolicyOffice office(world);
  const Person lawyer = office.Hire(7, {"legal"});
  CHECK(world.Do(WithdrawShard{lawyer.id, "digits", "fr", "mislabelled"}).status().code() ==
        absl::StatusCode::kPermissionDenied);
  const Person officer = office.Hire(8, {"dpo"});
  CHECK(world.Do(WithdrawShard{officer.id, "digits", "fr", "mislabelled"}).ok());
}

TEST_CASE("Withdrawal: no later round uses the shard, and a job that never saw it goes on") {
  World world = WorldWithPapers(62);
  REQUIRE(Withdraw(world, "digits", "fr").ok());
  const std::string job = world.Submit(1, 2);
  world.Settle();
  const Round& round = *world.state().jobs.at(job).round;
  CHECK(round.opened.members_size() == 2);
  for (const v1::RoundMember& member : round.opened.members()) {
    CHECK(!HasWithdrawnShard(world.state(), member));
    CHECK(member.worker_id() != world.worker("fr-1").id);
  }
}

TEST_CASE("Withdrawal: what was trained on it stays out of an open round") {
  World world = WorldWithPapers(63);
  const std::string job = world.Submit(2, 1);
  world.Settle();
  const TransferName name = TransferOf(world, "sg-1", true);
  REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
  REQUIRE(Withdraw(world, "digits", "fr").ok());
  REQUIRE(Withdraw(world, "digits", "sg").ok());
  REQUIRE(Look(world, name).reason == reasons::kShardWithdrawn);
  REQUIRE(world.Do(CutOf(name, 5)).ok());
  REQUIRE(world.Do(world.Contribute(job, "ae-1")).ok());
  world.Settle();
  const auto& closed = world.At<v1::RoundClosed>(world.Find("round-closed").back());
  REQUIRE(closed.included_size() == 1);
  CHECK(closed.included(0).worker_id() == world.worker("ae-1").id);
  CHECK(LeftOut(closed).at(world.worker("fr-1").id) == reasons::kShardWithdrawn);
  CHECK(LeftOut(closed).at(world.worker("sg-1").id) == reasons::kShardWithdrawn);
  CHECK(WhyHeld(world.state(), world.state().jobs.at(job)).empty());
}

TEST_CASE("Withdrawal: a job whose model saw the shard waits until somebody stops it") {
  World world = WorldWithPapers(64);
  const std::string job = AfterOneRound(world);
  const TransferName name = TransferOf(world, "sg-1", false);
  REQUIRE(Withdraw(world, "digits", "fr").ok());
  // The model of the round saw it, so nobody may have it.
  REQUIRE(Look(world, name).reason == reasons::kShardWithdrawn);
  CHECK(
      world.Do(RecheckTask{name.worker_id, name.task_id, name.ticket_id, false}).status().code() ==
      absl::StatusCode::kPermissionDenied);
  REQUIRE(world.Do(CutOf(name, 5)).ok());
  world.Settle();
  CHECK(world.At<v1::RoundAbandoned>(world.Find("round-abandoned").back()).reason() ==
        reasons::kShardWithdrawn);
  world.Advance(absl::Hours(1));
  CHECK(world.Settle().waiting.at(job) == "shard-withdrawn digits/fr");
  CHECK(world.Find("round-opened").size() == 2);
  // Nor by a preparation that was under way.
  OpenRound open;
  open.job_id = job;
  open.round = 2;
  open.attempt = 2;
  open.live = world.live;
  CHECK(world.Do(open).status().code() == absl::StatusCode::kFailedPrecondition);
  v1::WithdrawShardResponse affected;
  ListAffected(world.state(), "digits/fr", &affected);
  REQUIRE(affected.jobs_waiting_size() == 1);
  CHECK(affected.jobs_waiting(0) == job);
  REQUIRE(affected.models_size() == 1);
  CHECK(affected.models(0).round() == 1);
  CHECK(!affected.models(0).released());
  REQUIRE(world.Do(StopJob{kOperator, job}).ok());
  affected.Clear();
  ListAffected(world.state(), "digits/fr", &affected);
  CHECK(affected.jobs_waiting().empty());
  CHECK(affected.models_size() == 1);
}

TEST_CASE("Withdrawal: a job whose golden set lost a shard waits") {
  World world = WorldWithPapers(65);
  REQUIRE(Withdraw(world, "golden", "home").ok());
  const std::string job = world.Submit(2, 2, true);
  CHECK(world.Settle().waiting.at(job) == "shard-withdrawn golden/home");
}

TEST_CASE("Withdrawal: an evaluation under way ends, and its figures are not taken") {
  World world = WorldWithPapers(67);
  const std::string job = AfterOneRound(world, 3, true);
  REQUIRE(world.state().jobs.at(job).evaluation.has_value());
  const EvaluationTask task = *world.state().jobs.at(job).evaluation;
  SubmitEvaluation late;
  late.worker_id = task.opened.member().worker_id();
  late.signed_by_worker = late.seen_in_log = true;
  late.evaluation.set_job_id(job);
  late.evaluation.set_round(task.opened.round());
  late.evaluation.set_worker_id(late.worker_id);
  late.evaluation.set_evaluation_opened_index(task.opened_index);
  late.evaluation.set_model_sha256(task.opened.model_sha256());
  std::string waits_for;
  SECTION("its model saw the shard") {
    REQUIRE(Withdraw(world, "digits", "fr").ok());
    waits_for = "shard-withdrawn digits/fr";
  }
  SECTION("its golden set lost one") {
    REQUIRE(Withdraw(world, "golden", "home").ok());
    waits_for = "shard-withdrawn golden/home";
  }
  CHECK(world.Do(late).status() == absl::FailedPreconditionError("the job waits: " + waits_for));
  CHECK(world.Settle().waiting.at(job) == waits_for);
  REQUIRE(world.Find("evaluation-abandoned").size() == 1);
  CHECK(world.At<v1::EvaluationAbandoned>(world.Find("evaluation-abandoned")[0]).reason() ==
        reasons::kShardWithdrawn);
  CHECK(world.Find("evaluation").empty());
}

TEST_CASE("Withdrawal: a round whose base model saw the shard does not close") {
  World world = WorldWithPapers(68);
  const std::string job = AfterOneRound(world);
  REQUIRE(world.Do(world.Contribute(job, "ae-1")).ok());
  REQUIRE(world.Do(world.Contribute(job, "sg-1")).ok());
  REQUIRE(Withdraw(world, "digits", "fr").ok());
  CHECK(world.Do(CloseRound{job}).status().code() == absl::StatusCode::kFailedPrecondition);
  world.Settle();
  CHECK(world.Find("round-closed").size() == 1);
}

TEST_CASE("Withdrawal: a withdrawn shard is not staged, and a staging under way ends") {
  World world(66);
  REQUIRE(world.Do(StageData{kOperator, "digits", "fr", "home-1", world.live}).ok());
  REQUIRE(Withdraw(world, "digits", "fr").ok());
  world.Settle();
  REQUIRE(world.Find("staging-abandoned").size() == 1);
  CHECK(world.At<v1::StagingAbandoned>(world.Find("staging-abandoned").back()).reason() ==
        reasons::kShardWithdrawn);
  CHECK(world.Do(StageData{kOperator, "digits", "fr", "home-1", world.live}).status().code() ==
        absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace carnet::coordinator
