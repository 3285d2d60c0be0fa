// What people see and may see: coordinator/rpc/jobs_status.h, jobs_check.h, jobs_manifest.h,
// admin_status.h. The states come from the real core.
#include <algorithm>
#include <catch2/catch.hpp>

#include "coordinator/core/job_spec.h"
#include "coordinator/core/release.h"
#include "coordinator/rpc/admin_status.h"
#include "coordinator/rpc/jobs_check.h"
#include "coordinator/rpc/jobs_manifest.h"
#include "coordinator/rpc/jobs_status.h"
#include "scenario/bridge_world.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

const Job& JobOf(const World& world, const std::string& job_id) {
  return world.state().jobs.at(job_id);
}

State StateWithUser(const std::string& id, std::set<std::string> roles) {
  State state;
  User& user = state.users[id];
  user.id = id;
  user.roles = std::move(roles);
  user.index = 1;
  return state;
}

void PlayRound(World& world, const std::string& job) {
  world.ContributeAll(job);
  world.Settle();
}

const v1::RegionVerdict& RegionOf(const v1::CheckJobResponse& response, const std::string& name) {
  const auto& regions = response.regions();
  const auto found =
      std::find_if(regions.begin(), regions.end(),
                   [&name](const v1::RegionVerdict& region) { return region.region() == name; });
  REQUIRE(found != regions.end());
  return *found;
}

bool Denied(const v1::RegionVerdict& region) {
  return !region.decisions().empty() && region.decisions(0).verdict() != v1::VERDICT_ALLOW;
}

// The spec of a job over digits/*, as World submits it.
v1::JobSpec DigitsSpec(World& world) {
  return JobOf(world, world.Submit(3, 2)).submitted.spec();
}

}  // namespace

TEST_CASE("Job status: submitted, waiting with its reason, running, stopped with its reason") {
  World world(31);
  world.live.clear();
  const std::string job = world.Submit(3, 2);
  CHECK(MakeJobStatus(JobOf(world, job), {}).state() == v1::JOB_STATE_SUBMITTED);
  const v1::JobStatus waiting =
      MakeJobStatus(JobOf(world, job), {{job, "eligible workers: 0 of 2"}});
  CHECK(waiting.state() == v1::JOB_STATE_WAITING);
  CHECK(waiting.waiting_for() == "eligible workers: 0 of 2");
  CHECK(MakeJobStatus(JobOf(world, job), {{"j-other", "x"}}).state() == v1::JOB_STATE_SUBMITTED);

  World busy(32);
  const std::string running = busy.Submit(3, 2);
  busy.Settle();
  const v1::JobStatus status = MakeJobStatus(JobOf(busy, running), {});
  CHECK(status.state() == v1::JOB_STATE_RUNNING);
  CHECK(status.round() == 1);
  CHECK(status.rounds() == 3);
  CHECK(status.model_sha256().empty());
  REQUIRE(busy.Do(StopJob{kOperator, running}).ok());
  // A reason to wait that is not cleared yet does not outlive the job.
  const v1::JobStatus stopped = MakeJobStatus(JobOf(busy, running), {{running, "old"}});
  CHECK(stopped.state() == v1::JOB_STATE_STOPPED);
  CHECK(stopped.waiting_for().empty());
  CHECK(stopped.end_reason() == "asked");
}

TEST_CASE("Job status: counts sealed bytes over each border, and none that stay at home") {
  World world(33);
  const std::string job = world.Submit(2, 2);
  world.Settle();
  PlayRound(world, job);
  const v1::JobStatus status = MakeJobStatus(JobOf(world, job), {});
  CHECK(status.model_sha256() == AsText(JobOf(world, job).model_sha256));
  CHECK(status.refusals() == JobOf(world, job).refusals);
  std::set<std::pair<std::string, std::string>> borders;
  for (const v1::BorderTraffic& traffic : status.traffic()) {
    CHECK(traffic.from() != traffic.to());
    CHECK(traffic.bytes() > 0);
    borders.insert({traffic.from(), traffic.to()});
  }
  CHECK(borders.count({"DE", "FR"}) == 1);
  CHECK(borders.count({"FR", "DE"}) == 1);
  CHECK(borders.count({"DE", "BR"}) == 0);
}

TEST_CASE("Roles: a member sees and exports their own jobs, others see all, operators export all") {
  Job job;
  job.id = "j-1";
  job.submitted.set_submitter("u-owner");
  const auto with_job = [&](const std::string& user, std::set<std::string> roles) {
    State state = StateWithUser(user, std::move(roles));
    state.jobs[job.id] = job;
    return state;
  };
  CHECK(VisibleJob(with_job("u-owner", {"member"}), "u-owner", "j-1").ok());
  CHECK(ExportableJob(with_job("u-owner", {"member"}), "u-owner", "j-1").ok());
  const State member = with_job("u-other", {"member"});
  CHECK(absl::IsPermissionDenied(VisibleJob(member, "u-other", "j-1").status()));
  CHECK(absl::IsPermissionDenied(ExportableJob(member, "u-other", "j-1").status()));
  const State auditor = with_job("u-other", {"auditor"});
  CHECK(VisibleJob(auditor, "u-other", "j-1").ok());
  CHECK(absl::IsPermissionDenied(ExportableJob(auditor, "u-other", "j-1").status()));
  for (const char* role : {"operator", "admin"}) {
    CHECK(ExportableJob(with_job("u-other", {role}), "u-other", "j-1").ok());
  }
  CHECK(absl::IsPermissionDenied(VisibleJob(member, "u-nobody", "j-1").status()));
  CHECK(absl::IsNotFound(VisibleJob(member, "u-other", "j-2").status()));
  CHECK(absl::IsNotFound(ExportableJob(member, "u-other", "j-2").status()));
}

TEST_CASE("Roles: workers, data and refusals are not for bare members") {
  CHECK(RequireOverview(StateWithUser("u-1", {"dpo"}), "u-1").ok());
  CHECK(RequireOverview(StateWithUser("u-1", {"member", "operator"}), "u-1").ok());
  CHECK(absl::IsPermissionDenied(RequireOverview(StateWithUser("u-1", {"member"}), "u-1")));
  CHECK(absl::IsPermissionDenied(RequireOverview(StateWithUser("u-1", {}), "u-1")));
  CHECK(absl::IsPermissionDenied(RequireOverview(StateWithUser("u-1", {"dpo"}), "u-2")));
}

TEST_CASE(
    "Job check: says no where policy does, records nothing, and denied decisions come first") {
  World world(34);
  const v1::JobSpec spec = DigitsSpec(world);
  const std::size_t records = world.log().size();
  const auto checked = CheckJob(world.state(), spec, world.now(), world.Random(32));
  REQUIRE(checked.ok());
  CHECK(world.log().size() == records);
  CHECK(Denied(RegionOf(*checked, "br")));
  CHECK(RegionOf(*checked, "br").workers(0) == "br-1");
  CHECK_FALSE(Denied(RegionOf(*checked, "fr")));
  CHECK_FALSE(Denied(RegionOf(*checked, "home")));
  bool allowed = false;
  for (const v1::Decision& decision : RegionOf(*checked, "br").decisions()) {
    allowed = allowed || decision.verdict() == v1::VERDICT_ALLOW;
    CHECK(allowed == (decision.verdict() == v1::VERDICT_ALLOW));
  }
}

TEST_CASE("Job check: foresees that the model will have seen the data of those who are let in") {
  World world(35);
  const v1::JobSpec spec = DigitsSpec(world);
  const auto before = CheckJob(world.state(), spec, world.now(), world.Random(32));
  REQUIRE(before.ok());
  // The first model may go to Singapore; one that has learned from people in France may not.
  CHECK(Denied(RegionOf(*before, "sg")));
  for (const char* kind : {"scc-2021-914", "tia"}) {
    world.AddEvidence(kind, "lion", "SG");
    world.AddEvidence(kind, "falcon", "AE");
  }
  const auto after = CheckJob(world.state(), spec, world.now(), world.Random(32));
  REQUIRE(after.ok());
  CHECK_FALSE(Denied(RegionOf(*after, "sg")));
  CHECK_FALSE(Denied(RegionOf(*after, "ae")));
  // Nobody trains on the data in Brazil, so no model carries it.
  for (const v1::RegionVerdict& region : after->regions()) {
    for (const v1::Decision& decision : region.decisions()) {
      CHECK((region.region() == "br" ||
             decision.flow().label_class().find("BR") == std::string::npos));
    }
  }
}

TEST_CASE("Job check: refuses a job that is not one, and data that nobody registered") {
  World world(36);
  v1::JobSpec spec = DigitsSpec(world);
  spec.set_data(0, "nothing/*");
  CHECK(absl::IsNotFound(CheckJob(world.state(), spec, world.now(), world.Random(32)).status()));
  spec.set_data(0, "digits/*");
  spec.mutable_local()->set_steps(0);
  CHECK(absl::IsInvalidArgument(
      CheckJob(world.state(), spec, world.now(), world.Random(32)).status()));
  spec.mutable_local()->set_steps(1);
  spec.mutable_privacy()->set_mode(v1::PRIVACY_MODE_SECAGG);
  CHECK(
      absl::IsUnimplemented(CheckJob(world.state(), spec, world.now(), world.Random(32)).status()));
}

TEST_CASE("Manifest: of a round that is finished and durable, with what led to it") {
  World world(37);
  for (const char* kind : {"scc-2021-914", "tia"}) {
    world.AddEvidence(kind, "lion", "SG");
    world.AddEvidence(kind, "falcon", "AE");
  }
  const std::string job = world.Submit(3, 2);
  world.Settle();
  CHECK(absl::IsNotFound(ManifestFactsOf(JobOf(world, job), 0, world.state().size).status()));
  CHECK(absl::IsNotFound(ResultOfRound(JobOf(world, job), 0).status()));
  PlayRound(world, job);
  PlayRound(world, job);
  const std::uint64_t size = world.state().size;
  const auto first = ManifestFactsOf(JobOf(world, job), 1, size);
  const auto newest = ManifestFactsOf(JobOf(world, job), 0, size);
  REQUIRE(first.ok());
  REQUIRE(newest.ok());
  CHECK(first->round == 1);
  CHECK(newest->round == 2);
  CHECK(AsText(first->model_sha256) ==
        AsText((*ResultOfRound(JobOf(world, job), 1))->model_sha256));
  CHECK(AsText(newest->model_sha256) ==
        AsText((*ResultOfRound(JobOf(world, job), 0))->model_sha256));
  CHECK(first->records.back() == first->aggregate_index);
  CHECK(std::includes(newest->records.begin(), newest->records.end(), first->records.begin(),
                      first->records.end()));
  CHECK(absl::IsNotFound(ManifestFactsOf(JobOf(world, job), 3, size).status()));
  CHECK(absl::IsNotFound(ResultOfRound(JobOf(world, job), 3).status()));
  // An aggregate that is decided but not durable is not there yet.
  CHECK(absl::IsNotFound(ManifestFactsOf(JobOf(world, job), 2, newest->aggregate_index).status()));
}

TEST_CASE("Manifest: what a policy engine was asked stays at home") {
  World world = WorldOf(40, "place, aggregate");
  Opa opa;
  world.bridge = opa.Caller();
  const std::string job = world.Submit(1, 2);
  world.Settle();
  PlayRound(world, job);
  const std::vector<std::uint64_t> verdicts = world.Find("bridge-verdict");
  REQUIRE(verdicts.size() > 1);
  const std::vector<std::uint64_t>& all = JobOf(world, job).records;
  CHECK(std::find(all.begin(), all.end(), verdicts.front()) != all.end());
  const auto facts = ManifestFactsOf(JobOf(world, job), 0, world.state().size);
  REQUIRE(facts.ok());
  REQUIRE(facts->records.size() > 1);
  for (const std::uint64_t index : facts->records) {
    CHECK(world.log().at(index).type != "bridge-verdict");
  }
}

TEST_CASE("Metrics: one entry for each finished round") {
  World world(38);
  const std::string job = world.Submit(2, 2);
  world.Settle();
  CHECK(MakeJobMetrics(JobOf(world, job)).rounds().empty());
  PlayRound(world, job);
  const v1::GetMetricsResponse metrics = MakeJobMetrics(JobOf(world, job));
  REQUIRE(metrics.rounds_size() == 1);
  CHECK(metrics.rounds(0).round() == 1);
  CHECK(metrics.rounds(0).contributions() == 3);
}

TEST_CASE("Worker status: a revoked worker is not live whatever it still sends") {
  World world(39);
  const Worker& worker = world.state().workers.at(world.worker("sg-1").id);
  const v1::WorkerStatus status =
      MakeWorkerStatus(world.state(), worker, {true, "train/j/1/1", 0.5}, world.now());
  CHECK(status.slot() == "sg-1");
  CHECK(status.region() == "sg");
  CHECK(status.jurisdictions(0) == "SG");
  CHECK(status.location() == v1::LOCATION_GRADE_CONTRACT);
  CHECK(status.live());
  CHECK(status.current_task() == "train/j/1/1");
  CHECK(status.shards(0) == "digits/sg");
  Worker revoked = worker;
  revoked.revoked = true;
  CHECK_FALSE(MakeWorkerStatus(world.state(), revoked, {true, "", 0}, world.now()).live());
}

TEST_CASE("Staging status: ordered until the sealed shard is whole at home, then uploaded") {
  Staging staging;
  CHECK(MakeStagingStatus(staging, false).state() == "ordered");
  CHECK(MakeStagingStatus(staging, true).state() == "uploaded");
  staging.phase = StagingPhase::kStaged;
  staging.sealed_bytes = 7;
  CHECK(MakeStagingStatus(staging, true).state() == "staged");
  CHECK(MakeStagingStatus(staging, true).sealed_bytes() == 7);
  staging.phase = StagingPhase::kAbandoned;
  staging.reason = "deadline";
  CHECK(MakeStagingStatus(staging, false).state() == "abandoned");
  CHECK(MakeStagingStatus(staging, false).reason() == "deadline");
}

}  // namespace carnet::coordinator
