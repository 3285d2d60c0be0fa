#include "worker/trainer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/config_loader.h"
#include "base/json.h"
#include "base/status.h"

namespace carnet::worker {
namespace {

using nlohmann::json;

constexpr absl::Duration kPollEvery = absl::Milliseconds(100);
constexpr std::size_t kReadBytes = 16 * 1024;
constexpr int kSignalExitBase = 128;
constexpr int kMetricNameBytesMax = 64;
constexpr std::uint64_t kCountMax = std::uint64_t{1} << 53;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2] = {-1, -1};
  if (::pipe2(fds, O_CLOEXEC) != 0) {
    return FileError(errno, "make", "a pipe");
  }
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

// The log, moved aside when it is full. What one trainer writes is bounded by its file size limit.
absl::StatusOr<UniqueFd> OpenLog(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (!error && size >= kTrainerLogBytesMax) {
    std::filesystem::path old = path;
    old += ".1";
    std::filesystem::rename(path, old, error);
  }
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kPrivateFileMode));
  if (!fd.valid()) {
    return FileError(errno, "open", path);
  }
  return fd;
}

absl::Status BrokenProtocol() {
  return absl::InvalidArgumentError("trainer: its answer breaks the protocol");
}

// A whole number that JSON readers keep exact.
absl::StatusOr<std::uint64_t> Count(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_number_unsigned() || it->get<std::uint64_t>() > kCountMax) {
    return BrokenProtocol();
  }
  return it->get<std::uint64_t>();
}

absl::StatusOr<TrainerResult> ParseResult(const json& reply, bool has_steps) {
  const auto done = reply.find("done");
  if (reply.size() != 1 || done == reply.end() || !done->is_object()) {
    return BrokenProtocol();
  }
  TrainerResult result;
  CARNET_ASSIGN_OR_RETURN(result.examples, Count(*done, "examples"));
  if (has_steps) {
    CARNET_ASSIGN_OR_RETURN(result.steps, Count(*done, "steps"));
  }
  const auto metrics = done->find("metrics");
  if (metrics == done->end() || !metrics->is_object()) {
    return BrokenProtocol();
  }
  for (const auto& [name, value] : metrics->items()) {
    if (!value.is_number() || name.empty() || name.size() > kMetricNameBytesMax ||
        !std::isfinite(value.get<double>())) {
      return BrokenProtocol();
    }
    result.metrics[name] = value.get<double>();
  }
  return result;
}

}  // namespace

json SettingsJson(const std::map<std::string, std::string>& settings) {
  json object = json::object();
  for (const auto& entry : settings) {
    const auto whole = ParseInt64(entry.second);
    const auto number = ParseFiniteDouble(entry.second);
    if (whole.ok()) {
      object[entry.first] = *whole;
    } else if (number.ok()) {
      object[entry.first] = *number;
    } else {
      object[entry.first] = entry.second;
    }
  }
  return object;
}

std::map<std::string, double> NamedMetrics(const std::map<std::string, double>& metrics,
                                           const v1::JobSpec& spec) {
  std::map<std::string, double> named;
  for (const std::string& name : spec.metrics()) {
    const auto it = metrics.find(name);
    if (it != metrics.end() && named.size() < kJobMetricsMax) {
      named[name] = it->second;
    }
  }
  return named;
}

absl::StatusOr<std::unique_ptr<TrainerProcess>> TrainerProcess::Start(const TrainerLaunch& launch,
                                                                      const Clock& clock,
                                                                      const CancelFlag& cancel,
                                                                      TrainerFailure* failure) {
  failure->failure = v1::TASK_FAILURE_TRAINER_CRASHED;
  CARNET_ASSIGN_OR_RETURN(Pipe requests, MakePipe());
  CARNET_ASSIGN_OR_RETURN(Pipe replies, MakePipe());
  CARNET_ASSIGN_OR_RETURN(const UniqueFd log, OpenLog(launch.log));
  ProgramOptions program = launch.program;
  program.stdin_fd = requests.read.get();
  program.stdout_fd = replies.write.get();
  program.stderr_fd = log.get();
  CARNET_ASSIGN_OR_RETURN(const pid_t pid, StartProgram(program));
  requests.read.Reset();
  replies.write.Reset();
  ::fcntl(requests.write.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(replies.read.get(), F_SETFL, O_NONBLOCK);
  // Not make_unique: the constructor is private.
  std::unique_ptr<TrainerProcess> process(
      new TrainerProcess(clock, pid, std::move(requests.write), std::move(replies.read)));
  const json start = {{"op", "start"},
                      {"job", launch.job_id},
                      {"protocol", 1},
                      {"layout", launch.layout.string()},
                      {"settings", SettingsJson(launch.settings)},
                      {"device", "auto"}};
  auto reply = process->Call(start, clock.MonotonicNow() + kTrainerStartMax, cancel, {});
  if (reply.ok() && (!reply->contains("ok") || reply->at("ok") != true)) {
    reply = process->Fail(BrokenProtocol(), v1::TASK_FAILURE_TRAINER_OUTPUT);
  }
  if (!reply.ok()) {
    *failure = process->failure_;
    return reply.status();
  }
  failure->failure = v1::TASK_FAILURE_UNSPECIFIED;
  return process;
}

TrainerProcess::~TrainerProcess() {
  if (running()) {
    KillProgram(pid_);
    Reap();
  }
}

absl::StatusOr<TrainerResult> TrainerProcess::Fit(const FitOrder& order, absl::Duration deadline,
                                                  const CancelFlag& cancel,
                                                  const TrainerProgressSink& progress) {
  const json request = {
      {"op", "fit"},          {"round", order.round}, {"parameters", order.parameters},
      {"delta", order.delta}, {"data", order.data},   {"steps", order.steps},
      {"seed", order.seed}};
  CARNET_ASSIGN_OR_RETURN(const json reply, Call(request, deadline, cancel, progress));
  auto result = ParseResult(reply, true);
  if (!result.ok()) {
    return Fail(result.status(), v1::TASK_FAILURE_TRAINER_OUTPUT);
  }
  return result;
}

absl::StatusOr<TrainerResult> TrainerProcess::Evaluate(const EvaluateOrder& order,
                                                       absl::Duration deadline,
                                                       const CancelFlag& cancel) {
  const json request = {{"op", "evaluate"}, {"parameters", order.parameters}, {"data", order.data}};
  CARNET_ASSIGN_OR_RETURN(const json reply, Call(request, deadline, cancel, {}));
  auto result = ParseResult(reply, false);
  if (!result.ok()) {
    return Fail(result.status(), v1::TASK_FAILURE_TRAINER_OUTPUT);
  }
  return result;
}

void TrainerProcess::Stop() {
  if (!running()) {
    return;
  }
  const CancelFlag never(false);
  const absl::Duration deadline = clock_.MonotonicNow() + kTrainerStopMax;
  if (Send("{\"op\":\"stop\"}\n", deadline, never).ok()) {
    to_.Reset();
    // Its standard output ends when it has ended: a wait with a deadline, and without a signal
    // handler.
    while (ReadLine(deadline, never).ok()) {
    }
  }
  if (running()) {
    KillProgram(pid_);
    Reap();
  }
}

absl::StatusOr<json> TrainerProcess::Call(const json& request, absl::Duration deadline,
                                          const CancelFlag& cancel,
                                          const TrainerProgressSink& progress) {
  if (!running()) {
    return absl::FailedPreconditionError("trainer: it is not running");
  }
  CARNET_RETURN_IF_ERROR(
      Send(absl::StrCat(request.dump(-1, ' ', false, json::error_handler_t::replace), "\n"),
           deadline, cancel));
  for (;;) {
    CARNET_ASSIGN_OR_RETURN(const std::string line, ReadLine(deadline, cancel));
    auto reply = ParseJson(line, kTrainerLineBytesMax, 8);
    if (!reply.ok() || !reply->is_object()) {
      return Fail(BrokenProtocol(), v1::TASK_FAILURE_TRAINER_OUTPUT);
    }
    if (reply->contains("error")) {
      return Fail(absl::InvalidArgumentError("trainer: it answered with an error"),
                  v1::TASK_FAILURE_TRAINER_OUTPUT);
    }
    const auto report = reply->find("progress");
    if (report == reply->end()) {
      return reply;
    }
    if (report->is_object() && progress) {
      const auto step = Count(*report, "step");
      const auto of = Count(*report, "of");
      if (step.ok() && of.ok()) {
        progress({.step = *step, .of = *of});
      }
    }
  }
}

absl::Status TrainerProcess::Wait(int fd, short events, absl::Duration deadline,
                                  const CancelFlag& cancel) {
  for (;;) {
    if (cancel.load()) {
      return Fail(absl::CancelledError("trainer: cancelled"), v1::TASK_FAILURE_UNSPECIFIED);
    }
    const absl::Duration left = deadline - clock_.MonotonicNow();
    if (left <= absl::ZeroDuration()) {
      return Fail(absl::DeadlineExceededError("trainer: no answer within its time"),
                  v1::TASK_FAILURE_TRAINER_TIMEOUT);
    }
    pollfd waiting = {fd, events, 0};
    const int timeout_ms =
        static_cast<int>(absl::ToInt64Milliseconds(std::min(left, kPollEvery))) + 1;
    if (::poll(&waiting, 1, timeout_ms) > 0) {
      return absl::OkStatus();
    }
  }
}

absl::Status TrainerProcess::Send(const std::string& line, absl::Duration deadline,
                                  const CancelFlag& cancel) {
  ByteView left = AsBytes(line);
  while (!left.empty()) {
    CARNET_RETURN_IF_ERROR(Wait(to_.get(), POLLOUT, deadline, cancel));
    const ssize_t wrote = ::write(to_.get(), left.data(), left.size());
    if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
      return Fail(absl::AbortedError("trainer: it ended"), v1::TASK_FAILURE_TRAINER_CRASHED);
    }
    left = left.subspan(wrote > 0 ? static_cast<std::size_t>(wrote) : 0);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> TrainerProcess::ReadLine(absl::Duration deadline,
                                                     const CancelFlag& cancel) {
  for (;;) {
    const std::size_t end = buffered_.find('\n');
    if (end != std::string::npos && end <= kTrainerLineBytesMax) {
      std::string line = buffered_.substr(0, end);
      buffered_.erase(0, end + 1);
      return line;
    }
    if (buffered_.size() > kTrainerLineBytesMax) {
      return Fail(BrokenProtocol(), v1::TASK_FAILURE_TRAINER_OUTPUT);
    }
    CARNET_RETURN_IF_ERROR(Wait(from_.get(), POLLIN, deadline, cancel));
    char bytes[kReadBytes];
    const ssize_t got = ::read(from_.get(), bytes, sizeof(bytes));
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
      return Fail(absl::AbortedError("trainer: it ended"), v1::TASK_FAILURE_TRAINER_CRASHED);
    }
    buffered_.append(bytes, got > 0 ? static_cast<std::size_t>(got) : 0);
  }
}

absl::Status TrainerProcess::Fail(absl::Status status, v1::TaskFailure failure) {
  failure_.failure = failure;
  // A process whose standard output ended has mostly ended by itself: its own exit code says more
  // than a kill.
  if (failure == v1::TASK_FAILURE_TRAINER_CRASHED) {
    siginfo_t ended = {};
    for (absl::Duration left = kPollEvery * 10; left > absl::ZeroDuration(); left -= kPollEvery) {
      if (::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
          ended.si_pid == pid_) {
        break;
      }
      absl::SleepFor(kPollEvery);
    }
  }
  KillProgram(pid_);
  Reap();
  return status;
}

void TrainerProcess::Reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  failure_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalExitBase + WTERMSIG(status);
  pid_ = -1;
  to_.Reset();
  from_.Reset();
}

}  // namespace carnet::worker
