#include "base/memory_budget.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/status.h"

namespace carnet {
namespace {

absl::Status TooLarge() {
  return absl::InvalidArgumentError("memory budget: more than the whole budget");
}

absl::Status NotFree() {
  return absl::ResourceExhaustedError("memory budget: not free now");
}

}  // namespace

Reservation::Reservation(Reservation&& other) noexcept
    : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    Release();
    budget_ = std::exchange(other.budget_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void Reservation::Release() {
  ShrinkTo(0);
}

void Reservation::ShrinkTo(std::uint64_t bytes) {
  CARNET_CHECK(bytes <= bytes_);
  if (budget_ != nullptr && bytes < bytes_) {
    budget_->Return(std::exchange(bytes_, bytes) - bytes);
  }
}

absl::StatusOr<Reservation> MemoryBudget::TryReserve(std::uint64_t bytes) {
  if (bytes > bytes_max_) {
    return TooLarge();
  }
  const MutexLock lock(mutex_);
  if (!waiting_.empty() || bytes > bytes_max_ - bytes_reserved_) {
    ++refused_;
    return NotFree();
  }
  Take(bytes);
  return Reservation(this, bytes);
}

absl::StatusOr<Reservation> MemoryBudget::Reserve(std::uint64_t bytes, absl::Duration timeout) {
  if (bytes > bytes_max_) {
    return TooLarge();
  }
  // The monotonic clock, read here because a wait on a condition cannot be told the time from
  // outside.
  const auto start = std::chrono::steady_clock::now();
  const MutexLock lock(mutex_);
  const std::uint64_t ticket = ticket_next_++;
  waiting_.push_back(ticket);
  absl::Status outcome;
  while (waiting_.front() != ticket || bytes > bytes_max_ - bytes_reserved_) {
    const absl::Duration left =
        timeout - absl::FromChrono(std::chrono::steady_clock::now() - start);
    if (left <= absl::ZeroDuration()) {
      ++refused_;
      outcome = NotFree();
      break;
    }
    changed_.WaitFor(mutex_, left);
  }
  waiting_.erase(std::find(waiting_.begin(), waiting_.end(), ticket));
  // Whoever is first in the line now may fit.
  changed_.NotifyAll();
  if (!outcome.ok()) {
    return outcome;
  }
  Take(bytes);
  return Reservation(this, bytes);
}

MemoryBudget::Metrics MemoryBudget::metrics() const {
  const MutexLock lock(mutex_);
  return Metrics{.bytes_max = bytes_max_,
                 .bytes_reserved = bytes_reserved_,
                 .bytes_reserved_peak = bytes_reserved_peak_,
                 .refused = refused_};
}

void MemoryBudget::Return(std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  CARNET_CHECK(bytes <= bytes_reserved_);
  bytes_reserved_ -= bytes;
  changed_.NotifyAll();
}

void MemoryBudget::Take(std::uint64_t bytes) {
  bytes_reserved_ += bytes;
  bytes_reserved_peak_ = std::max(bytes_reserved_peak_, bytes_reserved_);
}

}  // namespace carnet
