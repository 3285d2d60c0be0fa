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
    if (Live() != *live_before_) {
      ScheduleReconcile();
    }
    if (const auto previous = waiters_.find(poll.worker_id); previous != waiters_.end()) {
      previous->second.callback(PollAnswer{std::nullopt, {}, false, durable_size_});
    }
    Waiter waiter;
    waiter.callback = std::move(callback);
    waiter.expires = now + options_.poll_max;
    waiter.current_task = std::move(poll.current_task);
    waiter.draining = poll.draining;
    waiter.wants_task = poll.wants_task;
    waiter.rotations_known = poll.rotations_known;
    waiter.number = ++polls_;
    waiters_[poll.worker_id] = std::move(waiter);
    AnswerWaiters();
  });
}

std::optional<OpenTask> Engine::NextTaskOf(const std::string& worker_id, const Waiter& waiter,
                                           bool* cancel_current) const {
  *cancel_current = !waiter.current_task.empty();
  std::optional<OpenTask> next;
  for (OpenTask& task : TasksFor(state_, worker_id, Now())) {
    // A record that is not durable yet opens nothing; a shard that has not come whole cannot be
    // fetched.
    if (task.opened_index >= durable_size_ ||
        (task.name.kind == v1::TASK_KIND_RECEIVE_SHARD && uploaded_.count(task.name.id) == 0) ||
        (task.name.kind == v1::TASK_KIND_SEND_SHARD && uploaded_.count(task.name.id) != 0)) {
      continue;
    }
    const std::string task_id = TaskId(task.name);
    const auto refused = refused_.find({worker_id, task_id});
    if (task_id == waiter.current_task) {
      *cancel_current = false;
    } else if (!next.has_value() && waiter.current_task.empty() && !waiter.draining &&
               waiter.wants_task && open_for_appends_ && !stopping_ && !failed_ &&
               (refused == refused_.end() ||
                refused->second.facts_version != state_.facts_version)) {
      next = std::move(task);
    }
  }
  return next;
}

void Engine::AnswerWaiters() {
  const absl::Duration now = clock_.MonotonicNow();
  std::erase_if(refused_, [&](const auto& refused) { return refused.second.until <= now; });
  std::vector<std::pair<std::string, OpenTask>> offers;
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    std::optional<OpenTask> offer;
    if (AnswerWaiter(it->first, it->second, now, &offer)) {
      it = waiters_.erase(it);
      continue;
    }
    if (offer.has_value()) {
      offers.emplace_back(it->first, *std::move(offer));
    }
    ++it;
  }
  // A decision may be durable at once, and then its waiter is gone: not while they are walked.
  for (const auto& [worker_id, task] : offers) {
    DecideTask(worker_id, task);
  }
}

PollAnswer Engine::AnswerFor(const Waiter& waiter) const {
  PollAnswer answer;
  answer.size = durable_size_;
  for (std::size_t i = waiter.rotations_known; i < state_.rotations.size(); ++i) {
    if (state_.rotations[i].index < durable_size_) {
      answer.rotations.push_back(state_.rotations[i].index);
    }
  }
  return answer;
}

bool Engine::AnswerWaiter(const std::string& worker_id, Waiter& waiter, absl::Duration now,
                          std::optional<OpenTask>* offer) {
  const Worker* worker = state_.FindWorker(worker_id);
  if (worker == nullptr || worker->revoked) {
    waiter.callback(absl::PermissionDeniedError("revoked"));
    return true;
  }
  if (waiter.deciding) {
    return false;
  }
  PollAnswer answer = AnswerFor(waiter);
  *offer = NextTaskOf(worker_id, waiter, &answer.cancel_current);
  waiter.deciding = offer->has_value();
  if (waiter.deciding || (!answer.cancel_current && now < waiter.expires)) {
    return false;
  }
  waiter.callback(std::move(answer));
  return true;
}

void Engine::DecideTask(const std::string& worker_id, const OpenTask& task) {
  const auto waiter = waiters_.find(worker_id);
  if (waiter == waiters_.end()) {
    return;
  }
  const bool upload = task.name.kind == v1::TASK_KIND_SEND_SHARD;
  const TransferName name{worker_id, TaskId(task.name),
                          (upload ? task.upload : task.download).ticket_id(), upload};
  DecideNow(
      Waiting{RecheckTask{name.worker_id, name.task_id, name.ticket_id, name.upload, live_before_},
              "", [this, name, poll = waiter->second.number](absl::StatusOr<Answer> answer) {
                OnTaskDecided(name, poll, answer.ok() ? answer->status : answer.status());
              }});
}

void Engine::OnTaskDecided(const TransferName& name, std::uint64_t poll,
                           const absl::Status& decided) {
  if (!decided.ok()) {
    // As often as running transfers are looked at.
    refused_[{name.worker_id, name.task_id}] = {state_.facts_version,
                                                clock_.MonotonicNow() + options_.heartbeat / 2};
  }
  const auto it = waiters_.find(name.worker_id);
  if (it == waiters_.end() || it->second.number != poll) {
    return;
  }
  Waiter& waiter = it->second;
  waiter.deciding = false;
  PollAnswer answer = AnswerFor(waiter);
  answer.task = NextTaskOf(name.worker_id, waiter, &answer.cancel_current);
  // What changed while the decision became durable is decided anew.
  std::uint64_t counter = 0;
  const bool given = decided.ok() && answer.task.has_value() &&
                     TaskId(answer.task->name) == name.task_id &&
                     StandingOf(state_, name, Now(), {}, &counter).kind == Standing::Kind::kMayMove;
  if (!given) {
    Post([this] { AnswerWaiters(); });
    return;
  }
  waiter.callback(std::move(answer));
  waiters_.erase(it);
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
