// `carnet worker run`: enrols if needed, then polls for tasks and does them until told to stop.
#ifndef CARNET_WORKER_AGENT_H_
#define CARNET_WORKER_AGENT_H_

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace carnet::worker {

struct WorkerOptions {
  std::filesystem::path state;
  std::optional<std::filesystem::path> join_token;  // needed for the first run only
  std::vector<std::string> data;                    // dataset/shard=PATH
  std::optional<std::filesystem::path> config;      // worker.yaml
  // HOST:PORT on loopback for /metrics and /healthz, over plain HTTP; none: not served.
  std::optional<std::string> metrics_listen;
  // After SIGTERM or SIGINT: how long the current task may still take. What it made stays on disk,
  // and the next run goes on with it.
  absl::Duration drain_grace = absl::Seconds(25);
  // This binary: runs the built-in trainers, and its SHA-256 is their digest.
  std::filesystem::path program = "/proc/self/exe";
};

// Runs until SIGTERM or SIGINT (which it blocks for the whole process): OK when drained. Call it
// once, early in the process, from its main thread. Writes JSON lines to the log (base/log.h).
//
// Errors:
//   DATA_LOSS            the log misbehaved: evidence is in the state directory. Exit code 4; never
//   start again
//                        before somebody looked at it.
//   UNAUTHENTICATED, PERMISSION_DENIED  not, or no longer, a member: revoked, or the lease has
//   ended INVALID_ARGUMENT     configuration, token or arguments FAILED_PRECONDITION  another
//   process uses the state directory; not enrolled and no token others               the state
//   directory cannot be used (base/files.h)
absl::Status RunWorker(const WorkerOptions& options);

// Whether an error of RunWorker says that the log misbehaved (exit code 4).
bool IsMisbehaviour(const absl::Status& status);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_AGENT_H_
