// Watching a job: its records from the beginning, then live until it ends. Watchers pull: each asks
// for its next records when the ones before them are written, so a slow one holds one batch and
// misses nothing.
#ifndef CARNET_COORDINATOR_RPC_JOBS_WATCH_H_
#define CARNET_COORDINATOR_RPC_JOBS_WATCH_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/mutex.h"
#include "carnet/v1/jobs.pb.h"
#include "coordinator/rpc/services.h"

namespace carnet::coordinator {

// A further watcher is refused with RESOURCE_EXHAUSTED.
inline constexpr std::size_t kJobWatchersMax = 256;
// Records that one watcher has in memory.
inline constexpr std::size_t kWatchBatchMax = 16;
// Whether a watcher may still read is decided again after this time, and whenever facts change.
inline constexpr absl::Duration kWatchRecheck = absl::Seconds(10);

class JobWatcher;

// The watchers that wait for a commit. Thread-safe.
class JobWatchers {
 public:
  // Whether there is a place; each Join that said yes is followed by one Leave.
  bool Join() CARNET_EXCLUDES(mutex_);
  void Leave() CARNET_EXCLUDES(mutex_);
  void Park(JobWatcher* watcher) CARNET_EXCLUDES(mutex_);
  // Whether it was parked: who unparks a watcher goes on with it, alone.
  bool Unpark(JobWatcher* watcher) CARNET_EXCLUDES(mutex_);
  // For Engine::AddCommitListener.
  void OnCommit() CARNET_EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::size_t joined_ CARNET_GUARDED_BY(mutex_) = 0;
  std::set<JobWatcher*> parked_ CARNET_GUARDED_BY(mutex_);
};

// Deletes itself in OnDone. At any time one of five has it: the strand (Pull), the gate of people
// (MayRead), the storage executor (ReadRecords), gRPC (a write), or the parking place.
class JobWatcher final : public grpc::ServerWriteReactor<v1::JobEvent> {
 public:
  JobWatcher(const Services& services, std::shared_ptr<JobWatchers> watchers,
             absl::StatusOr<UserPeer> user, const v1::WatchJobRequest& request);
  ~JobWatcher() override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

  // Asks the strand for the next records.
  void Pull();

 private:
  void OnState(const State& state, absl::Time now);
  // Whether statements may go to this person; else the gate is asked, and the watcher goes on when
  // it opens.
  bool MayRead(const State& state, absl::Time now);
  // `bundles`: every one that was ever in force, by digest (raw).
  using Bundles = std::map<std::string, std::shared_ptr<const policies::Bundle>>;
  void ReadRecords(std::vector<std::uint64_t> indexes, const v1::JobStatus& status, bool newest,
                   const Bundles& bundles);
  void WriteNext();
  void End(const absl::Status& status);

  const Services& services_;
  const std::shared_ptr<JobWatchers> watchers_;
  const absl::StatusOr<UserPeer> user_;
  const std::string job_id_;
  const bool joined_;
  std::uint64_t next_index_;
  // When it was last found that he may read, and by which version of facts.
  absl::Time may_read_at_ = absl::InfinitePast();
  std::uint64_t may_read_by_ = 0;
  std::deque<v1::JobEvent> events_;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_JOBS_WATCH_H_
