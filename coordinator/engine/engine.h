// The engine: one strand that owns the state, decides commands one after another, appends what was
// decided in groups, and lets nothing out before what it depends on is durable (the one gate).
//
//   Submit ──► Decide ──► Apply (state) ──► batch ──► Log::Append ──► gate opens: replies, effects,
//   waiters
//
// A command sees every record decided before it, durable or not; its answer, and every effect of
// Reconcile, carries the log size it depends on and waits until that size is durable. A failed
// append ends the process, which starts again from the ledger: nothing that was only in memory has
// been seen by anybody.
#ifndef CARNET_COORDINATOR_ENGINE_ENGINE_H_
#define CARNET_COORDINATOR_ENGINE_ENGINE_H_

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "coordinator/core/commands.h"
#include "coordinator/core/decide.h"
#include "coordinator/core/reconcile.h"
#include "coordinator/core/state.h"
#include "coordinator/core/tasks.h"
#include "coordinator/core/transfers.h"
#include "coordinator/engine/statement_keys.h"
#include "ledger/log.h"

namespace carnet::coordinator {

// Commands that wait for their turn; further ones are refused with RESOURCE_EXHAUSTED.
inline constexpr std::size_t kCommandsWaitingMax = 4096;

inline constexpr MetricSpec kRefusalsRepeated{
    MetricKind::kCounter,
    "carnet_refusals_repeated_total",
    "Refusals that were on record already and were not put there again, by operation.",
    {"operation"}};

// What the caller of a command hears, once everything is durable.
struct Answer {
  absl::Status status = absl::OkStatus();  // a refusal that is on record, see Decided::answer
  std::optional<std::uint64_t> index;      // of the record that answers
  std::uint64_t size = 0;                  // log size that the answer depends on; durable
};

// Starts and stops what Reconcile asks for. Implemented by coordinator/effects; called on the
// strand, must not block.
class Effects {
 public:
  virtual ~Effects() = default;
  // What the effect was decided on is durable. `state` is at least as new: where it no longer asks
  // for the effect, nothing is started. `done` may be called from any thread, once, with what to
  // decide next (if anything).
  using Done = absl::AnyInvocable<void(std::vector<CommandBody> next)>;
  // durable: all of `state` is; files go on the word of no other.
  virtual void Start(const Effect& effect, const State& state, bool durable, Done done) = 0;
  // The state no longer asks for it: stop soon; `done` is still called.
  virtual void Stop(const std::string& key) = 0;
  // `command`, which an effect reported, changed nothing: its files are nobody's.
  virtual void Discard(const CommandBody& command) = 0;
};

struct EngineOptions {
  absl::Duration heartbeat = absl::Seconds(10);  // three missed: a worker is not live
  absl::Duration poll_max = absl::Seconds(10);   // longest long poll
  // After a start nothing is appended before each enrolled worker has shown the newest head that it
  // holds, or this time has passed: a worker may know that this state is an old copy.
  absl::Duration start_grace = absl::Seconds(10);
  // The organisation's own policy engine can be asked: effects take AskBridge.
  bool bridge = false;
  std::string bridge_engine = {};  // which, as BridgeVerdict.engine_sha256 names it
};

// Commands that wait for its answers; further ones are refused with RESOURCE_EXHAUSTED.
inline constexpr std::size_t kAskingMax = 256;

// A worker's long poll.
struct Poll {
  std::string worker_id;
  std::string current_task;
  bool draining = false;
  std::vector<v1::ShardClaim> claims;
  double progress = 0;
  std::size_t rotations_known = 0;
  bool wants_task = true;  // false: a heartbeat that could not take one
};
struct PollAnswer {
  // Durable, and decided again with the facts of now; nothing: nothing new to do.
  std::optional<OpenTask> task;
  std::vector<std::uint64_t>
      rotations;  // indexes of the key-rotated beyond those it knows; durable
  bool cancel_current = false;
  std::uint64_t size = 0;
};

// What is known of a worker besides the records.
struct WorkerPresence {
  bool live = false;
  std::string current_task;
  double progress = 0;
};

class Engine {
 public:
  // `fatal` is called once, on any thread, when the process must end: exit code and a sentence.
  using Fatal = std::function<void(int exit_code, absl::Status why)>;

  // log, keys, clock, rng, effects, storage and metrics outlive the engine. `state` is the fold of
  // `log`; `keys` holds the statement key that it names.
  Engine(EngineOptions options, State state, ledger::Log& log, const StatementKeys& keys,
         Clock& clock, Rng& rng, BoundedExecutor& storage, Metrics& metrics, Fatal fatal);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Effects need the engine and the engine needs them; set before Start.
  void SetEffects(Effects* effects) { effects_ = effects; }
  void Start();
  // No more commands; waits for the append under way. Waiting polls are answered with nothing.
  void Stop();

  // Everything below may be called from any thread. Callbacks run on the strand and must not block.

  // Decides `body`. The callback gets the answer when it is durable, or an error that left no
  // record (decide.h), or RESOURCE_EXHAUSTED (retry with backoff), or UNAVAILABLE when stopping.
  using AnswerCallback = absl::AnyInvocable<void(absl::StatusOr<Answer>)>;
  void Submit(CommandBody body, std::string request_id, AnswerCallback callback);

  // Runs `read` on the strand with the state. Waits for durability of what it sees before `read`
  // runs.
  void Read(absl::AnyInvocable<void(const State&, absl::Time now)> read);
  // The same, blocking the caller until it has run. Not from the strand. Error UNAVAILABLE:
  // stopping.
  absl::Status ReadBlocking(absl::AnyInvocable<void(const State&, absl::Time now)> read);

  // The callback comes when there is a task other than the current one, the current one no longer
  // counts, or after poll_max. A second poll of the same worker answers the first with nothing.
  // A task holds the key of what it is about: it is decided again before it is given
  // (RecheckTask), and one that is refused is not given before a fact changed, or time may have.
  void PollTask(Poll poll, absl::AnyInvocable<void(absl::StatusOr<PollAnswer>)> callback);
  // Something outside the records changed that tasks depend on (an upload is whole).
  void Nudge();
  // Somebody showed that this log contradicts itself: ends the process with exit code 4.
  void ReportMisbehaviour(absl::Status why);
  // The worker's connection ended for good (revoked, cut).
  void Forget(const std::string& worker_id);

  // A staging's sealed shard is whole and durable: its receiver may have it. Kept in memory,
  // rebuilt from the spool.
  void SetUploaded(const std::string& staging_id, Bytes sealed_sha256);
  // The sealed digest of such a staging; empty: not uploaded. On the strand only.
  Bytes UploadedShard(const std::string& staging_id) const;

  // Called after each commit with the new durable size, on the strand: watchers.
  using CommitListener = std::function<void(const State&, std::uint64_t durable_size)>;
  void AddCommitListener(CommitListener listener);

  // What must be decided at once because of what the state says now. Asked on the strand right
  // after each decision that made records, before anything else is decided, and at least once a
  // second; must not block.
  struct Urgent {
    CommandBody body;
    AnswerCallback callback;
  };
  using UrgentSource = std::function<std::vector<Urgent>(const State&, absl::Time now)>;
  // Before Start.
  void SetUrgentSource(UrgentSource source) { urgent_ = std::move(source); }

  // For `job list`, metrics: named reasons of jobs that wait, presence of workers. On the strand
  // only (inside Read).
  const std::map<std::string, std::string>& waiting() const { return waiting_; }
  WorkerPresence PresenceOf(const std::string& worker_id) const;
  LiveWorkers Live() const;
  std::uint64_t durable_size() const { return durable_size_; }

  // The clock cannot be trusted or heads are not published: no new rounds, with this reason; empty:
  // this holder lets go.
  enum class Holder { kClock, kWitnesses };
  void SetNewRoundsHeld(Holder holder, std::string reason);
  // Its reason; empty: it holds nothing. On the strand only.
  std::string HeldBy(Holder holder) const;

 private:
  struct Waiting {
    CommandBody body;
    std::string request_id;
    AnswerCallback callback;
    bool asked = false;  // decided again after its questions: it may ask no more
  };
  // A command and how many of its questions nobody has answered yet.
  struct Asking {
    Waiting waiting;
    std::size_t open = 0;
  };
  struct Presence {
    absl::Duration last_seen;
    std::string current_task;
    double progress = 0;
    bool draining = false;
    bool shown_head = false;  // since this start
  };
  struct Waiter {
    absl::AnyInvocable<void(absl::StatusOr<PollAnswer>)> callback;
    absl::Duration expires;
    std::string current_task;
    bool draining = false;
    bool wants_task = true;
    std::size_t rotations_known = 0;
    std::uint64_t number = 0;  // of the poll
    bool deciding = false;     // whether it may have the task that is there for it
  };
  // A task that was refused to a worker, under these facts.
  struct RefusedTask {
    std::uint64_t facts_version = 0;
    absl::Duration until;  // monotonic; evidence and bundles end with time
  };
  struct Gated {
    std::uint64_t size;
    absl::AnyInvocable<void()> run;
  };

  void Post(absl::AnyInvocable<void()> work);
  absl::Time Now() const;
  // After this, everything that came meanwhile is decided.
  void MaybeOpenForAppends();
  void DecideNow(Waiting waiting);
  void DecideUrgent();
  absl::Status Enqueue(std::vector<NewRecord> records, std::vector<std::string> statements);
  void MaybeCommit();
  void OnCommitted(absl::StatusOr<ledger::AppendResult> result);
  void OpenGate();
  void ScheduleReconcile();
  void ReconcileNow();
  void StartEffect(Effect effect);
  void OnEffectDone(const std::string& key, std::vector<CommandBody> next);
  // Asks, and decides the command again when all of it is answered.
  void AskFirst(Waiting waiting, const std::set<std::string>& questions);
  // The question of that effect is answered, or cannot be asked now.
  void OnAnswered(const std::string& key);
  void AnswerWaiters();
  // True: it was answered, and waits no more. `offer`: a task that may be given to it, once
  // decided.
  bool AnswerWaiter(const std::string& worker_id, Waiter& waiter, absl::Duration now,
                    std::optional<OpenTask>* offer);
  // Without a task.
  PollAnswer AnswerFor(const Waiter& waiter) const;
  std::optional<OpenTask> NextTaskOf(const std::string& worker_id, const Waiter& waiter,
                                     bool* cancel_current) const;
  // Decides about the task and gives it, once what was decided is durable.
  void DecideTask(const std::string& worker_id, const OpenTask& task);
  void OnTaskDecided(const TransferName& name, std::uint64_t poll, const absl::Status& decided);
  void HoldForClock();
  void ApplyHolds();
  void ArmTimer(absl::Time wake);
  void OnTimer();
  void Fail(int exit_code, absl::Status why);

  const EngineOptions options_;
  ledger::Log& log_;
  const StatementKeys& keys_;
  Clock& clock_;
  Rng& rng_;
  BoundedExecutor& storage_;
  Metrics& metrics_;
  const Fatal fatal_;
  Effects* effects_ = nullptr;

  boost::asio::io_context io_;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  boost::asio::steady_timer timer_;
  std::thread thread_;

  // ---- owned by the strand ----
  State state_;
  std::uint64_t durable_size_;
  bool open_for_appends_ = false;
  absl::Duration opens_at_;  // monotonic
  bool stopping_ = false;
  bool failed_ = false;
  bool commit_in_flight_ = false;
  bool reconcile_scheduled_ = false;
  std::deque<Waiting> commands_;              // until open for appends
  std::vector<v1::SignedRecord> batch_;       // decided, not yet handed to the log
  std::deque<Gated> gate_;                    // ascending size
  std::map<std::string, Presence> presence_;  // by worker id
  std::map<std::string, Waiter> waiters_;     // by worker id
  std::uint64_t polls_ = 0;
  std::map<std::pair<std::string, std::string>, RefusedTask> refused_;  // by worker and task
  std::map<std::string, Bytes> uploaded_;  // staging id -> sealed digest
  std::map<Holder, std::string> holds_;    // reasons
  Running running_;
  // At the last look of Reconcile; never null.
  std::shared_ptr<const LiveWorkers> live_before_ = std::make_shared<const LiveWorkers>();
  std::map<std::string, std::vector<std::shared_ptr<Asking>>> asking_;  // by key of AskBridge
  std::size_t asking_commands_ = 0;
  std::set<std::string> failed_effects_;  // not started again before the next tick
  std::map<std::string, std::string> waiting_;
  absl::Duration wall_minus_monotonic_;
  std::vector<CommitListener> listeners_;
  UrgentSource urgent_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_ENGINE_ENGINE_H_
