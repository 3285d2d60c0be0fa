#include "worker/core/session.h"

#include <algorithm>

#include "base/status.h"

namespace carnet::worker {

NextStep Session::OnResponse(const v1::NextTaskResponse& response) {
  NextStep next;
  next.pause = std::min(absl::Milliseconds(response.poll_again_millis()), kPollPauseMax);
  if (!idle()) {
    // Another task waits until this one has ended: only the coordinator's word or the deadline cuts
    // it short.
    if (response.cancel_current() && !cancelling_) {
      cancelling_ = true;
      next.step = Step::kCancel;
    }
  } else if (draining_) {
    next.step = Step::kStop;
  } else if (!response.task().task_id().empty() &&
             std::find(ended_.begin(), ended_.end(), response.task().task_id()) == ended_.end()) {
    next.step = Step::kStart;
  }
  // Offers and cancellations are answered at once: polling on without a pause would be a busy loop.
  const bool at_once = response.has_task() || (response.cancel_current() && !idle());
  if (next.step != Step::kStart && at_once) {
    next.pause = std::max(next.pause, kDeclinedPause);
  }
  return next;
}

void Session::OnTaskStarted(absl::string_view task_id) {
  CARNET_CHECK(idle());
  current_task_ = std::string(task_id);
  cancelling_ = false;
}

void Session::OnTaskEnded(absl::string_view task_id) {
  if (current_task_ == task_id) {
    current_task_.clear();
    cancelling_ = false;
  }
  if (ended_.size() == kEndedTasksMax) {
    ended_.pop_front();
  }
  ended_.push_back(std::string(task_id));
}

}  // namespace carnet::worker
