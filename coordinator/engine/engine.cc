#include "coordinator/engine/engine.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "coordinator/core/apply.h"
#include "coordinator/engine/decision_alarm.h"
#include "policies/operations.h"

namespace carnet::coordinator {
namespace {

constexpr int kExitMisbehaviour = 4;
constexpr int kExitUnavailable = 5;
// A busy strand still looks at deadlines this often.
// What the wall clock may do without a person looking at it.
constexpr absl::Duration kClockStepMax = absl::Minutes(5);
constexpr absl::Duration kClockAheadMax = absl::Hours(24);
constexpr absl::Duration kTimerMax = absl::Seconds(1);

// Commands that pick members need to know who is live when they are decided, not when their effect
// began.
void SetLive(CommandBody* body, const LiveWorkers& live) {
  if (auto* round = std::get_if<OpenRound>(body); round != nullptr) {
    round->live = live;
  } else if (auto* evaluation = std::get_if<OpenEvaluation>(body); evaluation != nullptr) {
    evaluation->live = live;
  }
}

// What the coordinator is to sign of each record; empty where somebody else signed it. An error: a
// record that cannot be written, e.g. one of over 1 MiB.
absl::StatusOr<std::vector<std::string>> StatementsOf(const std::vector<NewRecord>& records) {
  std::vector<std::string> statements;
  statements.reserve(records.size());
  for (const NewRecord& record : records) {
    statements.emplace_back();
    if (!record.signed_record.has_value()) {
      CARNET_ASSIGN_OR_RETURN(statements.back(),
                              ledger::MakeStatement(record.predicate.message(), record.subjects));
    }
  }
  return statements;
}

}  // namespace

Engine::Engine(EngineOptions options, State state, ledger::Log& log, const StatementKeys& keys,
               Clock& clock, Rng& rng, BoundedExecutor& storage, Metrics& metrics, Fatal fatal)
    : options_(options),
      log_(log),
      keys_(keys),
      clock_(clock),
      rng_(rng),
      storage_(storage),
      metrics_(metrics),
      fatal_(std::move(fatal)),
      work_(boost::asio::make_work_guard(io_)),
      timer_(io_),
      state_(std::move(state)),
      durable_size_(state_.size) {
  running_.bridge = options_.bridge;
  running_.bridge_engine = options_.bridge_engine;
  CARNET_CHECK(durable_size_ == log_.Size());
}

Engine::~Engine() {
  Stop();
}

void Engine::Start() {
  CARNET_CHECK(effects_ != nullptr && !thread_.joinable());
  opens_at_ = clock_.MonotonicNow() + options_.start_grace;
  thread_ = std::thread([this] { io_.run(); });
  Post([this] {
    wall_minus_monotonic_ = clock_.Now() - (absl::UnixEpoch() + clock_.MonotonicNow());
    const absl::Duration ahead = clock_.Now() - state_.last;
    if (state_.size > 1 && (ahead < absl::ZeroDuration() || ahead > kClockAheadMax)) {
      HoldForClock();
    }
    MaybeOpenForAppends();
    ArmTimer(absl::InfiniteFuture());
  });
}

void Engine::HoldForClock() {
  holds_[Holder::kClock] = "the clock: run `carnet coordinator accept-clock`";
  ApplyHolds();
  Log(LogLevel::kWarning, "engine.clock_not_trusted", {{"wall", FormatTimestamp(clock_.Now())}});
}

void Engine::Stop() {
  if (!thread_.joinable()) {
    return;
  }
  Post([this] {
    stopping_ = true;
    timer_.cancel();
    for (Waiting& waiting : std::exchange(commands_, {})) {
      waiting.callback(absl::UnavailableError("the coordinator is stopping"));
    }
    for (auto& [key, askers] : std::exchange(asking_, {})) {
      for (const std::shared_ptr<Asking>& asking : askers) {
        if (auto callback = std::exchange(asking->waiting.callback, nullptr); callback != nullptr) {
          callback(absl::UnavailableError("the coordinator is stopping"));
        }
      }
    }
    for (auto& [worker_id, waiter] : std::exchange(waiters_, {})) {
      waiter.callback(absl::UnavailableError("the coordinator is stopping"));
    }
    if (!commit_in_flight_) {
      work_.reset();
    }
  });
  thread_.join();
}

void Engine::Post(absl::AnyInvocable<void()> work) {
  boost::asio::post(io_, [work = std::move(work)]() mutable { work(); });
}

absl::Time Engine::Now() const {
  return std::max(clock_.Now(), state_.last);
}

// ---- commands ----

void Engine::Submit(CommandBody body, std::string request_id, AnswerCallback callback) {
  Post([this,
        waiting = Waiting{std::move(body), std::move(request_id), std::move(callback)}]() mutable {
    if (stopping_ || failed_) {
      waiting.callback(absl::UnavailableError("the coordinator is stopping"));
    } else if (open_for_appends_) {
      if (auto* staging = std::get_if<StageData>(&waiting.body); staging != nullptr) {
        staging->live = Live();
      } else if (auto* recheck = std::get_if<RecheckTask>(&waiting.body); recheck != nullptr) {
        recheck->live = live_before_;
      }
      DecideNow(std::move(waiting));
    } else if (commands_.size() >= kCommandsWaitingMax) {
      waiting.callback(absl::ResourceExhaustedError("too many commands wait: try again later"));
    } else {
      commands_.push_back(std::move(waiting));
    }
  });
}

void Engine::MaybeOpenForAppends() {
  if (open_for_appends_ || stopping_) {
    return;
  }
  const bool all_shown =
      std::all_of(state_.workers.begin(), state_.workers.end(), [&](const auto& entry) {
        const auto presence = presence_.find(entry.first);
        return entry.second.revoked || (presence != presence_.end() && presence->second.shown_head);
      });
  if (!all_shown && clock_.MonotonicNow() < opens_at_) {
    return;
  }
  open_for_appends_ = true;
  Log(LogLevel::kInfo, "engine.open", {{"size", state_.size}, {"all_workers_shown", all_shown}});
  for (Waiting& waiting : std::exchange(commands_, {})) {
    DecideNow(std::move(waiting));
  }
  ScheduleReconcile();
}

void Engine::DecideNow(Waiting waiting) {
  Command command{std::move(waiting.body), Now(), std::move(waiting.request_id),
                  RandomBytes(rng_, 32), options_.bridge && !waiting.asked};
  absl::StatusOr<Decided> decided = Decide(state_, command);
  if (!decided.ok()) {
    waiting.callback(decided.status());
    return;
  }
  if (!decided->questions.empty()) {
    waiting.body = std::move(command.body);
    waiting.request_id = std::move(command.request_id);
    AskFirst(std::move(waiting), decided->questions);
    return;
  }
  absl::StatusOr<std::vector<std::string>> statements = StatementsOf(decided->records);
  if (!statements.ok()) {
    // Nothing was applied: whoever asked is told, and everybody else goes on.
    Log(LogLevel::kError, "engine.not_recordable", {{"why", statements.status()}});
    waiting.callback(statements.status());
    return;
  }
  const bool changed = !decided->records.empty();
  for (const v1::Operation operation : decided->repeated) {
    metrics_.Add(kRefusalsRepeated, {policies::OperationWord(operation)});
  }
  if (absl::Status status = Enqueue(std::move(decided->records), *std::move(statements));
      !status.ok()) {
    waiting.callback(absl::UnavailableError("the coordinator is stopping"));
    Fail(kExitUnavailable, std::move(status));
    return;
  }
  Answer answer{std::move(decided->answer), decided->answer_index, state_.size};
  gate_.push_back(
      Gated{state_.size, [callback = std::move(waiting.callback),
                          answer = std::move(answer)]() mutable { callback(std::move(answer)); }});
  MaybeCommit();
  OpenGate();
  if (changed) {
    DecideUrgent();
    ScheduleReconcile();
  }
}

// What a record forbids while it moves is on record right behind it: Reconcile comes later, and
// would end the round or staging first.
void Engine::DecideUrgent() {
  if (urgent_ == nullptr || !open_for_appends_ || stopping_ || failed_) {
    return;
  }
  for (Urgent& urgent : urgent_(state_, Now())) {
    DecideNow(Waiting{std::move(urgent.body), "", std::move(urgent.callback)});
  }
}

// Signs what the coordinator says, folds everything in, and puts it into the batch. An error here
// is a bug or a broken machine: the state may be half a step ahead of the batch, so the process
// must end.
absl::Status Engine::Enqueue(std::vector<NewRecord> records, std::vector<std::string> statements) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    NewRecord& record = records[i];
    v1::SignedRecord signed_record;
    if (record.signed_record.has_value()) {
      signed_record = std::move(*record.signed_record);
    } else {
      // The key in force before this record: one that rotates it is the old key's last word.
      CARNET_ASSIGN_OR_RETURN(signed_record,
                              keys_.Sign(std::move(statements[i]), state_.StatementKey()));
    }
    AlarmOfErrors(record, metrics_);
    CARNET_RETURN_IF_ERROR(Apply(state_, state_.size, record.predicate));
    batch_.push_back(std::move(signed_record));
  }
  return absl::OkStatus();
}

// ---- durability ----

void Engine::MaybeCommit() {
  if (commit_in_flight_ || batch_.empty() || failed_) {
    return;
  }
  // Commands decided while this commit is in flight share the next one.
  std::vector<v1::SignedRecord> batch;
  std::size_t bytes = 0;
  while (!batch_.empty() && batch.size() < batch_.size() &&
         batch.size() < ledger::kBatchRecordsMax) {
    const std::size_t next = batch_[batch.size()].statement().size();
    if (!batch.empty() && bytes + next > ledger::kBatchBytesMax) {
      break;
    }
    bytes += next;
    batch.push_back(batch_[batch.size()]);
  }
  batch_.erase(batch_.begin(), batch_.begin() + static_cast<std::ptrdiff_t>(batch.size()));
  commit_in_flight_ = true;
  const absl::Status submitted = storage_.Submit([this, batch = std::move(batch)] {
    absl::StatusOr<ledger::AppendResult> result = log_.Append(batch);
    Post([this, result = std::move(result)]() mutable { OnCommitted(std::move(result)); });
  });
  if (!submitted.ok()) {
    commit_in_flight_ = false;
    Fail(kExitUnavailable, submitted);
  }
}

void Engine::OnCommitted(absl::StatusOr<ledger::AppendResult> result) {
  commit_in_flight_ = false;
  if (!result.ok()) {
    // Whether the batch is durable is unknown. The state is ahead of what anybody may rely on; a
    // new process reads the ledger and knows.
    Fail(kExitUnavailable, result.status());
    return;
  }
  durable_size_ = result->head.head.size;
  OpenGate();
  for (const CommitListener& listener : listeners_) {
    listener(state_, durable_size_);
  }
  AnswerWaiters();
  MaybeCommit();
  if (stopping_ && !commit_in_flight_) {
    work_.reset();
  }
}

void Engine::OpenGate() {
  while (!gate_.empty() && gate_.front().size <= durable_size_) {
    Gated gated = std::move(gate_.front());
    gate_.pop_front();
    gated.run();
  }
}

void Engine::Read(absl::AnyInvocable<void(const State&, absl::Time)> read) {
  Post([this, read = std::move(read)]() mutable {
    gate_.push_back(
        Gated{state_.size, [this, read = std::move(read)]() mutable { read(state_, Now()); }});
    OpenGate();
  });
}

absl::Status Engine::ReadBlocking(absl::AnyInvocable<void(const State&, absl::Time)> read) {
  std::promise<void> done;
  std::future<void> finished = done.get_future();
  Read([&](const State& state, absl::Time now) {
    read(state, now);
    done.set_value();
  });
  // A strand that failed or stopped runs nothing any more; callers must not wait for it for ever.
  while (finished.wait_for(std::chrono::milliseconds(200)) != std::future_status::ready) {
    if (io_.stopped()) {
      return absl::UnavailableError("the coordinator is stopping");
    }
  }
  return absl::OkStatus();
}

void Engine::AddCommitListener(CommitListener listener) {
  Post([this, listener = std::move(listener)]() mutable {
    listeners_.push_back(std::move(listener));
  });
}

void Engine::Fail(int exit_code, absl::Status why) {
  if (failed_) {
    return;
  }
  failed_ = true;
  Log(LogLevel::kError, "engine.failed", {{"why", why}, {"exit_code", exit_code}});
  fatal_(ledger::IsLogMisbehaviour(why) ? kExitMisbehaviour : exit_code, std::move(why));
}

void Engine::ReportMisbehaviour(absl::Status why) {
  Post([this, why = std::move(why)]() mutable { Fail(kExitMisbehaviour, std::move(why)); });
}

// ---- reconcile ----

void Engine::ScheduleReconcile() {
  if (reconcile_scheduled_ || !open_for_appends_) {
    return;
  }
  reconcile_scheduled_ = true;
  Post([this] {
    reconcile_scheduled_ = false;
    ReconcileNow();
  });
}

void Engine::ReconcileNow() {
  if (stopping_ || failed_) {
    return;
  }
  running_.live = Live();
  live_before_ = std::make_shared<const LiveWorkers>(running_.live);
  Agenda agenda = Reconcile(state_, running_, Now());
  waiting_ = std::move(agenda.waiting);
  for (const std::string& key : agenda.stop) {
    effects_->Stop(key);
  }
  for (Effect& effect : agenda.start) {
    StartEffect(std::move(effect));
  }
  std::erase_if(running_.failed,
                [this](const auto& step) { return running_.effects.count(step.first) == 0; });
  ArmTimer(agenda.wake);
}

void Engine::StartEffect(Effect effect) {
  running_.effects.insert(effect.key);
  if (auto* run = std::get_if<RunCommand>(&effect.body); run != nullptr) {
    const std::string key = effect.key;
    DecideNow(Waiting{std::move(run->body), "", [this, key](absl::StatusOr<Answer> answer) {
                        if (!answer.ok()) {
                          Log(LogLevel::kWarning, "engine.step_failed",
                              {{"step", key}, {"why", answer.status()}});
                          failed_effects_.insert(key);
                          running_.failed[key] = std::string(answer.status().message());
                          return;
                        }
                        running_.effects.erase(key);
                        ScheduleReconcile();
                      }});
    return;
  }
  gate_.push_back(Gated{state_.size, [this, effect = std::move(effect)] {
                          const std::string key = effect.key;
                          effects_->Start(effect, state_, state_.size == durable_size_,
                                          [this, key](std::vector<CommandBody> next) {
                                            Post([this, key, next = std::move(next)]() mutable {
                                              OnEffectDone(key, std::move(next));
                                            });
                                          });
                        }});
  OpenGate();
}

void Engine::OnEffectDone(const std::string& key, std::vector<CommandBody> next) {
  if (stopping_ || failed_) {
    return;
  }
  if (next.empty()) {
    failed_effects_.insert(key);  // tried again at the next tick, if it is still wanted
    OnAnswered(key);
    return;
  }
  running_.failed.erase(key);
  for (CommandBody& body : next) {
    SetLive(&body, Live());
    const CommandBody copy = body;
    DecideNow(Waiting{std::move(body), "", [this, key, copy](absl::StatusOr<Answer> answer) {
                        // What the state no longer asks for is no failure.
                        if (!answer.ok() && !absl::IsFailedPrecondition(answer.status())) {
                          running_.failed[key] = std::string(answer.status().message());
                        }
                        if (!answer.ok() || !answer->index.has_value()) {
                          Log(LogLevel::kInfo, "engine.effect_not_wanted", {{"effect", key}});
                          effects_->Discard(copy);
                        }
                      }});
  }
  if (running_.failed.count(key) != 0) {
    failed_effects_.insert(key);
  } else {
    running_.effects.erase(key);
  }
  OnAnswered(key);
  ScheduleReconcile();
}

void Engine::SetNewRoundsHeld(Holder holder, std::string reason) {
  Post([this, holder, reason = std::move(reason)]() mutable {
    holds_.erase(holder);
    if (!reason.empty()) {
      holds_[holder] = std::move(reason);
    }
    ApplyHolds();
    ScheduleReconcile();
  });
}

std::string Engine::HeldBy(Holder holder) const {
  const auto hold = holds_.find(holder);
  return hold == holds_.end() ? "" : hold->second;
}

void Engine::ApplyHolds() {
  running_.new_rounds_allowed = holds_.empty();
  running_.not_allowed_reason = holds_.empty() ? "" : holds_.begin()->second;
}

void Engine::ArmTimer(absl::Time wake) {
  const absl::Duration wait = std::clamp(wake - Now(), absl::ZeroDuration(), kTimerMax);
  timer_.expires_after(std::chrono::milliseconds(absl::ToInt64Milliseconds(wait) + 1));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      OnTimer();
    }
  });
}

void Engine::OnTimer() {
  for (const std::string& key : std::exchange(failed_effects_, {})) {
    running_.effects.erase(key);
  }
  const absl::Duration offset = clock_.Now() - (absl::UnixEpoch() + clock_.MonotonicNow());
  if (absl::AbsDuration(offset - wall_minus_monotonic_) > kClockStepMax) {
    wall_minus_monotonic_ = offset;
    HoldForClock();
  }
  MaybeOpenForAppends();
  AnswerWaiters();
  DecideUrgent();
  ReconcileNow();
  if (!open_for_appends_ && !stopping_) {
    ArmTimer(absl::InfiniteFuture());
  }
}

}  // namespace carnet::coordinator
