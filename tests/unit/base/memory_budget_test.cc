#include "base/memory_budget.h"

#include <catch2/catch.hpp>
#include <thread>
#include <utility>
#include <vector>

namespace carnet {
namespace {

using Code = absl::StatusCode;

TEST_CASE("MemoryBudget: gives what it has and takes back what is released") {
  MemoryBudget budget(100);
  {
    auto first = budget.TryReserve(60);
    REQUIRE(first.ok());
    CHECK(budget.TryReserve(41).status().code() == Code::kResourceExhausted);
    auto second = budget.TryReserve(40);
    REQUIRE(second.ok());
    CHECK(budget.metrics().bytes_reserved == 100);
    second->Release();
    second->Release();
    CHECK(budget.metrics().bytes_reserved == 60);
    first->ShrinkTo(10);
    CHECK(first->bytes() == 10);
    CHECK(budget.metrics().bytes_reserved == 10);
  }
  CHECK(budget.metrics().bytes_reserved == 0);
  CHECK(budget.metrics().bytes_reserved_peak == 100);
  CHECK(budget.metrics().refused == 1);
}

TEST_CASE("MemoryBudget: what can never fit is an error of its own") {
  MemoryBudget budget(100);
  CHECK(budget.TryReserve(101).status().code() == Code::kInvalidArgument);
  CHECK(budget.Reserve(101, absl::InfiniteDuration()).status().code() == Code::kInvalidArgument);
  CHECK(budget.TryReserve(~std::uint64_t{0}).status().code() == Code::kInvalidArgument);
}

TEST_CASE("MemoryBudget: a moved reservation is returned once") {
  MemoryBudget budget(100);
  auto held = budget.TryReserve(50);
  REQUIRE(held.ok());
  Reservation moved = std::move(*held);
  Reservation target;
  target = std::move(moved);
  CHECK(budget.metrics().bytes_reserved == 50);
  target = Reservation();
  CHECK(budget.metrics().bytes_reserved == 0);
}

TEST_CASE("MemoryBudget: a wait without time fails and leaves the line") {
  MemoryBudget budget(100);
  auto held = budget.TryReserve(100);
  REQUIRE(held.ok());
  CHECK(budget.Reserve(1, absl::ZeroDuration()).status().code() == Code::kResourceExhausted);
  held->Release();
  CHECK(budget.TryReserve(100).ok());
}

TEST_CASE("MemoryBudget: those who wait are served, and never more than the budget is out") {
  MemoryBudget budget(10);
  std::vector<std::thread> threads;
  std::vector<int> served(8, 0);
  for (std::size_t i = 0; i < served.size(); ++i) {
    threads.emplace_back([&budget, &served, i] {
      for (int turn = 0; turn < 100; ++turn) {
        // Large and small ones together: the large ones are not starved.
        auto reservation = budget.Reserve(i % 2 == 0 ? 10 : 3, absl::InfiniteDuration());
        served[i] += reservation.ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const int count : served) {
    CHECK(count == 100);
  }
  CHECK(budget.metrics().bytes_reserved == 0);
  CHECK(budget.metrics().bytes_reserved_peak == 10);
}

}  // namespace
}  // namespace carnet
