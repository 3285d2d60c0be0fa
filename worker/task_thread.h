// The one thread that does tasks: it lives as long as the worker, because a trainer dies with the
// thread that started it.
#ifndef CARNET_WORKER_TASK_THREAD_H_
#define CARNET_WORKER_TASK_THREAD_H_

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "base/mutex.h"
#include "worker/task_runner.h"

namespace carnet::worker {

// A task that was checked, or one that was refused and of which home is to be told.
struct RefusedTask {
  std::string task_id;
  TaskRefusal refusal;
};
using TaskOrder = std::variant<CheckedTask, RefusedTask>;

struct EndedTask {
  std::string task_id;
  TaskEnd end;
};

// Post, Cancel and TakeEnded are for one other thread.
class TaskThread {
 public:
  // on_ended: called on the task thread when TakeEnded has something to give.
  TaskThread(const TaskParts& parts, CancelFlag& cancel, std::function<void()> on_ended);
  // Cancels what runs and joins.
  ~TaskThread();
  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;

  // REQUIRES: nothing runs: the last one was taken by TakeEnded.
  void Post(TaskOrder order) CARNET_EXCLUDES(mutex_);
  void Cancel() { cancel_.store(true); }
  std::optional<EndedTask> TakeEnded() CARNET_EXCLUDES(mutex_);

 private:
  void Run() CARNET_EXCLUDES(mutex_);
  EndedTask Do(const TaskOrder& order);

  const TaskParts parts_;
  CancelFlag& cancel_;
  const std::function<void()> on_ended_;
  Mutex mutex_;
  CondVar changed_;
  std::optional<TaskOrder> order_ CARNET_GUARDED_BY(mutex_);
  std::optional<EndedTask> ended_ CARNET_GUARDED_BY(mutex_);
  bool busy_ CARNET_GUARDED_BY(mutex_) = false;
  bool stopping_ CARNET_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_TASK_THREAD_H_
