#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/status.h"
#include "tests/bench/bars.h"

namespace carnet::bench {
namespace {

constexpr std::array<std::size_t, 3> kContributions = {8, 32, 128};
constexpr double kModelFactor = 1.2;
constexpr double kWindowsBytes = 256.0 * (1 << 20);
// What 120 more contributions may add: an open file, a key, and a keyed cipher per thread for each.
constexpr double kFlatBytes = 16.0 * (1 << 20);
constexpr absl::Duration kSamplePeriod = absl::Milliseconds(2);

struct Peak {
  double bytes = 0;         // Largest RssAnon + RssShmem seen.
  double vm_hwm_bytes = 0;  // Of the process: file pages too.
};

// A field of /proc/self/status in bytes; 0 when it is not there.
double StatusField(const std::string& status, const std::string& name) {
  const std::size_t at = status.find("\n" + name + ":");
  return at == std::string::npos
             ? 0
             : std::strtod(status.c_str() + at + name.size() + 2, nullptr) * 1024;
}

std::string ReadStatus() {
  std::ifstream file("/proc/self/status");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

double AnonymousBytes() {
  const std::string status = ReadStatus();
  return StatusField(status, "RssAnon") + StatusField(status, "RssShmem");
}

// Samples this process from a thread of its own, from construction to Finish.
class Sampler {
 public:
  Sampler() : thread_([this] { Run(); }) {}

  double Finish() {
    {
      MutexLock lock(mutex_);
      done_ = true;
      done_changed_.NotifyAll();
    }
    thread_.join();
    return std::max(peak_bytes_, AnonymousBytes());
  }

 private:
  void Run() {
    MutexLock lock(mutex_);
    while (!done_) {
      peak_bytes_ = std::max(peak_bytes_, AnonymousBytes());
      static_cast<void>(done_changed_.WaitFor(mutex_, kSamplePeriod));
    }
  }

  double peak_bytes_ = 0;  // Of the thread, until it is joined.
  Mutex mutex_;
  CondVar done_changed_;
  bool done_ CARNET_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // Last: it uses the others.
};

absl::StatusOr<Peak> CombineAndWatch(const SyntheticRound& round, std::size_t count, int threads) {
  Sampler sampler;
  const auto combined =
      aggregation::Combine(round.Contributions(count), round.CombineOptions(threads));
  const double peak = sampler.Finish();
  CARNET_RETURN_IF_ERROR(combined);
  return Peak{peak, StatusField(ReadStatus(), "VmHWM")};
}

// In a child, so that each pass starts from the same small process.
absl::StatusOr<Peak> MeasureInChild(const SyntheticRound& round, std::size_t count, int threads) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) {
    return absl::UnavailableError("bench: no pipe");
  }
  const pid_t child = fork();
  if (child == 0) {
    const auto peak = CombineAndWatch(round, count, threads);
    const bool told =
        peak.ok() && write(ends[1], &*peak, sizeof(Peak)) == static_cast<ssize_t>(sizeof(Peak));
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  Peak peak;
  const bool heard = read(ends[0], &peak, sizeof(peak)) == static_cast<ssize_t>(sizeof(peak));
  close(ends[0]);
  int exit_status = 0;
  if (child < 0 || waitpid(child, &exit_status, 0) != child || exit_status != 0 || !heard) {
    return absl::InternalError("bench: the pass failed in the measured process");
  }
  return peak;
}

}  // namespace

absl::StatusOr<std::vector<Figure>> MeasureAggregateMemory(const SyntheticRound& round,
                                                           const BenchOptions& options) {
  constexpr double kMebi = 1 << 20;
  const double limit = kModelFactor * static_cast<double>(round.model_bytes()) + kWindowsBytes;
  std::vector<Figure> figures;
  for (const std::size_t count : kContributions) {
    CARNET_ASSIGN_OR_RETURN(const Peak peak, MeasureInChild(round, count, options.threads));
    Figure figure;
    figure.bar = absl::StrCat("B2 at ", count);
    figure.what = absl::StrFormat("peak memory, %d contributions (VmHWM %.1f MiB)", count,
                                  peak.vm_hwm_bytes / kMebi);
    figure.unit = "MiB";
    figure.figure = peak.bytes / kMebi;
    figure.limit = limit / kMebi;
    figure.at_most = 1.0;
    figure.checked = true;
    figures.push_back(figure);
  }
  Figure flat = figures.back();
  flat.bar = "B2 flat";
  flat.what = "growth from 8 to 128 contributions";
  flat.figure = std::max(0.0, figures.back().figure - figures.front().figure);
  flat.limit = kFlatBytes / kMebi;
  figures.push_back(flat);
  return figures;
}

}  // namespace carnet::bench
