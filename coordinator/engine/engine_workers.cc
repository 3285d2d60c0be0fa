// What the engine knows of workers besides the records: who is live, who waits for a task.
#include <utility>

#include "coordinator/engine/engine.h"

namespace carnet::coordinator {
namespace {

constexpr int kHeartbeatsMissedMax = 3;

}  // namespace

LiveWorkers Engine::Live() const {
  LiveWorkers live;
  const absl::Duration now = clock_.MonotonicNow();
  for (const auto& [worker_id, presence] : presence_) {
    const Worker* worker = state_.FindWorker(worker_id);
    if (worker != nullptr && !worker->revoked && !presence.draining &&
        now - presence.last_seen < kHeartbeatsMissedMax * options_.heartbeat) {
      live.insert(worker_id);
    }
  }
  return live;
}

WorkerPresence Engine::PresenceOf(const std::string& worker_id) const {
  const auto presence = presence_.find(worker_id);
  if (presence == presence_.end()) {
    return {};
  }
  return {Live().count(worker_id) != 0, presence->second.current_task, presence->second.progress};
}

void Engine::PollTask(Poll poll, absl::AnyInvocable<void(absl::StatusOr<PollAnswer>)> callback) {
  Post([this, poll = std::move(poll), callback = std::move(callback)]() mutable {
    const Worker* worker = state_.FindWorker(poll.worker_id);
    if (stopping_ || failed_) {
      callback(absl::UnavailableError("the coordinator is stopping"));
      return;
    }
    if (worker == nullptr || worker->revoked) {
      callback(absl::PermissionDeniedError("revoked"));
      return;
    }
    const absl::Duration now = clock_.MonotonicNow();
    presence_[poll.worker_id] =
        Presence{now, poll.current_task, poll.progress, poll.draining, true};
    MaybeOpenForAppends();
    if (!poll.claims.empty() && open_for_appends_) {
      DecideNow(Waiting{ClaimShards{poll.worker_id, std::move(poll.claims)}, "",
                        [](absl::StatusOr<Answer>) {}});
    }
    if (Live() != live_before_) {
      ScheduleReconcile();
    }
    if (const auto previous = waiters_.find(poll.worker_id); previous != waiters_.end()) {
      previous->second.callback(PollAnswer{std::nullopt, {}, false, durable_size_});
    }
    waiters_[poll.worker_id] =
        Waiter{std::move(callback), now + options_.poll_max, std::move(poll.current_task),
               poll.draining, poll.rotations_known};
    AnswerWaiters();
  });
}

std::optional<OpenTask> Engine::NextTaskOf(const std::string& worker_id,
                                           const std::string& current_task, bool draining,
                                           bool* cancel_current) const {
  *cancel_current = !current_task.empty();
  std::optional<OpenTask> next;
  for (OpenTask& task : TasksFor(state_, worker_id, Now())) {
    // A record that is not durable yet opens nothing; a shard that has not come whole cannot be
    // fetched.
    if (task.opened_index >= durable_size_ ||
        (task.name.kind == v1::TASK_KIND_RECEIVE_SHARD && uploaded_.count(task.name.id) == 0) ||
        (task.name.kind == v1::TASK_KIND_SEND_SHARD && uploaded_.count(task.name.id) != 0)) {
      continue;
    }
    if (TaskId(task.name) == current_task) {
      *cancel_current = false;
    } else if (!next.has_value() && current_task.empty() && !draining) {
      next = std::move(task);
    }
  }
  return next;
}

void Engine::AnswerWaiters() {
  const absl::Duration now = clock_.MonotonicNow();
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    PollAnswer answer;
    answer.size = durable_size_;
    for (std::size_t i = it->second.rotations_known; i < state_.rotations.size(); ++i) {
      if (state_.rotations[i].index < durable_size_) {
        answer.rotations.push_back(state_.rotations[i].index);
      }
    }
    const Worker* worker = state_.FindWorker(it->first);
    if (worker == nullptr || worker->revoked) {
      it->second.callback(absl::PermissionDeniedError("revoked"));
      it = waiters_.erase(it);
      continue;
    }
    answer.task =
        NextTaskOf(it->first, it->second.current_task, it->second.draining, &answer.cancel_current);
    if (answer.task.has_value() || answer.cancel_current || now >= it->second.expires) {
      it->second.callback(std::move(answer));
      it = waiters_.erase(it);
    } else {
      ++it;
    }
  }
}

void Engine::Nudge() {
  Post([this] { AnswerWaiters(); });
}

void Engine::Forget(const std::string& worker_id) {
  Post([this, worker_id] {
    presence_.erase(worker_id);
    AnswerWaiters();
    ScheduleReconcile();
  });
}

void Engine::SetUploaded(const std::string& staging_id, Bytes sealed_sha256) {
  Post([this, staging_id, sealed_sha256 = std::move(sealed_sha256)] {
    uploaded_[staging_id] = sealed_sha256;
    AnswerWaiters();
  });
}

Bytes Engine::UploadedShard(const std::string& staging_id) const {
  const auto uploaded = uploaded_.find(staging_id);
  return uploaded == uploaded_.end() ? Bytes() : uploaded->second;
}

}  // namespace carnet::coordinator
