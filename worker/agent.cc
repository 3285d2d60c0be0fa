#include "worker/agent.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/backoff.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "base/status.h"
#include "exchange/data_digest.h"
#include "exchange/join_token.h"
#include "worker/agent_setup.h"
#include "worker/core/session.h"
#include "worker/site_guard.h"
#include "worker/task_thread.h"

namespace carnet::worker {
namespace {

// The coordinator holds a poll for at most 10 s; one that is silent for longer is gone.
constexpr absl::Duration kPollMax = absl::Seconds(30);
// How long a worker that leaves tries to say so.
constexpr absl::Duration kFarewellMax = absl::Milliseconds(500);
constexpr absl::Duration kRenewalRetry = absl::Minutes(1);
// The coordinator answers at once while there is more to follow.
constexpr std::uint32_t kRefusedPollMillis = 5000;
// How the coordinator names this reason of a revocation.
constexpr char kTwoLiveUses[] = "two-live-uses";
constexpr timespec kSignalEvery = {0, 100'000'000};

// Wakes the agent from its pauses and its long poll.
class Waker {
 public:
  void Wake() {
    const MutexLock lock(mutex_);
    woken_ = true;
    changed_.NotifyAll();
  }
  // Returns early when woken since the last call.
  void Pause(absl::Duration duration) {
    const MutexLock lock(mutex_);
    if (!woken_ && duration > absl::ZeroDuration()) {
      changed_.WaitFor(mutex_, duration);
    }
    woken_ = false;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool woken_ CARNET_GUARDED_BY(mutex_) = false;
};

sigset_t StopSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  return signals;
}

// Takes SIGTERM and SIGINT, which every other thread blocks. Calls `wake` when one came, and again
// when the grace has passed or another one came: then the current task is cut short.
class SignalThread {
 public:
  SignalThread(const Clock& clock, absl::Duration grace, std::function<void()> wake)
      : clock_(clock), grace_(grace), wake_(std::move(wake)), thread_([this] { Run(); }) {}
  ~SignalThread() {
    ended_.store(true);
    thread_.join();
  }
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

  bool stopping() const { return stopping_.load(); }
  bool forced() const { return forced_.load(); }

 private:
  void Run() {
    const sigset_t signals = StopSignals();
    absl::Duration force_at = absl::InfiniteDuration();
    while (!ended_.load()) {
      const bool came = ::sigtimedwait(&signals, nullptr, &kSignalEvery) > 0;
      const absl::Duration now = clock_.MonotonicNow();
      if (came && !stopping_.load()) {
        force_at = now + grace_;
        stopping_.store(true);
        wake_();
      } else if ((came || now >= force_at) && stopping_.load() && !forced_.load()) {
        forced_.store(true);
        wake_();
      }
    }
  }

  const Clock& clock_;
  const absl::Duration grace_;
  const std::function<void()> wake_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> forced_ = false;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

// The loop of one run.
class Agent {
 public:
  Agent(Membership& member, const WorkerOptions& options, Metrics& metrics)
      : member_(member),
        metrics_(metrics),
        guard_(*member.policies, member.knowledge, member.clock),
        trainers_(member.HostOptions()),
        signals_(member.clock, options.drain_grace, [this] { Wake(); }),
        tasks_(Parts(), cancel_, [this] { Wake(); }) {}

  absl::Status Run();

 private:
  TaskParts Parts() {
    return {.identity = member_.enrolled.identity,
            .statement_key = member_.enrolled.keys.statement,
            .wrapping_key = member_.enrolled.keys.wrapping,
            .state = member_.state,
            .data = member_.settings.data,
            .heads = *member_.heads,
            .client = *member_.client,
            .trainers = trainers_,
            .clock = member_.clock,
            .rng = member_.rng,
            .cancel = cancel_,
            .progress = progress_,
            .submitting = submitting_,
            .gate = guard_};
  }
  void Wake() {
    waker_.Wake();
    member_.client->CancelPoll();
  }
  absl::Status TakeEnded();
  void RenewIfDue();
  // One poll and what follows from it; the pause before the next one.
  absl::StatusOr<absl::Duration> PollOnce(bool* stop);
  absl::Duration OnPollError(const absl::Status& status);
  // Does the next step; how long to wait before the next poll.
  absl::StatusOr<absl::Duration> Follow(const v1::NextTaskResponse& response,
                                        const ledger::verifier::TreeHead& head, bool* stop);
  v1::NextTaskRequest MakeRequest() const;
  // Error: the record that opened it contradicts its own log.
  absl::Status StartTask(const v1::NextTaskResponse& response,
                         const ledger::verifier::TreeHead& head);
  // What the answer says about people and policies. Errors end the run.
  absl::Status FollowPolicies(const ledger::verifier::TreeHead& head,
                              v1::NextTaskResponse* response);

  Membership& member_;
  Metrics& metrics_;
  Session session_;
  Waker waker_;
  CancelFlag cancel_ = false;
  std::atomic<double> progress_ = 0;
  std::atomic<bool> submitting_ = false;
  int failed_polls_ = 0;
  absl::Status policies_refused_;  // why no task is taken, as it was logged
  absl::StatusCode last_poll_ = absl::StatusCode::kOk;
  absl::Duration renew_after_;
  SiteGuard guard_;
  TrainerHost trainers_;
  SignalThread signals_;
  TaskThread tasks_;
};

absl::Status Agent::TakeEnded() {
  const std::optional<EndedTask> ended = tasks_.TakeEnded();
  if (!ended.has_value()) {
    return absl::OkStatus();
  }
  session_.OnTaskEnded(ended->task_id);
  metrics_.Add(metric::kContributions,
               {ended->end.kind == TaskEnd::Kind::kDone ? "done" : "not-done"});
  if (!ended->end.staged_shard.empty()) {
    CARNET_RETURN_IF_ERROR(member_.AddShard(ended->end.staged_shard, ended->end.staged_path));
  }
  return ended->end.kind == TaskEnd::Kind::kFork ? ended->end.status : absl::OkStatus();
}

void Agent::RenewIfDue() {
  const absl::Duration now = member_.clock.MonotonicNow();
  if (now < renew_after_) {
    return;
  }
  renew_after_ = now + kRenewalRetry;
  const absl::Status status = member_.RenewIfDue();
  if (!status.ok()) {
    Log(LogLevel::kWarning, "certificate-renewal-failed", {{"error", status}});
  }
}

absl::Status Agent::StartTask(const v1::NextTaskResponse& response,
                              const ledger::verifier::TreeHead& head) {
  const v1::Task& task = response.task();
  auto checked =
      CheckTask(task, member_.enrolled.identity, head, member_.site, member_.clock.Now());
  if (const auto* good = std::get_if<CheckedTask>(&checked); good != nullptr) {
    const absl::Status site =
        guard_.Begin(task, *good, member_.enrolled.identity, head, response.head());
    if (IsContradiction(site)) {
      return site;
    }
    if (!site.ok()) {
      checked = TaskRefusal{.status = site, .failure = v1::TASK_FAILURE_REFUSED_BY_SITE};
    }
  }
  session_.OnTaskStarted(task.task_id());
  if (auto* refusal = std::get_if<TaskRefusal>(&checked)) {
    tasks_.Post(RefusedTask{task.task_id(), std::move(*refusal)});
    return absl::OkStatus();
  }
  Log(LogLevel::kInfo, "task-started", {{"task", task.task_id()}});
  tasks_.Post(std::get<CheckedTask>(std::move(checked)));
  return absl::OkStatus();
}

absl::Status Agent::FollowPolicies(const ledger::verifier::TreeHead& head,
                                   v1::NextTaskResponse* response) {
  const std::uint64_t revision = member_.policies->chain().in_force().revision;
  const absl::Status followed = guard_.Follow(*response, head, *member_.enrolled.identity.keys);
  if (absl::IsDataLoss(followed)) {
    return followed;  // a contradiction, or a disk that failed
  }
  const PolicyChain::InForce& now = member_.policies->chain().in_force();
  if (now.revision != revision) {
    Log(LogLevel::kInfo, "policies-in-force",
        {{"revision", now.revision}, {"sha256", HexEncode(now.sha256)}});
  }
  if (!followed.ok()) {
    // Once for each reason, not for each try.
    if (followed != policies_refused_) {
      Log(LogLevel::kError, "policies-refused", {{"error", followed}});
    }
    response->set_poll_again_millis(std::max(response->poll_again_millis(), kRefusedPollMillis));
  } else if (!policies_refused_.ok()) {
    Log(LogLevel::kInfo, "policies-followed-again");
  }
  policies_refused_ = followed;
  // Tasks are checked with all that there is to know.
  if (followed.ok() && response->policy_continues()) {
    response->clear_task();
  }
  return absl::OkStatus();
}

absl::Duration Agent::OnPollError(const absl::Status& status) {
  if (absl::IsCancelled(status)) {
    return absl::ZeroDuration();
  }
  // gRPC says nothing of a server that it does not know but that it cannot be reached: asked once,
  // when the trouble begins.
  if (absl::IsUnavailable(status) && failed_polls_ == 0) {
    if (const absl::Status known = member_.ProbeCoordinator(); absl::IsUnauthenticated(known)) {
      Log(LogLevel::kError, "coordinator-not-known", {{"error", known}});
    }
  }
  // Once for each kind of trouble, not for each try.
  if (status.code() != last_poll_) {
    Log(LogLevel::kWarning, absl::IsUnavailable(status) ? "coordinator-unreachable" : "poll-failed",
        {{"error", status}});
    last_poll_ = status.code();
  }
  return BackoffDelay({}, std::min(failed_polls_++, 16), RandomUint64(member_.rng));
}

// The newest head, which the published one must be a prefix of.
absl::StatusOr<ledger::verifier::TreeHead> TakeHeads(const v1::NextTaskResponse& response,
                                                     HeadKeeper& heads, CoordinatorClient& client,
                                                     const HeadKeeper::Turn& turn) {
  CARNET_ASSIGN_OR_RETURN(ledger::verifier::TreeHead head,
                          heads.Advance(response.head(), response.consistency(), client, turn));
  CARNET_RETURN_IF_ERROR(heads.TakePublished(response.published_head(), client, turn));
  return head;
}

// Why this worker is no member any more, and what to do.
absl::Status NoMember(const absl::Status& status) {
  if (absl::StrContains(status.message(), kTwoLiveUses)) {
    return WithRemedy(status,
                      "two processes used this worker's keys, so neither is trusted any more: find "
                      "out who has a copy of its state folder, then ask the operator for a new "
                      "invitation (carnet worker invite) and start with an empty state folder");
  }
  return WithRemedy(status,
                    "this worker is no member any more; its record worker-revoked says why: ask "
                    "the operator for a new invitation (carnet worker invite) and start with an "
                    "empty state folder");
}

v1::NextTaskRequest Agent::MakeRequest() const {
  v1::NextTaskRequest request;
  *request.mutable_seen() = member_.heads->Seen();
  request.set_seen_head(member_.heads->Note());
  for (v1::SignedRecord& handover : member_.heads->Handovers()) {
    *request.add_seen_handovers() = std::move(handover);
  }
  request.set_current_task(session_.current_task());
  request.set_draining(session_.draining());
  request.set_progress(progress_.load());
  request.set_rotations_known(
      static_cast<std::uint32_t>(member_.enrolled.identity.keys->rotations()));
  request.set_policy_followed(member_.policies->chain().followed());
  request.set_bundle_sha256(ToString(member_.policies->chain().in_force().sha256));
  *request.mutable_claims() = {member_.claims.begin(), member_.claims.end()};
  return request;
}

absl::StatusOr<absl::Duration> Agent::PollOnce(bool* stop) {
  v1::NextTaskResponse response;
  ledger::verifier::TreeHead head;
  {
    const HeadKeeper::Turn turn = HeadKeeper::Turn::ForPoll(*member_.heads);
    // Nothing is left to wait for: this one only says goodbye.
    const bool farewell = session_.draining() && session_.idle();
    auto polled = member_.client->NextTask(MakeRequest(), farewell ? kFarewellMax : kPollMax);
    if (farewell && !polled.ok()) {
      *stop = true;
      return absl::ZeroDuration();
    }
    if (absl::IsUnauthenticated(polled.status()) || absl::IsPermissionDenied(polled.status())) {
      return NoMember(polled.status());
    }
    if (!polled.ok()) {
      return OnPollError(polled.status());
    }
    response = *std::move(polled);
    if (const absl::Status followed =
            member_.heads->FollowLog(response.rotations(), response.head());
        !followed.ok()) {
      return absl::IsUnauthenticated(followed) ? OnPollError(followed)
                                               : absl::StatusOr<absl::Duration>(followed);
    }
    const auto advanced = TakeHeads(response, *member_.heads, *member_.client, turn);
    if (IsFork(advanced.status()) || absl::IsDataLoss(advanced.status())) {
      return advanced.status();  // a fork, or a disk that failed
    }
    if (!advanced.ok()) {
      return OnPollError(advanced.status());
    }
    head = *advanced;
    const std::size_t authorities = member_.enrolled.identity.keys->authorities().size();
    if (const absl::Status followed =
            FollowRotations(response.rotations(), head, &*member_.enrolled.identity.keys);
        !followed.ok()) {
      return OnPollError(followed);
    }
    if (member_.enrolled.identity.keys->authorities().size() > authorities) {
      renew_after_ = absl::ZeroDuration();  // by the new one, before the next poll
    }
    CARNET_RETURN_IF_ERROR(FollowPolicies(head, &response));
  }
  last_poll_ = absl::StatusCode::kOk;
  if (std::exchange(failed_polls_, 0) > 0) {
    Log(LogLevel::kInfo, "coordinator-reached-again");
  }
  // A shard that its sender has not uploaded yet.
  if (response.task().kind() == v1::TASK_KIND_RECEIVE_SHARD &&
      response.task().artifact_header().empty()) {
    response.clear_task();
    response.set_poll_again_millis(1000);
  }
  return Follow(response, head, stop);
}

absl::StatusOr<absl::Duration> Agent::Follow(const v1::NextTaskResponse& response,
                                             const ledger::verifier::TreeHead& head, bool* stop) {
  const NextStep next = session_.OnResponse(response);
  switch (next.step) {
    case Step::kStart:
      CARNET_RETURN_IF_ERROR(StartTask(response, head));
      break;
    case Step::kCancel:
      if (!submitting_.load()) {
        Log(LogLevel::kInfo, "task-cancelled", {{"task", session_.current_task()}});
        tasks_.Cancel();
      }
      break;
    case Step::kStop:
      *stop = true;
      break;
    case Step::kPoll:
      break;
  }
  return next.pause;
}

absl::Status Agent::Run() {
  bool stop = false;
  while (!stop) {
    CARNET_RETURN_IF_ERROR(TakeEnded());
    if (signals_.stopping() && !session_.draining()) {
      Log(LogLevel::kInfo, "draining", {{"task", session_.current_task()}});
      session_.Drain();
    }
    if (signals_.forced()) {
      tasks_.Cancel();
    }
    RenewIfDue();
    CARNET_ASSIGN_OR_RETURN(const absl::Duration pause, PollOnce(&stop));
    if (!stop) {
      waker_.Pause(pause);
    }
  }
  return absl::OkStatus();
}

absl::Status ServeMetrics(const std::string& listen, const Metrics& metrics, HttpServer* server) {
  CARNET_ASSIGN_OR_RETURN(const exchange::HostPort place, exchange::ParseHostPort(listen));
  server->Route("GET", "/metrics", [&metrics](const HttpRequest&) {
    HttpResponse response;
    response.content_type = kExpositionContentType;
    response.body = metrics.ExpositionText();
    return response;
  });
  server->Route("GET", "/healthz", [](const HttpRequest&) {
    HttpResponse response;
    response.content_type = "text/plain";
    response.body = "ok\n";
    return response;
  });
  HttpServerOptions options;
  options.address = place.host;
  options.port = place.port;
  return server->StartPlain(options);
}

}  // namespace

absl::Status RunAgent(Membership& member, const WorkerOptions& options, Metrics& metrics) {
  return Agent(member, options, metrics).Run();
}

bool IsMisbehaviour(const absl::Status& status) {
  return IsFork(status) || IsContradiction(status);
}

absl::Status RunWorker(const WorkerOptions& options) {
  // Before any thread is made: all inherit it.
  const sigset_t signals = StopSignals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  Metrics metrics;
  HttpServer server;
  if (options.metrics_listen.has_value()) {
    CARNET_RETURN_IF_ERROR(ServeMetrics(*options.metrics_listen, metrics, &server));
  }
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Membership> member, BecomeMember(options));
  if (member == nullptr) {
    return absl::OkStatus();  // told to stop before it was a member
  }
  Log(LogLevel::kInfo, "worker-ready",
      {{"worker", member->enrolled.identity.worker_id},
       {"spiffe_id", member->enrolled.facts.spiffe_id.ToString()},
       {"trainer_isolated", member->statement.trainer_isolated()},
       {"shards", member->claims.size()}});
  const absl::Status status = RunAgent(*member, options, metrics);
  Log(status.ok() ? LogLevel::kInfo : LogLevel::kError, "worker-stopped", {{"error", status}});
  return status;
}

}  // namespace carnet::worker
