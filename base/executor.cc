#include "base/executor.h"

#include <pthread.h>

#include <utility>

#include "base/status.h"

namespace carnet {
namespace {

// The kernel keeps 15 characters of a thread's name.
constexpr std::size_t kThreadNameCharsMax = 15;

absl::Status Stopped() {
  return absl::UnavailableError("executor: stopped");
}

}  // namespace

BoundedExecutor::BoundedExecutor(Options options) : options_(std::move(options)) {
  CARNET_CHECK(options_.threads >= 1 && options_.queue_tasks_max >= 1);
  const MutexLock lock(join_mutex_);
  for (int i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    const std::string name = options_.name.substr(0, kThreadNameCharsMax);
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
}

BoundedExecutor::~BoundedExecutor() {
  Stop();
}

absl::Status BoundedExecutor::TrySubmit(Task task) {
  const MutexLock lock(mutex_);
  if (stopping_) {
    return Stopped();
  }
  if (queue_.size() >= options_.queue_tasks_max) {
    ++refused_tasks_;
    return absl::ResourceExhaustedError("executor: the queue is full");
  }
  queue_.push_back(std::move(task));
  work_or_stop_.NotifyOne();
  return absl::OkStatus();
}

absl::Status BoundedExecutor::Submit(Task task) {
  const MutexLock lock(mutex_);
  while (!stopping_ && queue_.size() >= options_.queue_tasks_max) {
    place_or_stop_.Wait(mutex_);
  }
  if (stopping_) {
    return Stopped();
  }
  queue_.push_back(std::move(task));
  work_or_stop_.NotifyOne();
  return absl::OkStatus();
}

void BoundedExecutor::Drain() {
  const MutexLock lock(mutex_);
  while (!queue_.empty() || running_tasks_ > 0) {
    idle_.Wait(mutex_);
  }
}

void BoundedExecutor::Stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    work_or_stop_.NotifyAll();
    place_or_stop_.NotifyAll();
  }
  const MutexLock lock(join_mutex_);
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

BoundedExecutor::Metrics BoundedExecutor::metrics() const {
  const MutexLock lock(mutex_);
  return Metrics{.queued_tasks = queue_.size(),
                 .running_tasks = running_tasks_,
                 .queue_tasks_max = options_.queue_tasks_max,
                 .finished_tasks = finished_tasks_,
                 .refused_tasks = refused_tasks_};
}

void BoundedExecutor::Run() {
  while (true) {
    Task task;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) {
        work_or_stop_.Wait(mutex_);
      }
      if (queue_.empty()) {
        return;
      }
      task = std::move(queue_.front());
      queue_.pop_front();
      ++running_tasks_;
      place_or_stop_.NotifyOne();
    }
    task();
    // What the task holds is gone before Drain can return.
    task = nullptr;
    const MutexLock lock(mutex_);
    --running_tasks_;
    ++finished_tasks_;
    if (queue_.empty() && running_tasks_ == 0) {
      idle_.NotifyAll();
    }
  }
}

}  // namespace carnet
