// Doing a checked task from beginning to end, on the task thread. What was made so far is in the
// task's journal, so that a restart goes on with it.
#ifndef CARNET_WORKER_TASK_RUNNER_H_
#define CARNET_WORKER_TASK_RUNNER_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/rng.h"
#include "worker/coordinator_client.h"
#include "worker/core/task_check.h"
#include "worker/enrol.h"
#include "worker/head_keeper.h"
#include "worker/state_dir.h"
#include "worker/trainer_host.h"

namespace carnet::worker {

// This site's own word, asked again right before something leaves it for a task. Thread-safe.
class ExitGate {
 public:
  virtual ~ExitGate() = default;
  // OK: it may. Else nothing may be sent; that is this site's refusal, which trying again does not
  // mend, or a contradiction (IsContradiction) that stops the worker.
  virtual absl::Status MayLeave(const std::string& task_id) = 0;
};

// Everything a task works with; all of it outlives the task.
struct TaskParts {
  const Identity& identity;
  const crypto::Ed25519KeyPair& statement_key;
  const crypto::X25519KeyPair& wrapping_key;
  const StateDir& state;
  const std::map<std::string, std::filesystem::path>& data;  // dataset/shard -> path
  HeadKeeper& heads;
  CoordinatorClient& client;
  TrainerHost& trainers;
  const Clock& clock;
  Rng& rng;
  const CancelFlag& cancel;
  std::atomic<double>& progress;  // 0..1
  // Raised when the signed record is on its way: from then on the task ends by its receipt or a
  // refusal. (After a restart in between, the coordinator may have it on record and call the task
  // closed.)
  std::atomic<bool>& submitting;
  ExitGate& gate;
};

struct TaskEnd {
  enum class Kind {
    kDone,       // on record, or given over whole
    kFailed,     // `failure` is to be told home
    kCancelled,  // asked to stop
    kRefused,    // the coordinator does not want it any more: nothing to tell
    kFork,       // the log, or what the coordinator signed, contradicts itself: the worker stops
  };
  Kind kind = Kind::kDone;
  TrainerFailure failure;
  absl::Status status;  // for this site's log
  // kDone of a receive-shard task: what is here now.
  std::string staged_shard;
  std::filesystem::path staged_path;
};

TaskEnd RunTask(const CheckedTask& task, const TaskParts& parts);

// Tells home that a task failed; tries until `deadline` (monotonic) or `cancel`. The same task
// gives the same request id, so a repeated call is the same one.
absl::Status TellFailure(const std::string& task_id, const TrainerFailure& failure,
                         const TaskParts& parts, absl::Duration deadline);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_TASK_RUNNER_H_
