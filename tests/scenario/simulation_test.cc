// Random histories over the real core: workers come, go, lie and repeat themselves, time jumps,
// effects fail. After every step the invariants hold, and the fold of the records alone gives the
// same state.
#include <catch2/catch.hpp>
#include <random>

#include "coordinator/core/retention.h"
#include "coordinator/core/tasks.h"
#include "scenario/world.h"
#include "testing/seeds.h"

namespace carnet::coordinator {
namespace {

// What two states must agree on to be the same to everybody outside.
std::string Fingerprint(const State& state) {
  std::string text = std::to_string(state.size) + " " + absl::FormatTime(state.last);
  for (const auto& [id, job] : state.jobs) {
    text += "|" + id + " " + std::to_string(static_cast<int>(job.phase)) + " " +
            HexEncode(job.model_sha256) + " " + std::to_string(job.rounds_done) + " " +
            std::to_string(job.attempts_used) + " " + std::to_string(job.refusals) + " " +
            std::to_string(job.lineage.size());
    if (job.round.has_value()) {
      text += " r" + std::to_string(job.round->opened_index);
      for (const auto& [worker, contribution] : job.round->contributions) {
        text += "," + worker + std::to_string(contribution.index);
      }
      for (const auto& [worker, reason] : job.round->out) {
        text += "," + worker + reason;
      }
    }
  }
  for (const auto& [id, key] : state.keys) {
    text += "|" + id + std::to_string(static_cast<int>(key.phase));
  }
  for (const auto& [key, index] : state.refusal_keys) {
    text += "|" + std::to_string(index);
  }
  return text;
}

void CheckInvariants(const World& world) {
  std::set<std::string> contributions;
  for (const std::uint64_t index : world.Find("contribution")) {
    const auto& record = world.At<v1::Contribution>(index);
    const std::string key = record.job_id() + "/" + std::to_string(record.round()) + "/" +
                            std::to_string(record.attempt()) + "/" + record.worker_id();
    CHECK(contributions.insert(key).second);  // one for each worker and attempt
    const auto& opened = world.At<v1::RoundOpened>(record.round_opened_index());
    CHECK(opened.round() == record.round());
  }
  std::set<std::string> aggregates;
  for (const std::uint64_t index : world.Find("aggregate")) {
    const auto& record = world.At<v1::Aggregate>(index);
    CHECK(aggregates.insert(record.job_id() + "/" + std::to_string(record.round())).second);
    CHECK(record.included_size() > 0);  // zero contributions never publish a model
    for (const std::uint64_t included : record.included()) {
      CHECK(world.log().at(included).type == "contribution");
    }
  }
  // Whoever was let in has a decision for every crossing.
  for (const std::uint64_t index : world.Find("round-opened")) {
    for (const v1::RoundMember& member : world.At<v1::RoundOpened>(index).members()) {
      CHECK(member.authorisations_size() >= 6);
    }
  }
}

class Chaos {
 public:
  Chaos(World* world, std::uint64_t seed) : world_(*world), random_(seed) {}

  void Step() {
    static const char* const kSlots[] = {"ae-1", "br-1", "fr-1", "sg-1"};
    const std::string slot = kSlots[random_() % 4];
    const std::string worker = world_.worker(slot).id;
    switch (random_() % 10) {
      case 0:
        world_.Advance(absl::Seconds(static_cast<std::int64_t>(random_() % 900)));
        break;
      case 1:
        world_.live.erase(worker);
        break;
      case 2:
      case 3:
        world_.live.insert(worker);
        break;
      case 4:
        Fail(worker);
        break;
      case 5:
        if (random_() % 8 == 0) {
          world_.AddEvidence(random_() % 2 == 0 ? "tia" : "scc-2021-914", "falcon", "AE");
        }
        break;
      default:
        Contribute(slot);
    }
    world_.Settle();
  }

 private:
  void Contribute(const std::string& slot) {
    for (const auto& [id, job] : world_.state().jobs) {
      if (job.phase != JobPhase::kRunning || !job.round.has_value()) {
        continue;
      }
      SubmitContribution command =
          world_.Contribute(id, slot, random_() % 6 == 0 ? "other" : "delta");
      if (random_() % 6 == 0) {
        command.verdict = "not-finite";
      }
      (void)world_.Do(command).status();  // refusals are part of the game
      return;
    }
  }
  void Fail(const std::string& worker) {
    for (const OpenTask& task : TasksFor(world_.state(), worker, world_.now())) {
      (void)world_.Do(FailTask{worker, TaskId(task.name), v1::TASK_FAILURE_TRAINER_CRASHED})
          .status();
      return;
    }
  }

  World& world_;
  std::mt19937_64 random_;
};

TEST_CASE("Simulation: no history of failing, lying and repeating workers breaks an invariant") {
  for (const std::uint64_t seed : testing::Seeds(6)) {
    CAPTURE(seed);
    World world(1000 + seed);
    world.AddEvidence("scc-2021-914", "lion", "SG");
    world.AddEvidence("tia", "lion", "SG");
    world.Submit(4, 2);
    Chaos chaos(&world, seed);
    for (int step = 0; step < 60; ++step) {
      CAPTURE(step);
      chaos.Step();
    }
    CheckInvariants(world);
    CHECK(Fingerprint(world.Refold()) == Fingerprint(world.state()));
  }
}

}  // namespace
}  // namespace carnet::coordinator
