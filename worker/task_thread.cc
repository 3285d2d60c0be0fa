#include "worker/task_thread.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace carnet::worker {
namespace {

// How long a failure is tried to be told. Past it the coordinator's own deadline says the same.
constexpr absl::Duration kTellFailureMax = absl::Minutes(10);

const char* NameOf(TaskEnd::Kind kind) {
  switch (kind) {
    case TaskEnd::Kind::kDone:
      return "done";
    case TaskEnd::Kind::kFailed:
      return "failed";
    case TaskEnd::Kind::kCancelled:
      return "cancelled";
    case TaskEnd::Kind::kRefused:
      return "not-wanted";
    case TaskEnd::Kind::kFork:
      return "log-misbehaviour";
  }
  return "";
}

}  // namespace

TaskThread::TaskThread(const TaskParts& parts, CancelFlag& cancel, std::function<void()> on_ended)
    : parts_(parts), cancel_(cancel), on_ended_(std::move(on_ended)), thread_([this] { Run(); }) {}

TaskThread::~TaskThread() {
  cancel_.store(true);
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void TaskThread::Post(TaskOrder order) {
  const MutexLock lock(mutex_);
  CARNET_CHECK(!busy_ && !order_.has_value() && !ended_.has_value());
  cancel_.store(false);
  parts_.progress.store(0);
  parts_.submitting.store(false);
  busy_ = true;
  order_.emplace(std::move(order));
  changed_.NotifyAll();
}

std::optional<EndedTask> TaskThread::TakeEnded() {
  const MutexLock lock(mutex_);
  return std::exchange(ended_, std::nullopt);
}

EndedTask TaskThread::Do(const TaskOrder& order) {
  EndedTask ended;
  if (const auto* task = std::get_if<CheckedTask>(&order)) {
    ended.task_id = task->task_id;
    ended.end = RunTask(*task, parts_);
  } else {
    const RefusedTask& refused = std::get<RefusedTask>(order);
    ended.task_id = refused.task_id;
    ended.end.kind = TaskEnd::Kind::kFailed;
    ended.end.status = refused.refusal.status;
    ended.end.failure = {refused.refusal.failure, 0};
  }
  Log(ended.end.kind == TaskEnd::Kind::kDone ? LogLevel::kInfo : LogLevel::kWarning, "task-ended",
      {{"task", ended.task_id},
       {"outcome", NameOf(ended.end.kind)},
       {"failure", v1::TaskFailure_Name(ended.end.failure.failure)},
       {"exit_code", ended.end.failure.exit_code},
       {"error", ended.end.status}});
  if (ended.end.kind == TaskEnd::Kind::kFailed) {
    const absl::Status told = TellFailure(ended.task_id, ended.end.failure, parts_,
                                          parts_.clock.MonotonicNow() + kTellFailureMax);
    if (!told.ok()) {
      Log(LogLevel::kWarning, "task-failure-not-told", {{"task", ended.task_id}, {"error", told}});
    }
  }
  return ended;
}

void TaskThread::Run() {
  for (;;) {
    std::optional<TaskOrder> order;
    {
      const MutexLock lock(mutex_);
      while (!order_.has_value() && !stopping_) {
        changed_.Wait(mutex_);
      }
      if (stopping_) {
        break;
      }
      order = std::exchange(order_, std::nullopt);
    }
    EndedTask ended = Do(*order);
    {
      const MutexLock lock(mutex_);
      busy_ = false;
      ended_.emplace(std::move(ended));
    }
    on_ended_();
  }
  // The trainer was started by this thread, so this thread ends it.
  parts_.trainers.End();
}

}  // namespace carnet::worker
