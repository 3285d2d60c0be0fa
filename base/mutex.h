// std::mutex with clang's thread-safety annotations. Not absl::Mutex: Debian's libabsl has no hooks
// for ThreadSanitizer, which then reports races in correct programs.
#ifndef CARNET_BASE_MUTEX_H_
#define CARNET_BASE_MUTEX_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

#if defined(__clang__)
#define CARNET_ATTRIBUTE(x) __attribute__((x))
#else
#define CARNET_ATTRIBUTE(x)
#endif

// On members: read and written only while `mutex` is held.
#define CARNET_GUARDED_BY(mutex) CARNET_ATTRIBUTE(guarded_by(mutex))
// On functions: the caller holds `mutex`, or must not hold it.
#define CARNET_REQUIRES(mutex) CARNET_ATTRIBUTE(requires_capability(mutex))
#define CARNET_EXCLUDES(mutex) CARNET_ATTRIBUTE(locks_excluded(mutex))

namespace carnet {

class CARNET_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void Lock() CARNET_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void Unlock() CARNET_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class CARNET_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) CARNET_ATTRIBUTE(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.Lock();
  }
  ~MutexLock() CARNET_ATTRIBUTE(release_capability()) { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits wake spuriously: always wait in a loop over the condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) CARNET_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Returns false when `timeout` passed first.
  bool WaitFor(Mutex& mutex, absl::Duration timeout) CARNET_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    // An infinite duration would overflow the clock's arithmetic; a day is a spurious wake-up.
    const auto limit = absl::ToChronoMilliseconds(std::min(timeout, absl::Hours(24)));
    const bool woken = condition_.wait_for(lock, limit) == std::cv_status::no_timeout;
    lock.release();
    return woken;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace carnet

#endif  // CARNET_BASE_MUTEX_H_
