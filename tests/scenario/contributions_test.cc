#include <catch2/catch.hpp>

#include "coordinator/core/reasons.h"
#include "coordinator/core/tasks.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

World WithOpenRound(std::string* job) {
  World world(11);
  *job = world.Submit(2, 2);
  world.Settle();
  REQUIRE(world.state().jobs.at(*job).round.has_value());
  return world;
}

// What the record says of the rejection that a changed contribution gets.
std::string ReasonFor(World* world, const SubmitContribution& command) {
  const auto decided = world->Do(command);
  INFO(decided.status().ToString());
  REQUIRE(decided.ok());
  CHECK(decided->answer.code() == absl::StatusCode::kInvalidArgument);
  const auto& rejected =
      world->At<v1::ContributionRejected>(world->Find("contribution-rejected").back());
  CHECK(rejected.worker_id() == command.worker_id);
  CHECK(rejected.reason() == decided->answer.message());
  return rejected.reason();
}

TEST_CASE("Contributions: the same sealed delta again gets the same index and no second record") {
  std::string job;
  World world = WithOpenRound(&job);
  const SubmitContribution command = world.Contribute(job, "fr-1");
  const auto first = world.Do(command);
  REQUIRE(first.ok());
  const std::uint64_t size = world.state().size;
  const auto again = world.Do(command);
  REQUIRE(again.ok());
  CHECK(again->answer_index == first->answer_index);
  CHECK(again->answer.ok());
  CHECK(world.state().size == size);
}

TEST_CASE("Contributions: one whose receipt went astray gets it after the round and the job") {
  World world(11);
  const std::string job = world.Submit(1, 1);
  world.live = {world.worker("fr-1").id};
  world.Settle();
  const SubmitContribution command = world.Contribute(job, "fr-1");
  const SubmitContribution other = world.Contribute(job, "fr-1", "another");
  const auto first = world.Do(command);
  REQUIRE(first.ok());
  world.Settle();
  REQUIRE(world.state().jobs.at(job).phase == JobPhase::kCompleted);
  const auto again = world.Do(command);
  REQUIRE(again.ok());
  CHECK(again->answer_index == first->answer_index);
  CHECK(world.Find("contribution").size() == 1);
  // Another delta under the same name is not that one.
  CHECK_FALSE(world.Do(other).ok());
}

TEST_CASE("Contributions: a second different one is refused, on record, and the first stays") {
  std::string job;
  World world = WithOpenRound(&job);
  REQUIRE(world.Do(world.Contribute(job, "fr-1")).ok());
  CHECK(ReasonFor(&world, world.Contribute(job, "fr-1", "another")) ==
        reasons::kSecondContribution);
  CHECK(world.state().jobs.at(job).round->contributions.count(world.worker("fr-1").id) == 1);
  CHECK(world.state().jobs.at(job).round->out.empty());
}

TEST_CASE(
    "Contributions: each kind of lie has its own reason and leaves the worker out of the round") {
  struct Lie {
    const char* reason;
    void (*tell)(SubmitContribution*);
  };
  const Lie lies[] = {
      {reasons::kWrongSignature, [](SubmitContribution* c) { c->signed_by_worker = false; }},
      {reasons::kReplayed,
       [](SubmitContribution* c) { c->contribution.set_round_opened_index(1); }},
      {reasons::kReplayed, [](SubmitContribution* c) { c->contribution.set_attempt(7); }},
      {reasons::kWrongBaseModel,
       [](SubmitContribution* c) { c->contribution.set_base_model_sha256(std::string(32, 'x')); }},
      {reasons::kWrongShards, [](SubmitContribution* c) { c->contribution.clear_shard_sha256(); }},
      {reasons::kWrongHeader, [](SubmitContribution* c) { c->contribution.set_region("sg"); }},
      {reasons::kUnnamedMetric,
       [](SubmitContribution* c) { (*c->contribution.mutable_metrics())["secret"] = 1; }},
      {reasons::kSeenContradicts, [](SubmitContribution* c) { c->seen_in_log = false; }},
      {reasons::kNotFinite, [](SubmitContribution* c) { c->verdict = reasons::kNotFinite; }},
      {reasons::kNormAboveClip,
       [](SubmitContribution* c) { c->verdict = reasons::kNormAboveClip; }},
  };
  for (const Lie& lie : lies) {
    CAPTURE(lie.reason);
    std::string job;
    World world = WithOpenRound(&job);
    SubmitContribution command = world.Contribute(job, "fr-1");
    lie.tell(&command);
    CHECK(ReasonFor(&world, command) == lie.reason);
    CHECK(world.Find("contribution").empty());
    CHECK(world.state().jobs.at(job).round->out.at(world.worker("fr-1").id) == reasons::kRejected);
    // Out for this attempt: a good one comes too late.
    CHECK_FALSE(world.Do(world.Contribute(job, "fr-1")).ok());
  }
}

TEST_CASE("Contributions: who is not in the round, or revoked, leaves no record") {
  std::string job;
  World world = WithOpenRound(&job);
  const std::uint64_t size = world.state().size;
  SubmitContribution command = world.Contribute(job, "fr-1");
  command.worker_id = world.worker("br-1").id;
  CHECK(world.Do(command).status().code() == absl::StatusCode::kPermissionDenied);
  CHECK(world.state().size == size);
  REQUIRE(world.Do(RevokeWorker{kOperator, "fr-1", "operator"}).ok());
  CHECK(world.Do(world.Contribute(job, "fr-1")).status().code() ==
        absl::StatusCode::kPermissionDenied);
}

TEST_CASE("Contributions: after the deadline nothing is taken") {
  std::string job;
  World world = WithOpenRound(&job);
  world.Advance(absl::Minutes(11));
  CHECK(world.Do(world.Contribute(job, "fr-1")).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(world.Find("contribution").empty());
}

// ---- what a worker can put on record is bounded ----

v1::ShardClaim ClaimOf(const World& world, const Bytes& sha256) {
  REQUIRE(world.state().shards.count("digits/fr") == 1);
  v1::ShardClaim claim;
  claim.set_dataset("digits");
  claim.set_shard("fr");
  claim.set_sha256(ToString(sha256));
  return claim;
}

TEST_CASE("Claims: a worker that changes its word for ever is not believed at the end") {
  World world(71);
  const std::string id = world.worker("fr-1").id;
  const Bytes good = world.state().shards.at("digits/fr").sha256;
  const std::size_t before = world.Find("shard-staged").size();
  for (int i = 0; i < 40; ++i) {
    const Bytes other(32, static_cast<std::uint8_t>(i + 1));
    REQUIRE(world.Do(ClaimShards{id, {ClaimOf(world, i % 2 == 0 ? other : good)}}).ok());
  }
  CHECK(world.Find("shard-staged").size() - before == 16);
  CHECK(world.state().shards.at("digits/fr").holders.at(id) != good);
  CHECK(ClassOf(world.state().shards.at("digits/fr"), id) == LabelClass{});
  // Another worker has a word of its own.
  const std::string other = world.worker("home-1").id;
  REQUIRE(world.Do(ClaimShards{other, {ClaimOf(world, good)}}).ok());
  CHECK(world.Find("shard-staged").size() - before == 17);
}

// digits/fr on its way to home-1; its id.
std::string Staging(World& world) {
  REQUIRE(world.Do(StageData{kOperator, "digits", "fr", "home-1", world.live}).ok());
  return world.state().stagings.begin()->first;
}

TEST_CASE("Failed tasks: a kind that nobody knows is refused, and leaves no record") {
  World world(78);
  const std::string job = world.Submit(1, 2);
  world.Settle();
  const std::string id = world.worker("fr-1").id;
  const auto tasks = TasksFor(world.state(), id, world.now());
  REQUIRE(tasks.size() == 1);
  FailTask failed{id, TaskId(tasks.front().name), static_cast<v1::TaskFailure>(99)};
  CHECK(world.Do(failed).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(world.Find("task-failed").empty());
  failed.failure = v1::TASK_FAILURE_DISK;
  CHECK(world.Do(failed).ok());
  CHECK(world.At<v1::TaskFailed>(world.Find("task-failed").front()).reason() == "disk");
}

TEST_CASE("Stagings: an arrival is on record once, and only of what may still arrive") {
  World world(72);
  const std::string id = Staging(world);
  const Bytes sha256 = world.state().shards.at("digits/fr").sha256;
  const ConfirmStaged confirm{world.worker("home-1").id, id, sha256, Bytes(32, 7), 10};
  SECTION("again: the same record") {
    const auto first = world.Do(confirm);
    REQUIRE(first.ok());
    const std::uint64_t size = world.state().size;
    const auto again = world.Do(confirm);
    REQUIRE(again.ok());
    CHECK(again->answer_index == first->answer_index);
    CHECK(world.state().size == size);
    CHECK(world.Refold().stagings.at(id).staged_index == *first->answer_index);
  }
  SECTION("its shard is withdrawn") {
    REQUIRE(world.Do(WithdrawShard{kOperator, "digits", "fr", "licence-ended"}).ok());
    CHECK(world.Do(confirm).status().code() == absl::StatusCode::kFailedPrecondition);
  }
  SECTION("it has expired") {
    world.Advance(absl::Hours(24));
    CHECK(world.Do(confirm).status().code() == absl::StatusCode::kFailedPrecondition);
  }
}

TEST_CASE("Stagings: nobody but its two parties gives one up, each its own half") {
  World world(73);
  const std::string id = Staging(world);
  const auto fails = [&](const char* slot, const char* half) {
    return world
        .Do(FailTask{world.worker(slot).id, std::string(half) + "/" + id, v1::TASK_FAILURE_DISK})
        .status()
        .code();
  };
  CHECK(fails("sg-1", "send-shard") == absl::StatusCode::kFailedPrecondition);
  CHECK(fails("sg-1", "receive-shard") == absl::StatusCode::kFailedPrecondition);
  CHECK(fails("fr-1", "receive-shard") == absl::StatusCode::kFailedPrecondition);
  CHECK(fails("home-1", "send-shard") == absl::StatusCode::kFailedPrecondition);
  CHECK(world.Find("staging-abandoned").empty());
  SECTION("its sender") {
    CHECK(fails("fr-1", "send-shard") == absl::StatusCode::kOk);
  }
  SECTION("its receiver") {
    CHECK(fails("home-1", "receive-shard") == absl::StatusCode::kOk);
  }
  CHECK(world.Find("staging-abandoned").size() == 1);
}

}  // namespace
}  // namespace carnet::coordinator
