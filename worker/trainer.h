// A trainer process and the protocol spoken with it (docs/formats.md, "Trainer protocol"): JSON
// lines on its standard input and output. Whatever it does, it can only fail its task: it is
// bounded in time, memory, disk and in what it says, and killed with everything it started.
#ifndef CARNET_WORKER_TRAINER_H_
#define CARNET_WORKER_TRAINER_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "carnet/v1/config.pb.h"
#include "carnet/v1/federation.pb.h"
#include "worker/isolation.h"

namespace carnet::worker {

// Longest line that a trainer may write, in bytes without its end.
inline constexpr std::size_t kTrainerLineBytesMax = std::size_t{64} * 1024;
// The kept standard error of all trainers: this much, and the same again in `.1`.
inline constexpr std::uint64_t kTrainerLogBytesMax = std::uint64_t{4} << 20;
inline constexpr absl::Duration kTrainerStartMax = absl::Minutes(5);
inline constexpr absl::Duration kTrainerStopMax = absl::Seconds(5);
inline constexpr int kJobMetricsMax = 32;

// Raised by another thread; looked at several times a second.
using CancelFlag = std::atomic<bool>;

struct TrainerLaunch {
  ProgramOptions program;     // without descriptors
  std::filesystem::path log;  // standard error is appended there, rotated
  std::string job_id;
  std::filesystem::path layout;  // relative to the working directory
  std::map<std::string, std::string> settings;
};

struct TrainerProgress {
  std::uint64_t step = 0;
  std::uint64_t of = 0;
};
using TrainerProgressSink = std::function<void(const TrainerProgress&)>;

struct FitOrder {
  std::uint32_t round = 0;
  std::string parameters;  // relative to the working directory
  std::string delta;
  std::vector<std::string> data;
  std::uint64_t steps = 0;
  std::uint64_t seed = 0;
};
struct EvaluateOrder {
  std::string parameters;
  std::vector<std::string> data;
};
struct TrainerResult {
  std::uint64_t examples = 0;
  std::uint64_t steps = 0;
  std::map<std::string, double> metrics;  // finite; every name that it gave
};

// Why a trainer failed, as it is told home.
struct TrainerFailure {
  v1::TaskFailure failure = v1::TASK_FAILURE_UNSPECIFIED;
  std::int32_t exit_code = 0;  // of a process that ended; 128 + signal for one that was killed
};

// One at a time uses it; StartProgram's rule holds: the starting thread must outlive it.
class TrainerProcess {
 public:
  // Starts it and waits for its answer to `start`, at most kTrainerStartMax.
  // Errors (all of this class): ABORTED it ended, or said nothing more. DEADLINE_EXCEEDED,
  // CANCELLED. INVALID_ARGUMENT it broke the protocol or answered with an error.
  // FAILED_PRECONDITION, NOT_FOUND: StartProgram. After an error it has been killed; failure() says
  // why. `failure` is set when Start fails.
  static absl::StatusOr<std::unique_ptr<TrainerProcess>> Start(const TrainerLaunch& launch,
                                                               const Clock& clock,
                                                               const CancelFlag& cancel,
                                                               TrainerFailure* failure);
  // Kills it, if Stop did not end it.
  ~TrainerProcess();
  TrainerProcess(const TrainerProcess&) = delete;
  TrainerProcess& operator=(const TrainerProcess&) = delete;

  // deadline: monotonic (Clock::MonotonicNow).
  absl::StatusOr<TrainerResult> Fit(const FitOrder& order, absl::Duration deadline,
                                    const CancelFlag& cancel, const TrainerProgressSink& progress);
  absl::StatusOr<TrainerResult> Evaluate(const EvaluateOrder& order, absl::Duration deadline,
                                         const CancelFlag& cancel);
  // Asks it to stop, waits kTrainerStopMax, kills it. Idempotent.
  void Stop();

  bool running() const { return pid_ > 0; }
  const TrainerFailure& failure() const { return failure_; }

 private:
  TrainerProcess(const Clock& clock, pid_t pid, UniqueFd to, UniqueFd from)
      : clock_(clock), pid_(pid), to_(std::move(to)), from_(std::move(from)) {}
  // Sends one request and reads lines until one that is no progress.
  absl::StatusOr<nlohmann::json> Call(const nlohmann::json& request, absl::Duration deadline,
                                      const CancelFlag& cancel,
                                      const TrainerProgressSink& progress);
  absl::Status Send(const std::string& line, absl::Duration deadline, const CancelFlag& cancel);
  absl::StatusOr<std::string> ReadLine(absl::Duration deadline, const CancelFlag& cancel);
  absl::Status Wait(int fd, short events, absl::Duration deadline, const CancelFlag& cancel);
  // Kills, reaps and notes why.
  absl::Status Fail(absl::Status status, v1::TaskFailure failure);
  void Reap();

  const Clock& clock_;
  pid_t pid_;
  UniqueFd to_;
  UniqueFd from_;
  std::string buffered_;
  TrainerFailure failure_;
};

// Settings as JSON: a decimal number goes as a number, everything else as text.
nlohmann::json SettingsJson(const std::map<std::string, std::string>& settings);

// Only the metrics that the job names, at most kJobMetricsMax.
std::map<std::string, double> NamedMetrics(const std::map<std::string, double>& metrics,
                                           const v1::JobSpec& spec);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_TRAINER_H_
