// coordinator/core/live_uses.h: which process of a worker counts, and when two live at once.
#include "coordinator/core/live_uses.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>

namespace carnet::coordinator {
namespace {

// Processes that poll: each remembers the turn of its last answer.
class Worker {
 public:
  // `process` polls, and reads the answer unless it ends before.
  LiveUse Poll(const std::string& process, bool reads = true) {
    const LiveUses::Heard heard =
        uses_.Hear("w", Instance(process), turns_[process], "turn " + std::to_string(++draws_));
    if (reads) {
      turns_[process] = heard.turn;
    }
    return heard.use;
  }
  // A stream of it: says no turn.
  LiveUse Stream(const std::string& process) {
    return uses_.Hear("w", Instance(process), "", "turn " + std::to_string(++draws_)).use;
  }
  LiveUses& uses() { return uses_; }

 private:
  static std::string Instance(const std::string& process) { return "instance " + process; }

  LiveUses uses_;
  std::map<std::string, std::string> turns_;
  int draws_ = 0;
};

}  // namespace

TEST_CASE("Live uses: one process may poll and stream as often as it likes") {
  Worker worker;
  for (int i = 0; i < 3; ++i) {
    CHECK(worker.Poll("A") == LiveUse::kNewest);
    CHECK(worker.Stream("A") == LiveUse::kNewest);
  }
  CHECK(worker.uses().size() == 1);
}

TEST_CASE("Live uses: a restarted worker is never taken for two") {
  Worker worker;
  SECTION("however often it restarts") {
    for (int i = 0; i < 100; ++i) {
      CHECK(worker.Poll(std::to_string(i)) == LiveUse::kNewest);
    }
  }
  SECTION("nor when the network delivers what the dead process said") {
    CHECK(worker.Poll("A") == LiveUse::kNewest);
    CHECK(worker.Poll("B") == LiveUse::kNewest);
    // However much of it there is: nobody reads the answers.
    for (int i = 0; i < 5; ++i) {
      CHECK(worker.Poll("A", false) == LiveUse::kSuperseded);
      CHECK(worker.Stream("A") == LiveUse::kSuperseded);
      CHECK(worker.Poll("B") == LiveUse::kNewest);
    }
  }
  SECTION("nor when it restarts again before that comes") {
    CHECK(worker.Poll("A") == LiveUse::kNewest);
    CHECK(worker.Poll("B") == LiveUse::kNewest);
    CHECK(worker.Poll("C") == LiveUse::kNewest);
    CHECK(worker.Poll("B", false) == LiveUse::kSuperseded);
    CHECK(worker.Poll("A", false) == LiveUse::kSuperseded);
  }
}

TEST_CASE("Live uses: a superseded process that reads an answer and comes back shows two") {
  Worker worker;
  CHECK(worker.Poll("A") == LiveUse::kNewest);
  CHECK(worker.Poll("B") == LiveUse::kNewest);
  CHECK(worker.Poll("A") == LiveUse::kSuperseded);
  SECTION("at its next poll") {
    CHECK(worker.Poll("A") == LiveUse::kTwo);
    CHECK(worker.Poll("B") == LiveUse::kNewest);
    CHECK(worker.Poll("A") == LiveUse::kTwo);  // until it is revoked
  }
  SECTION("not by what it sends besides") {
    CHECK(worker.Stream("A") == LiveUse::kSuperseded);
    CHECK(worker.Poll("A") == LiveUse::kTwo);
  }
  SECTION("also with a third one about: its turn is one more") {
    CHECK(worker.Poll("C") == LiveUse::kNewest);
    CHECK(worker.Poll("A") == LiveUse::kSuperseded);
    CHECK(worker.Poll("A") == LiveUse::kTwo);
    CHECK(worker.Poll("B") == LiveUse::kSuperseded);
    CHECK(worker.Poll("B") == LiveUse::kTwo);
  }
}

TEST_CASE("Live uses: copies that take turns are found out, whoever is the newest") {
  // Three that poll one after the other, as three copies of one state folder do.
  Worker worker;
  int two = 0;
  for (int round = 0; round < 3; ++round) {
    for (const char* process : {"A", "B", "C"}) {
      two += worker.Poll(process) == LiveUse::kTwo ? 1 : 0;
    }
  }
  CHECK(two > 0);
}

TEST_CASE("Live uses: each worker has an entry of bounded size, and none when it is forgotten") {
  LiveUses uses;
  for (int i = 0; i <= static_cast<int>(kSupersededMax) + 1; ++i) {
    uses.Hear("w-1", std::to_string(i), "", "t" + std::to_string(i));
  }
  // The newest kSupersededMax before it are known; the very first one counts as another restart.
  CHECK(uses.Hear("w-1", "1", "", "t").use == LiveUse::kSuperseded);
  CHECK(uses.Hear("w-1", "0", "", "t").use == LiveUse::kNewest);
  CHECK(uses.Hear("w-2", "0", "", "t").use == LiveUse::kNewest);
  CHECK(uses.size() == 2);
  uses.Forget("w-1");
  CHECK(uses.size() == 1);
  CHECK(uses.Hear("w-1", "1", "", "t").use == LiveUse::kNewest);
}

}  // namespace carnet::coordinator
