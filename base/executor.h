// A fixed number of threads behind a bounded queue. Callers that must not block (RPC reactions, the
// state strand) hand work over here and are refused at once when it is full.
#ifndef CARNET_BASE_EXECUTOR_H_
#define CARNET_BASE_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/mutex.h"

namespace carnet {

// Thread-safe.
class BoundedExecutor {
 public:
  // Must not throw; an escaping exception ends the process.
  using Task = absl::AnyInvocable<void()>;

  struct Options {
    std::string name;                 // for thread names (15 characters are seen) and metrics
    int threads = 1;                  // at least 1
    std::size_t queue_tasks_max = 1;  // waiting tasks, those that run not counted; at least 1
  };

  struct Metrics {
    std::size_t queued_tasks = 0;
    std::size_t running_tasks = 0;
    std::size_t queue_tasks_max = 0;
    std::uint64_t finished_tasks = 0;
    std::uint64_t refused_tasks = 0;
  };

  explicit BoundedExecutor(Options options);
  // Stop().
  ~BoundedExecutor();
  BoundedExecutor(const BoundedExecutor&) = delete;
  BoundedExecutor& operator=(const BoundedExecutor&) = delete;

  // Queues `task` without waiting.
  // RESOURCE_EXHAUSTED: the queue is full; retry with backoff. UNAVAILABLE: Stop was called; do not
  // retry. In both cases `task` is destroyed and never runs.
  absl::Status TrySubmit(Task task) CARNET_EXCLUDES(mutex_);

  // As TrySubmit, but waits for a place. Never call it from a task of the same executor: it could
  // wait for itself. UNAVAILABLE: Stop was called.
  absl::Status Submit(Task task) CARNET_EXCLUDES(mutex_);

  // Waits until nothing is queued or running. New tasks are still taken. Not from a task of this
  // executor.
  void Drain() CARNET_EXCLUDES(mutex_);

  // Takes no more tasks, runs those that are queued, joins the threads. Idempotent. Not from a task
  // of this executor.
  void Stop() CARNET_EXCLUDES(mutex_);

  Metrics metrics() const CARNET_EXCLUDES(mutex_);
  const std::string& name() const { return options_.name; }

 private:
  void Run() CARNET_EXCLUDES(mutex_);

  const Options options_;
  mutable Mutex mutex_;
  CondVar work_or_stop_;
  CondVar place_or_stop_;
  CondVar idle_;
  std::deque<Task> queue_ CARNET_GUARDED_BY(mutex_);
  std::size_t running_tasks_ CARNET_GUARDED_BY(mutex_) = 0;
  std::uint64_t finished_tasks_ CARNET_GUARDED_BY(mutex_) = 0;
  std::uint64_t refused_tasks_ CARNET_GUARDED_BY(mutex_) = 0;
  bool stopping_ CARNET_GUARDED_BY(mutex_) = false;
  // Held while the threads are joined, so that a second Stop returns only when they have ended.
  Mutex join_mutex_;
  std::vector<std::thread> threads_ CARNET_GUARDED_BY(join_mutex_);
};

}  // namespace carnet

#endif  // CARNET_BASE_EXECUTOR_H_
