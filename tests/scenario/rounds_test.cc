#include <catch2/catch.hpp>
#include <limits>

#include "base/timestamp.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/reconcile.h"
#include "coordinator/core/retention.h"
#include "coordinator/core/tasks.h"
#include "ledger/record_ids.h"
#include "ledger/verifier/record_ids.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

// Everything that FR, SG and AE workers need to be in every round.
World WithEvidence(std::uint64_t seed) {
  World world(seed);
  for (const auto& [supplier, to] :
       {std::pair<const char*, const char*>{"lion", "SG"}, {"falcon", "AE"}}) {
    world.AddEvidence("scc-2021-914", supplier, to);
    world.AddEvidence("tia", supplier, to);
  }
  return world;
}

TEST_CASE("Rounds: a job runs to its end, one aggregate a round, keys destroyed after each") {
  World world = WithEvidence(1);
  const std::string job = world.Submit(2, 3);
  for (std::uint32_t round = 1; round <= 2; ++round) {
    world.Settle();
    REQUIRE(world.state().jobs.at(job).round.has_value());
    CHECK(world.state().jobs.at(job).round->opened.round() == round);
    world.ContributeAll(job);
  }
  world.Settle();
  const Job& done = world.state().jobs.at(job);
  CHECK(done.phase == JobPhase::kCompleted);
  CHECK(done.end_reason == reasons::kRoundsDone);
  CHECK(world.Find("aggregate").size() == 2);
  CHECK(world.Find("contribution").size() == 6);
  for (const auto& [id, key] : world.state().keys) {
    CHECK(key.phase == KeyPhase::kDestroyed);
  }
  CHECK(NeededKeys(world.state()).empty());
}

TEST_CASE("Rounds: a step that failed says so while it is tried again") {
  World world = WithEvidence(22);
  const std::string job = world.Submit(1, 3);
  Running running;
  running.live = world.live;
  Agenda agenda = Reconcile(world.state(), running, world.now());
  // Refusals come first.
  REQUIRE(agenda.start.size() == 1);
  const std::string step = agenda.start.front().key;
  CHECK(agenda.waiting.count(job) == 0);
  running.failed[step] = "record: the statement is over 1 MiB";
  agenda = Reconcile(world.state(), running, world.now());
  CHECK(agenda.start.front().key == step);
  CHECK(agenda.waiting.at(job) ==
        "its next step, which failed and is tried again: record: the statement is over 1 MiB");
}

TEST_CASE(
    "Rounds: members stand in ascending order of their SPIFFE path, with weights from the "
    "registered rows") {
  World world = WithEvidence(2);
  const std::string job = world.Submit(1, 3);
  world.Settle();
  const auto& members = world.state().jobs.at(job).round->opened.members();
  REQUIRE(members.size() == 3);
  CHECK(members[0].worker_id() == world.worker("ae-1").id);
  CHECK(members[1].worker_id() == world.worker("fr-1").id);
  CHECK(members[2].worker_id() == world.worker("sg-1").id);
  for (const v1::RoundMember& member : members) {
    CHECK(member.weight() == 100);
  }
}

TEST_CASE(
    "Rounds: at the deadline stragglers are left out by name and the round closes with the rest") {
  World world = WithEvidence(3);
  const std::string job = world.Submit(1, 2);
  world.Settle();
  REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
  REQUIRE(world.Do(world.Contribute(job, "sg-1")).ok());
  CHECK(world.Look().start.empty());  // not all are in and the deadline has not passed
  world.Advance(absl::Minutes(11));
  world.Settle();
  const auto& closed = world.At<v1::RoundClosed>(world.Find("round-closed").front());
  CHECK(closed.included_size() == 2);
  REQUIRE(closed.left_out_size() == 1);
  CHECK(closed.left_out(0).worker_id() == world.worker("ae-1").id);
  CHECK(closed.left_out(0).reason() == reasons::kStraggler);
}

TEST_CASE("Rounds: the ids in the records of a round follow from their nonces") {
  World world = WithEvidence(9);
  const std::string job = world.Submit(1, 3);
  world.Settle();
  world.ContributeAll(job);
  world.Settle();
  for (const char* type : {"round-opened", "round-closed"}) {
    const std::uint64_t index = world.Find(type).at(0);
    const std::string& statement = world.signed_log().at(index).statement();
    const std::string shortened = ledger::ShortenIds(statement);
    CHECK(statement.find(R"("d-)") != std::string::npos);
    CHECK(shortened.find(R"("d-)") == std::string::npos);
    CHECK(shortened.find(R"("t-)") == std::string::npos);
    CHECK(*ledger::verifier::RestoreIds(shortened, ledger::kStatementBytesMax) == statement);
  }
}

TEST_CASE("Rounds: too few contributions abandon the round, and it is tried again after a pause") {
  World world = WithEvidence(4);
  const std::string job = world.Submit(1, 3);
  world.Settle();
  REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
  world.Advance(absl::Minutes(11));
  const Agenda agenda = world.Settle();
  CHECK(world.Find("round-abandoned").size() == 1);
  CHECK(world.Find("aggregate").empty());
  CHECK(agenda.wake > world.now());
  world.Advance(absl::Minutes(1));
  world.Settle();
  REQUIRE(world.state().jobs.at(job).round.has_value());
  CHECK(world.state().jobs.at(job).round->opened.attempt() == 2);
}

TEST_CASE("Rounds: one that is refused when it closes waits for other facts, and for no clock") {
  World world(40, {R"(policy: no-sums
kind: guardrail
title: Nothing is combined
approvals: {propose: [dpo], need: 1, from: [dpo]}
effective: {from: 2026-01-01}
rules:
  - {id: never, effect: deny, when: {op: {is: aggregate}}}
)"});
  const std::string job = world.Submit(1, 1);
  world.Settle();
  REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
  world.Advance(absl::Minutes(11));
  world.Settle();
  REQUIRE(world.Find("round-abandoned").size() == 1);
  CHECK(world.At<v1::RoundAbandoned>(world.Find("round-abandoned").front()).reason() ==
        reasons::kRefused);
  world.Advance(absl::Hours(3));
  const Agenda agenda = world.Settle();
  CHECK(agenda.waiting.at(job) ==
        "round 1 was refused when it closed: it waits for other facts or rules");
  CHECK(agenda.wake > world.now());
  CHECK(world.Find("round-opened").size() == 1);
  v1::SupplierConfig nyati;
  nyati.set_organised_in("KE");
  nyati.set_principal_place("KE");
  nyati.set_ultimate_parent("KE");
  REQUIRE(world.Do(RegisterSupplier{kOperator, "nyati", nyati}).ok());
  world.Settle();
  CHECK(world.Find("round-opened").size() == 2);
}

TEST_CASE("Rounds: a delta that cannot be read back is left out and the rest combined again") {
  World world = WithEvidence(5);
  const std::string job = world.Submit(1, 2);
  world.Settle();
  world.ContributeAll(job);
  REQUIRE(world.Do(CloseRound{job}).ok());
  REQUIRE(world.Do(StorageFault{job, world.worker("fr-1").id}).ok());
  CHECK(IncludedDeltas(*world.state().jobs.at(job).round).size() == 2);
  world.Settle();
  const auto& aggregate = world.At<v1::Aggregate>(world.Find("aggregate").front());
  CHECK(aggregate.included_size() == 2);
  const auto& rejected =
      world.At<v1::ContributionRejected>(world.Find("contribution-rejected").front());
  CHECK(rejected.reason() == reasons::kStorageFault);
}

TEST_CASE(
    "Rounds: nothing opens while nobody eligible is live, and the job says what it waits for") {
  World world = WithEvidence(6);
  const std::string job = world.Submit(1, 3);
  world.live.clear();
  const Agenda agenda = world.Settle();
  CHECK(world.Find("round-opened").empty());
  CHECK(agenda.waiting.at(job) == "eligible workers: 0 of 3");
}

TEST_CASE("Rounds: the golden-set evaluation runs at home after each round and before the next") {
  World world = WithEvidence(7);
  const std::string job = world.Submit(1, 3, true);
  world.Settle();
  world.ContributeAll(job);
  world.Settle();
  REQUIRE(world.state().jobs.at(job).evaluation.has_value());
  const auto tasks = TasksFor(world.state(), world.worker("home-1").id, world.now());
  REQUIRE(tasks.size() == 1);
  CHECK(tasks.front().name.kind == v1::TASK_KIND_EVALUATE);
  CHECK(world.state().jobs.at(job).phase == JobPhase::kRunning);
  // The evaluator never answers: it is asked three times, then the job ends without figures.
  for (std::size_t abandoned = 1; abandoned <= 3; ++abandoned) {
    CHECK(world.state().jobs.at(job).phase == JobPhase::kRunning);
    world.Advance(absl::Minutes(11));
    world.Settle();
    CHECK(world.Find("evaluation-abandoned").size() == abandoned);
  }
  CHECK(world.state().jobs.at(job).phase == JobPhase::kCompleted);
}

TEST_CASE("Rounds: figures that are no numbers are not taken") {
  World world = WithEvidence(23);
  const std::string job = world.Submit(1, 3, true);
  world.Settle();
  world.ContributeAll(job);
  world.Settle();
  REQUIRE(world.state().jobs.at(job).evaluation.has_value());
  const EvaluationTask& task = *world.state().jobs.at(job).evaluation;
  SubmitEvaluation figures;
  figures.worker_id = task.opened.member().worker_id();
  figures.signed_by_worker = figures.seen_in_log = true;
  figures.evaluation.set_job_id(job);
  figures.evaluation.set_round(task.opened.round());
  figures.evaluation.set_worker_id(figures.worker_id);
  figures.evaluation.set_evaluation_opened_index(task.opened_index);
  figures.evaluation.set_model_sha256(task.opened.model_sha256());
  (*figures.evaluation.mutable_metrics())["loss"] = std::numeric_limits<double>::quiet_NaN();
  CHECK(world.Do(figures).status() == absl::InvalidArgumentError(reasons::kUnnamedMetric));
  CHECK(world.Find("evaluation").empty());
}

TEST_CASE("Rounds: an evaluator that gives an old attempt up leaves the new one open") {
  World world = WithEvidence(24);
  const std::string job = world.Submit(1, 3, true);
  world.Settle();
  world.ContributeAll(job);
  world.Settle();
  const std::string id = world.worker("home-1").id;
  const auto fail = [&](std::uint32_t attempt) {
    const std::string task = TaskId({v1::TASK_KIND_EVALUATE, job, 1, attempt});
    return world.Do(FailTask{id, task, v1::TASK_FAILURE_DISK}).status().code();
  };
  REQUIRE(world.state().jobs.at(job).evaluation->opened.attempt() == 1);
  CHECK(fail(1) == absl::StatusCode::kOk);
  world.Settle();
  REQUIRE(world.state().jobs.at(job).evaluation->opened.attempt() == 2);
  CHECK(fail(1) == absl::StatusCode::kFailedPrecondition);
  CHECK(world.state().jobs.at(job).evaluation.has_value());
  CHECK(fail(2) == absl::StatusCode::kOk);
}

TEST_CASE("Rounds: a job stops when its metric has come far enough, a loss from above") {
  Job job;
  v1::JobSpec& spec = *job.submitted.mutable_spec();
  spec.mutable_rounds()->set_count(10);
  job.rounds_done = 1;
  job.results.resize(1);
  job.results.back().evaluation = {{"loss", 0.4}, {"accuracy", 0.6}};
  v1::StopSpec& stop = *spec.mutable_stop();
  stop.set_metric("accuracy");
  stop.set_at_least(0.7);
  CHECK(EndReason(job).empty());
  stop.set_at_least(0.6);
  CHECK(EndReason(job) == reasons::kMetricReached);
  stop.Clear();
  stop.set_metric("loss");
  stop.set_at_most(0.3);
  CHECK(EndReason(job).empty());
  stop.set_at_most(0.4);
  CHECK(EndReason(job) == reasons::kMetricReached);
}

TEST_CASE("Rounds: patience counts evaluations that are no better, and a lower loss is better") {
  Job job;
  v1::JobSpec& spec = *job.submitted.mutable_spec();
  spec.mutable_rounds()->set_count(10);
  spec.mutable_stop()->set_metric("loss");
  spec.mutable_stop()->set_patience(2);
  for (const double loss : {0.5, 0.4, 0.3}) {
    job.results.emplace_back().evaluation = {{"loss", loss}};
  }
  job.rounds_done = 3;
  CHECK(EndReason(job).empty());
  for (const double loss : {0.35, 0.31}) {
    job.results.emplace_back().evaluation = {{"loss", loss}};
  }
  CHECK(EndReason(job) == reasons::kPatience);
}

TEST_CASE("Rounds: a stopped job opens nothing more and its keys go") {
  World world = WithEvidence(8);
  const std::string job = world.Submit(5, 3);
  world.Settle();
  REQUIRE(world.Do(StopJob{kOperator, job}).ok());
  world.Settle();
  CHECK(world.state().jobs.at(job).phase == JobPhase::kStopped);
  CHECK(NeededKeys(world.state()).empty());
  CHECK(TasksFor(world.state(), world.worker("fr-1").id, world.now()).empty());
  CHECK(world.Do(StopJob{kOperator, job}).status().code() == absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace carnet::coordinator
