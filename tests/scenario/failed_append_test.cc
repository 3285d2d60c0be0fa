// A decision whose record cannot be made durable opens nothing: the real engine over a real log.
// And what it says of decisions in which something went wrong.
#include <catch2/catch.hpp>
#include <filesystem>
#include <future>
#include <memory>

#include "base/executor.h"
#include "base/log.h"
#include "coordinator/core/judge.h"
#include "coordinator/engine/decision_alarm.h"
#include "coordinator/engine/engine.h"
#include "ledger/log.h"
#include "scenario/world.h"
#include "tests/unit/ledger/temp_dir.h"

namespace carnet::coordinator {
namespace {

class StillClock final : public Clock {
 public:
  explicit StillClock(absl::Time now) : now_(now) {}
  absl::Time Now() const override { return now_; }
  absl::Duration MonotonicNow() const override { return absl::Seconds(1); }

 private:
  const absl::Time now_;
};

class NoEffects final : public Effects {
 public:
  void Start(const Effect&, const State&, bool, Done) override {}
  void Stop(const std::string&) override {}
  void Discard(const CommandBody&) override {}
};

// What came to anybody outside.
struct Heard {
  std::promise<void> task;  // fr-1 was given one
  std::promise<int> fatal;  // the process must end, with this code
  bool given = false;
  bool answered = false;  // the person who asked was told yes
};

class Process {
 public:
  Process(const World& world, const std::filesystem::path& folder)
      : world_(world), clock_(world.now()) {
    std::filesystem::create_directories(folder / "state");
    std::filesystem::create_directories(folder / "other-device");
    auto log = ledger::Log::Open({.state_dir = folder / "state",
                                  .head_file = folder / "other-device" / "head",
                                  .origin = world.state().genesis.origin()},
                                 Key());
    INFO(log.status().ToString());
    REQUIRE(log.ok());
    log_ = *std::move(log);
    REQUIRE(log_->Append(world.signed_log()).ok());
    keys_.Add(Key());
    EngineOptions options;
    options.start_grace = absl::ZeroDuration();
    engine_ = std::make_unique<Engine>(
        options, world.state(), *log_, keys_, clock_, rng_, commit_, metrics_,
        [this](int code, absl::Status) { heard.fatal.set_value(code); });
    engine_->SetEffects(&effects_);
    engine_->Start();
  }
  ~Process() { engine_->Stop(); }

  // Both ends are there, and somebody asks for the shard to be moved.
  void StageToHome() {
    for (const char* slot : {"home-1", "fr-1"}) {
      Poll poll;
      poll.worker_id = world_.worker(slot).id;
      engine_->PollTask(poll, [this](absl::StatusOr<PollAnswer> answer) {
        if (answer.ok() && answer->task.has_value()) {
          heard.given = true;
          heard.task.set_value();
        }
      });
    }
    engine_->Submit(StageData{kOperator, "digits", "fr", "home-1", {}}, "",
                    [this](absl::StatusOr<Answer> answer) {
                      heard.answered = answer.ok() && answer->status.ok();
                    });
  }
  absl::Status Do(CommandBody body) {
    std::promise<absl::Status> said;
    engine_->Submit(std::move(body), "",
                    [&said](absl::StatusOr<Answer> answer) { said.set_value(answer.status()); });
    return said.get_future().get();
  }
  void Stop() { engine_->Stop(); }

  Heard heard;

 private:
  crypto::Ed25519KeyPair Key() const {
    return *crypto::Ed25519KeyPair::FromSeed(world_.statement_key().seed());
  }

  const World& world_;
  StillClock clock_;
  SystemRng rng_;
  Metrics metrics_;
  StatementKeys keys_;
  NoEffects effects_;
  std::unique_ptr<ledger::Log> log_;
  BoundedExecutor commit_{BoundedExecutor::Options{"commit", 1, 4}};
  std::unique_ptr<Engine> engine_;
};

TEST_CASE("Failed append: what is durable opens its task, and what is not opens none") {
  World world(981);
  const testing_ledger::TempDir folder;
  Process process(world, folder.path());
  SECTION("the record is durable") {
    process.StageToHome();
    process.heard.task.get_future().wait();
    process.Stop();
    CHECK(process.heard.given);
    CHECK(process.heard.answered);
  }
  SECTION("its head cannot be written") {
    std::filesystem::remove_all(folder.path() / "other-device");
    process.StageToHome();
    CHECK(process.heard.fatal.get_future().get() == 5);
    process.Stop();
    CHECK_FALSE(process.heard.given);
    CHECK_FALSE(process.heard.answered);
  }
}

TEST_CASE("Engine: a record that cannot be written is refused, and everybody else goes on") {
  World world(982);
  const testing_ledger::TempDir folder;
  Process process(world, folder.path());
  const std::string id = world.worker("fr-1").id;
  CHECK(process.Do(RevokeWorker{kOperator, id, std::string(ledger::kStatementBytesMax, 'x')})
            .code() == absl::StatusCode::kResourceExhausted);
  CHECK(process.Do(RevokeWorker{kOperator, id, "\xff"}).code() == absl::StatusCode::kInternal);
  CHECK(process.Do(RevokeWorker{kOperator, id, "left"}).ok());
  process.Stop();
}

TEST_CASE("Decision alarm: a denial in error is counted and logged, and one by a rule is not") {
  v1::Refusal refusal;
  refusal.set_worker_id("w-aaaaaaaaaaaaaaaa");
  refusal.add_decisions()->add_failures()->set_reason(kFactsError);
  refusal.add_decisions()->add_failures()->set_reason("house/place-is-known");
  v1::TransferCut cut;
  cut.add_decisions()->add_failures()->set_reason(kBundleError);
  std::vector<std::string> lines;
  SetLogSink([&lines](absl::string_view line) { lines.emplace_back(line); });
  Metrics metrics;
  AlarmOfErrors({refusal, {}, std::nullopt}, metrics);
  AlarmOfErrors({cut, {}, std::nullopt}, metrics);
  AlarmOfErrors({v1::RoundOpened(), {}, std::nullopt}, metrics);
  SetLogSink(nullptr);
  REQUIRE(lines.size() == 2);
  CHECK_THAT(lines[0], Catch::Contains("policy.decision-in-error") && Catch::Contains("error") &&
                           Catch::Contains(kFactsError) && Catch::Contains("w-aaaaaaaaaaaaaaaa"));
  CHECK_THAT(metrics.ExpositionText(),
             Catch::Contains("carnet_decisions_in_error_total{reason=\"facts/error\"} 1") &&
                 Catch::Contains("carnet_decisions_in_error_total{reason=\"bundle/error\"} 1"));
}

}  // namespace
}  // namespace carnet::coordinator
