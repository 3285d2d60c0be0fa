// What a worker does next: the state machine behind the long poll. Pure; worker/agent drives it.
#ifndef CARNET_WORKER_CORE_SESSION_H_
#define CARNET_WORKER_CORE_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "carnet/v1/federation.pb.h"

namespace carnet::worker {

// Ended tasks that are remembered, so that an answer which crossed with the end of a task does not
// start it again.
inline constexpr std::size_t kEndedTasksMax = 64;
inline constexpr absl::Duration kPollPauseMax = absl::Seconds(30);
// Before the next poll when a task was offered that is not started now, or one is being cancelled.
inline constexpr absl::Duration kDeclinedPause = absl::Seconds(1);

enum class Step {
  kPoll,    // nothing changed: poll again, after `pause`
  kStart,   // check and start the task of the response
  kCancel,  // the current task no longer counts: stop it, then tell OnTaskEnded
  kStop,    // draining and nothing is left to do
};

struct NextStep {
  Step step = Step::kPoll;
  absl::Duration pause;
};

class Session {
 public:
  // A response whose head was verified. A task without an id is none.
  NextStep OnResponse(const v1::NextTaskResponse& response);
  // The task that kStart named begins. REQUIRES: idle.
  void OnTaskStarted(absl::string_view task_id);
  // Done, failed and told home, refused, or cancelled.
  void OnTaskEnded(absl::string_view task_id);
  // SIGTERM: no new task; the current one may end.
  void Drain() { draining_ = true; }

  bool draining() const { return draining_; }
  bool idle() const { return current_task_.empty(); }
  // For the next request.
  const std::string& current_task() const { return current_task_; }

 private:
  std::string current_task_;
  bool cancelling_ = false;
  bool draining_ = false;
  std::deque<std::string> ended_;
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_CORE_SESSION_H_
