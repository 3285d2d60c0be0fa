#include "cli/commands/job_watch.h"

#include <ostream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "carnet/v1/records.pb.h"
#include "cli/job_view.h"
#include "cli/json_views.h"
#include "cli/output.h"

namespace carnet::cli {
namespace {

constexpr absl::Duration kStatusEvery = absl::Seconds(1);
constexpr absl::Duration kAwayPause = absl::Milliseconds(500);

// What is on the screen. Events and the ticker share it.
class Screen {
 public:
  Screen(Client& client, CommandContext& context, std::string home)
      : client_(client), context_(context), progress_(context), view_(std::move(home)) {}

  void OnEvent(const v1::JobEvent& event) CARNET_EXCLUDES(mutex_) {
    if (NeedsNames(event)) {
      FetchNames();
    }
    const MutexLock lock(mutex_);
    const std::vector<ViewLine> lines = view_.Feed(event);
    if (context_.json) {
      *context_.out << JobEventJson(event).dump() << std::endl;
      return;
    }
    if (const std::string finished = view_.TakeFinishedRound();
        !finished.empty() && progress_.active()) {
      progress_.Print(finished);
    }
    for (const ViewLine& line : lines) {
      Print(line);
    }
    if (!view_.ended()) {
      progress_.Show(view_.RoundLine());
    }
  }

  // Whether the job goes on; says why it waits, once for each reason.
  void OnStatus(const v1::JobStatus& status) CARNET_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (status.waiting_for() == waiting_for_ || context_.json) {
      return;
    }
    waiting_for_ = status.waiting_for();
    if (!waiting_for_.empty()) {
      progress_.Print(
          Coloured(context_, Colour::kWarning, absl::StrCat("waiting: ", waiting_for_)));
    }
  }

  void OnAway(const absl::Status& status) CARNET_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    progress_.Clear();
    *context_.err << std::string(status.message()) << ": waiting for it" << std::endl;
  }

  bool ended() CARNET_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return view_.ended();
  }
  bool completed() CARNET_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return view_.completed();
  }
  void PrintSummary(const v1::JobStatus& status) CARNET_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    progress_.Clear();
    *context_.out << view_.Summary(status) << std::flush;
  }

 private:
  bool NeedsNames(const v1::JobEvent& event) CARNET_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return names_allowed_ && view_.NeedsNames(event);
  }

  void FetchNames() CARNET_EXCLUDES(mutex_) {
    const absl::StatusOr<v1::ListWorkersResponse> workers =
        client_.Call(client_.admin(), &v1::Admin::Stub::ListWorkers, v1::ListWorkersRequest());
    const MutexLock lock(mutex_);
    if (!workers.ok()) {
      // Who may not list workers sees their ids.
      names_allowed_ = !absl::IsPermissionDenied(workers.status());
      return;
    }
    WorkerNames names;
    for (const v1::WorkerStatus& worker : workers->workers()) {
      names[worker.worker_id()] = {worker.slot(),
                                   worker.jurisdictions().empty() ? "" : worker.jurisdictions(0)};
    }
    view_.SetWorkers(std::move(names));
  }

  void Print(const ViewLine& line) CARNET_REQUIRES(mutex_) {
    switch (line.kind) {
      case ViewLine::Kind::kRound:
        if (!progress_.active()) {
          *context_.out << line.text << std::endl;
        }
        break;
      case ViewLine::Kind::kNotice:
        progress_.Print(Coloured(context_, Colour::kWarning, line.text));
        break;
      case ViewLine::Kind::kEnd:
        progress_.Print(
            Coloured(context_, view_.completed() ? Colour::kGood : Colour::kBad, line.text));
        break;
    }
  }

  Client& client_;
  CommandContext& context_;
  Mutex mutex_;
  ProgressLine progress_ CARNET_GUARDED_BY(mutex_);
  JobView view_ CARNET_GUARDED_BY(mutex_);
  std::string waiting_for_ CARNET_GUARDED_BY(mutex_);
  bool names_allowed_ CARNET_GUARDED_BY(mutex_) = true;
};

// Asks for the status now and then: a job that waits makes no records.
class Ticker {
 public:
  Ticker(Client& client, Screen& screen, std::string job_id)
      : thread_([this, &client, &screen, job_id = std::move(job_id)] {
          Run(client, screen, job_id);
        }) {}
  ~Ticker() {
    {
      const MutexLock lock(mutex_);
      stop_ = true;
      changed_.NotifyAll();
    }
    thread_.join();
  }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  void Run(Client& client, Screen& screen, const std::string& job_id) {
    v1::GetJobRequest request;
    request.set_job_id(job_id);
    while (true) {
      {
        const MutexLock lock(mutex_);
        if (!stop_) {
          changed_.WaitFor(mutex_, kStatusEvery);
        }
        if (stop_) {
          return;
        }
      }
      const absl::StatusOr<v1::JobStatus> status =
          client.Call(client.jobs(), &v1::Jobs::Stub::GetJob, request);
      if (status.ok()) {
        screen.OnStatus(*status);
      }
    }
  }

  Mutex mutex_;
  CondVar changed_;
  bool stop_ CARNET_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// One stream. Moves `next` behind each event that came.
absl::Status WatchOnce(Client& client, Screen& screen, const std::string& job_id,
                       std::uint64_t* next) {
  v1::WatchJobRequest request;
  request.set_job_id(job_id);
  request.set_from_index(*next);
  grpc::ClientContext call;
  Client::SetDeadline(call, kTransferMax);
  const auto stream = client.jobs().WatchJob(&call, request);
  v1::JobEvent event;
  while (stream->Read(&event)) {
    *next = event.index() + 1;
    screen.OnEvent(event);
  }
  return client.ToStatus(stream->Finish());
}

absl::Status WatchToEnd(Client& client, Screen& screen, const std::string& job_id) {
  std::uint64_t next = 0;
  while (true) {
    const absl::Status status = WatchOnce(client, screen, job_id, &next);
    if (status.ok() || screen.ended()) {
      return absl::OkStatus();
    }
    // Only who has seen the job waits for a coordinator that went away.
    if (!absl::IsUnavailable(status) || next == 0) {
      return status;
    }
    screen.OnAway(status);
    absl::SleepFor(kAwayPause);  // one that is stopping answers so, too
    if (!client.WaitForConnection(kWatchAwayMax)) {
      return status;
    }
  }
}

}  // namespace

absl::StatusOr<int> WatchJob(Client& client, CommandContext& context, const std::string& job_id) {
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::VerifiedRecord first, client.FetchRecord(0));
  const auto* genesis = first.As<v1::Genesis>();
  if (genesis == nullptr) {
    return absl::UnauthenticatedError("the log does not begin with a genesis record");
  }
  Screen screen(client, context, genesis->home_jurisdiction());
  {
    const Ticker ticker(client, screen, job_id);
    CARNET_RETURN_IF_ERROR(WatchToEnd(client, screen, job_id));
  }
  v1::GetJobRequest request;
  request.set_job_id(job_id);
  CARNET_ASSIGN_OR_RETURN(const v1::JobStatus status,
                          client.Call(client.jobs(), &v1::Jobs::Stub::GetJob, request));
  if (context.json) {
    *context.out << JobStatusJson(status).dump() << std::endl;
  } else {
    screen.PrintSummary(status);
  }
  return status.state() == v1::JOB_STATE_COMPLETED ? kGood : kRefused;
}

}  // namespace carnet::cli
