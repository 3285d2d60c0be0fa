#include "base/executor.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <thread>

namespace carnet {
namespace {

using Code = absl::StatusCode;

BoundedExecutor::Options Options(int threads, std::size_t queue_tasks_max) {
  return {.name = "test", .threads = threads, .queue_tasks_max = queue_tasks_max};
}

// Keeps the only thread of `executor` busy until Open.
class Gate {
 public:
  explicit Gate(BoundedExecutor& executor) {
    REQUIRE(executor
                .TrySubmit([this] {
                  entered_.set_value();
                  open_.get_future().wait();
                })
                .ok());
    entered_.get_future().wait();
  }
  void Open() { open_.set_value(); }

 private:
  std::promise<void> entered_;
  std::promise<void> open_;
};

TEST_CASE("BoundedExecutor: runs every task it took") {
  std::atomic<int> ran = 0;
  {
    BoundedExecutor executor(Options(2, 4));
    for (int i = 0; i < 100; ++i) {
      REQUIRE(executor.Submit([&ran] { ++ran; }).ok());
    }
    executor.Drain();
    CHECK(ran == 100);
    CHECK(executor.metrics().finished_tasks == 100);
    CHECK(executor.metrics().queued_tasks == 0);
    CHECK(executor.metrics().running_tasks == 0);
  }
}

TEST_CASE("BoundedExecutor: refuses at once when its queue is full, and drops the task") {
  BoundedExecutor executor(Options(1, 2));
  Gate gate(executor);
  CHECK(executor.TrySubmit([] {}).ok());
  CHECK(executor.TrySubmit([] {}).ok());
  auto held = std::make_shared<int>(0);
  CHECK(executor.TrySubmit([held] { ++*held; }).code() == Code::kResourceExhausted);
  CHECK(held.use_count() == 1);
  CHECK(executor.metrics().refused_tasks == 1);
  CHECK(executor.metrics().queued_tasks == 2);
  gate.Open();
  executor.Drain();
  CHECK(executor.TrySubmit([] {}).ok());
  CHECK(*held == 0);
}

TEST_CASE("BoundedExecutor: Submit waits for a place") {
  BoundedExecutor executor(Options(1, 1));
  Gate gate(executor);
  std::atomic<int> ran = 0;
  REQUIRE(executor.TrySubmit([&ran] { ++ran; }).ok());
  absl::Status outcome = absl::UnknownError("not run");
  std::thread waiter([&] { outcome = executor.Submit([&ran] { ++ran; }); });
  gate.Open();
  waiter.join();
  CHECK(outcome.ok());
  executor.Drain();
  CHECK(ran == 2);
}

TEST_CASE("BoundedExecutor: Stop runs what is queued, takes nothing more and may be called again") {
  BoundedExecutor executor(Options(1, 8));
  Gate gate(executor);
  int ran = 0;
  for (int i = 0; i < 8; ++i) {
    REQUIRE(executor.TrySubmit([&ran] { ++ran; }).ok());
  }
  gate.Open();
  executor.Stop();
  CHECK(ran == 8);
  CHECK(executor.TrySubmit([] {}).code() == Code::kUnavailable);
  CHECK(executor.Submit([] {}).code() == Code::kUnavailable);
  executor.Stop();
}

TEST_CASE("BoundedExecutor: Stop wakes those who wait for a place") {
  BoundedExecutor executor(Options(1, 1));
  Gate gate(executor);
  REQUIRE(executor.TrySubmit([] {}).ok());
  absl::Status outcome;
  std::thread waiter([&] { outcome = executor.Submit([] {}); });
  std::thread stopper([&] { executor.Stop(); });
  gate.Open();
  stopper.join();
  waiter.join();
  // It got the place that the running task left, or was told of the stop; it does not hang.
  CHECK((outcome.ok() || outcome.code() == Code::kUnavailable));
}

TEST_CASE("BoundedExecutor: what a task holds is gone when Drain returns") {
  BoundedExecutor executor(Options(2, 4));
  auto held = std::make_shared<int>(0);
  REQUIRE(executor.TrySubmit([held] { ++*held; }).ok());
  executor.Drain();
  CHECK(*held == 1);
  CHECK(held.use_count() == 1);
}

}  // namespace
}  // namespace carnet
