// A process-wide limit on bulk memory: chunks in flight, blocks being combined. Who wants bytes
// reserves them first, and the reservation gives them back when it is destroyed.
#ifndef CARNET_BASE_MEMORY_BUDGET_H_
#define CARNET_BASE_MEMORY_BUDGET_H_

#include <cstdint>
#include <deque>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace carnet {

class MemoryBudget;

// Bytes set aside from a budget, which must outlive it. Move-only; one thread at a time.
class Reservation {
 public:
  Reservation() = default;
  ~Reservation() { Release(); }
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  std::uint64_t bytes() const { return bytes_; }
  // Gives all bytes back now. Idempotent.
  void Release();
  // Gives back all but `bytes` (at most what is held).
  void ShrinkTo(std::uint64_t bytes);

 private:
  friend class MemoryBudget;
  Reservation(MemoryBudget* budget, std::uint64_t bytes) : budget_(budget), bytes_(bytes) {}
  MemoryBudget* budget_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// Thread-safe.
class MemoryBudget {
 public:
  struct Metrics {
    std::uint64_t bytes_max = 0;
    std::uint64_t bytes_reserved = 0;
    std::uint64_t bytes_reserved_peak = 0;
    std::uint64_t refused = 0;
  };

  explicit MemoryBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  // Does not wait, and does not overtake those that do.
  // RESOURCE_EXHAUSTED: not free now; retry with backoff.
  // INVALID_ARGUMENT: more than the whole budget; never retry.
  absl::StatusOr<Reservation> TryReserve(std::uint64_t bytes) CARNET_EXCLUDES(mutex_);

  // Waits at most `timeout` for `bytes`, in the order of arrival, so that a large reservation is
  // not starved by small ones. Never while holding a reservation of the same budget, else two can
  // wait for each other. RESOURCE_EXHAUSTED: the timeout passed. INVALID_ARGUMENT: more than the
  // whole budget.
  absl::StatusOr<Reservation> Reserve(std::uint64_t bytes, absl::Duration timeout)
      CARNET_EXCLUDES(mutex_);

  Metrics metrics() const CARNET_EXCLUDES(mutex_);

 private:
  friend class Reservation;
  void Return(std::uint64_t bytes) CARNET_EXCLUDES(mutex_);
  void Take(std::uint64_t bytes) CARNET_REQUIRES(mutex_);

  const std::uint64_t bytes_max_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::uint64_t bytes_reserved_ CARNET_GUARDED_BY(mutex_) = 0;
  std::uint64_t bytes_reserved_peak_ CARNET_GUARDED_BY(mutex_) = 0;
  std::uint64_t refused_ CARNET_GUARDED_BY(mutex_) = 0;
  // Tickets of those who wait, oldest first; only the first may take bytes.
  std::deque<std::uint64_t> waiting_ CARNET_GUARDED_BY(mutex_);
  std::uint64_t ticket_next_ CARNET_GUARDED_BY(mutex_) = 0;
};

}  // namespace carnet

#endif  // CARNET_BASE_MEMORY_BUDGET_H_
