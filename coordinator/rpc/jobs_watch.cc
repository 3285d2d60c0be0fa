#include "coordinator/rpc/jobs_watch.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/status.h"
#include "coordinator/core/release.h"
#include "coordinator/rpc/jobs_status.h"
#include "coordinator/rpc/people_gate.h"
#include "ledger/record.h"
#include "policies/warnings.h"

namespace carnet::coordinator {
namespace {

void AddWarnings(const v1::RoundOpened& opened, const policies::Bundle& bundle,
                 v1::JobEvent* event) {
  std::set<std::string> reasons;
  for (const v1::RoundMember& member : opened.members()) {
    for (const v1::Authorisation& authorisation : member.authorisations()) {
      reasons.insert(authorisation.warnings().begin(), authorisation.warnings().end());
    }
  }
  for (const std::string& reason : reasons) {
    if (std::optional<v1::Failure> warning = policies::WarningOf(bundle, reason);
        warning.has_value()) {
      *event->add_warnings() = *std::move(warning);
    }
  }
}

}  // namespace

bool JobWatchers::Join() {
  const MutexLock lock(mutex_);
  if (joined_ >= kJobWatchersMax) {
    return false;
  }
  ++joined_;
  return true;
}

void JobWatchers::Leave() {
  const MutexLock lock(mutex_);
  --joined_;
}

void JobWatchers::Park(JobWatcher* watcher) {
  const MutexLock lock(mutex_);
  parked_.insert(watcher);
}

bool JobWatchers::Unpark(JobWatcher* watcher) {
  const MutexLock lock(mutex_);
  return parked_.erase(watcher) == 1;
}

void JobWatchers::OnCommit() {
  std::set<JobWatcher*> woken;
  {
    const MutexLock lock(mutex_);
    woken.swap(parked_);
  }
  for (JobWatcher* watcher : woken) {
    watcher->Pull();
  }
}

JobWatcher::JobWatcher(const Services& services, std::shared_ptr<JobWatchers> watchers,
                       absl::StatusOr<UserPeer> user, const v1::WatchJobRequest& request)
    : services_(services),
      watchers_(std::move(watchers)),
      user_(std::move(user)),
      job_id_(request.job_id()),
      joined_(watchers_->Join()),
      next_index_(request.from_index()) {
  if (!user_.ok()) {
    End(user_.status());
  } else if (!joined_) {
    End(absl::ResourceExhaustedError("256 watchers are connected, which is the limit"));
  } else {
    Pull();
  }
}

JobWatcher::~JobWatcher() {
  if (joined_) {
    watchers_->Leave();
  }
}

void JobWatcher::Pull() {
  services_.engine.Read([this](const State& state, absl::Time now) { OnState(state, now); });
}

bool JobWatcher::MayRead(const State& state, absl::Time now) {
  if (may_read_by_ == state.facts_version && now < may_read_at_ + kWatchRecheck) {
    return true;
  }
  if (MayReadLog(state, user_->user_id, now)) {
    may_read_at_ = now;
    may_read_by_ = state.facts_version;
    return true;
  }
  PassReading(services_, user_->user_id,
              [this](grpc::Status status) { status.ok() ? Pull() : Finish(std::move(status)); });
  return false;
}

void JobWatcher::OnState(const State& state, absl::Time now) {
  const absl::StatusOr<const Job*> job = VisibleJob(state, user_->user_id, job_id_);
  if (!job.ok()) {
    End(job.status());
    return;
  }
  if (!MayRead(state, now)) {
    return;
  }
  const std::vector<std::uint64_t>& records = (*job)->records;
  const std::uint64_t durable = services_.engine.durable_size();
  auto next = std::lower_bound(records.begin(), records.end(), next_index_);
  std::vector<std::uint64_t> indexes;
  while (next != records.end() && *next < durable && indexes.size() < kWatchBatchMax) {
    indexes.push_back(*next);
    ++next;
  }
  if (!indexes.empty()) {
    // A status says more than its records only if the state is ahead of them.
    const bool newest = next == records.end() && state.size == durable;
    const v1::JobStatus status = MakeJobStatus(**job, services_.engine.waiting());
    const absl::Status admitted = services_.storage.TrySubmit(
        [this, indexes = std::move(indexes), status, newest, bundles = state.bundles]() mutable {
          ReadRecords(std::move(indexes), status, newest, bundles);
        });
    if (!admitted.ok()) {
      End(admitted);
    }
    return;
  }
  if ((*job)->phase != JobPhase::kRunning && next == records.end()) {
    End(absl::OkStatus());
    return;
  }
  // Commits come on this strand, so none is missed between the look above and here.
  watchers_->Park(this);
  if (cancelled_.load() && watchers_->Unpark(this)) {
    End(absl::CancelledError("the watcher left"));
  }
}

void JobWatcher::ReadRecords(std::vector<std::uint64_t> indexes, const v1::JobStatus& status,
                             bool newest, const Bundles& bundles) {
  for (const std::uint64_t index : indexes) {
    const absl::StatusOr<v1::SignedRecord> signed_record = services_.log.ReadRecord(index);
    const absl::StatusOr<ledger::Record> record =
        signed_record.ok() ? ledger::OpenVerifiedRecord(*signed_record)
                           : absl::StatusOr<ledger::Record>(signed_record.status());
    if (!record.ok()) {
      End(record.status());
      return;
    }
    v1::JobEvent event;
    event.set_index(index);
    event.set_type(record->type);
    *event.mutable_at() = ledger::CommonOf(record->predicate).at();
    event.set_statement(signed_record->statement());
    if (const auto* opened = record->As<v1::RoundOpened>(); opened != nullptr) {
      if (const auto bundle = bundles.find(opened->basis().bundle_sha256());
          bundle != bundles.end()) {
        AddWarnings(*opened, *bundle->second, &event);
      }
    }
    events_.push_back(std::move(event));
  }
  if (newest) {
    *events_.back().mutable_status() = status;
  }
  next_index_ = indexes.back() + 1;
  WriteNext();
}

void JobWatcher::WriteNext() {
  StartWrite(&events_.front());
}

void JobWatcher::OnWriteDone(bool ok) {
  if (!ok) {
    End(absl::CancelledError("the watcher left"));
    return;
  }
  events_.pop_front();
  events_.empty() ? Pull() : WriteNext();
}

void JobWatcher::OnCancel() {
  cancelled_.store(true);
  if (watchers_->Unpark(this)) {
    End(absl::CancelledError("the watcher left"));
  }
}

void JobWatcher::End(const absl::Status& status) {
  Finish(ToGrpcStatus(status));
}

}  // namespace carnet::coordinator
