#include "coordinator/effects/effects.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/rng.h"
#include "crypto/sealed.h"
#include "tests/unit/ledger/temp_dir.h"

namespace carnet::coordinator {
namespace {

namespace fs = std::filesystem;

// Effects over real files.
struct Desk {
  Desk() {
    REQUIRE(blobs.ok());
    REQUIRE(keys.ok());
  }

  fs::path PathOf(std::uint8_t digit) const {
    return (*blobs)->PathOf({BlobKind::kDelta, Bytes(32, digit)});
  }

  const testing_ledger::TempDir dir;
  const absl::StatusOr<std::unique_ptr<Blobs>> blobs = Blobs::Open(dir.path() / "blobs");
  const absl::StatusOr<crypto::KeyFiles> keys =
      crypto::KeyFiles::Open((dir.path() / "keys").string());
  SystemRng rng;
  BoundedExecutor storage{{.name = "storage", .threads = 1, .queue_tasks_max = 4}};
  BoundedExecutor aggregation{{.name = "aggregation", .threads = 1, .queue_tasks_max = 4}};
  BoundedExecutor bridge{{.name = "bridge", .threads = 1, .queue_tasks_max = 4}};
  FileEffects effects{{1, dir.path() / "vault"}, **blobs, *keys, rng, storage, aggregation, bridge};
};

TEST_CASE("Effects: a sweep that failed is tried again, and one that was done is not") {
  Desk desk;
  const auto sweep = [&] {
    desk.effects.Start(Effect{"sweep/1800000000", DestroyKeys{}}, State{}, true, [](auto) {});
    desk.storage.Drain();
  };
  const auto write = [&](std::uint8_t digit) {
    const fs::path file = desk.PathOf(digit);
    REQUIRE(WriteFileAtomic(file, ToBytes("sealed")).ok());
    return file;
  };
  // What stands under the name cannot be unlinked: it is a folder that is not empty.
  const fs::path stuck = desk.PathOf(1);
  fs::create_directories(stuck / "x");
  const fs::path after = write(2);
  sweep();
  CHECK(fs::exists(after));
  fs::remove_all(stuck);
  sweep();
  CHECK_FALSE(fs::exists(after));

  const fs::path later = write(3);
  sweep();
  CHECK(fs::exists(later));
}

// What a record says is not so before it is durable: a file that it needs no more may be needed
// after a crash. A key is named by the record that orders its destruction, which is durable.
TEST_CASE("Effects: files go on the word of a durable state alone, keys at once") {
  Desk desk;
  crypto::SecretBytes secret(crypto::kDataKeyBytes);
  REQUIRE(desk.keys->Create("k-1", crypto::KeyKind::kDataKey, secret).ok());
  const fs::path file = desk.PathOf(1);
  REQUIRE(WriteFileAtomic(file, ToBytes("sealed")).ok());
  const auto start = [&](const DestroyKeys& keys, bool durable) {
    std::size_t answers = 0;
    desk.effects.Start(Effect{"sweep/1800000000", keys}, State{}, durable,
                       [&](const auto& next) { answers = next.size(); });
    desk.storage.Drain();
    return answers;
  };
  CHECK(start({}, false) == 0);
  CHECK(start({{"k-1"}}, false) == 1);
  CHECK_FALSE(desk.keys->Read("k-1", crypto::KeyKind::kDataKey).ok());
  CHECK(fs::exists(file));
  SECTION("with the next keys") {
    CHECK(start({{"k-2"}}, true) == 1);
  }
  SECTION("with the next sweep") {
    CHECK(start({}, true) == 0);
  }
  CHECK_FALSE(fs::exists(file));
}

// Between the decision to combine a round and the moment at which its record is durable, a person
// may stop the job, and a new attempt may be under way.
TEST_CASE("Effects: a round that is not there any more is not combined") {
  Desk desk;
  State state;
  Job& job = state.jobs["j-1"];
  job.id = "j-1";
  const auto open = [&job](std::uint32_t attempt) {
    job.round.emplace();
    job.round->opened.set_round(3);
    job.round->opened.set_attempt(attempt);
  };
  SECTION("its job was stopped") {
    job.phase = JobPhase::kStopped;
    REQUIRE_FALSE(job.round.has_value());
  }
  SECTION("another attempt is open") {
    open(2);
    REQUIRE_FALSE(job.round->closed.has_value());
  }
  SECTION("another attempt is closed") {
    open(2);
    job.round->closed.emplace();
    REQUIRE(job.round->closed.has_value());
  }
  int done = 0;
  std::vector<CommandBody> next;
  desk.effects.Start(Effect{"aggregate/j-1/3/1/0", AggregateRound{"j-1", 3, 1}}, state, true,
                     [&](std::vector<CommandBody> commands) {
                       ++done;
                       next = std::move(commands);
                     });
  desk.aggregation.Drain();
  CHECK(done == 1);
  CHECK(next.empty());
}

}  // namespace
}  // namespace carnet::coordinator
