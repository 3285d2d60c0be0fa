#include "worker/site_guard.h"

#include <utility>

#include "base/status.h"

namespace carnet::worker {

absl::Status SiteGuard::Follow(const v1::NextTaskResponse& response,
                               const ledger::verifier::TreeHead& head,
                               const ledger::verifier::KeyHistory& keys) {
  const MutexLock lock(mutex_);
  refused_ = policies_.Follow(response, head, keys);
  return refused_;
}

SiteView SiteGuard::ViewOf(const Current& current) const {
  return {.identity = current.identity,
          .head = current.head,
          .chain = policies_.chain(),
          .site = site_,
          .now = clock_.Now()};
}

absl::Status SiteGuard::Kept(const Current& current, absl::Status status) {
  return IsContradiction(status)
             ? policies_.KeepEvidence(current.task.opened(), current.note, status)
             : status;
}

absl::Status SiteGuard::Begin(const v1::Task& task, const CheckedTask& checked,
                              const Identity& identity, const ledger::verifier::TreeHead& head,
                              const std::string& note) {
  const MutexLock lock(mutex_);
  current_.reset();
  CARNET_RETURN_IF_ERROR(refused_);
  Current next{task, checked, identity, head, note};
  CARNET_RETURN_IF_ERROR(Kept(next, CheckSite(next.task, next.checked, ViewOf(next))));
  current_.emplace(std::move(next));
  return absl::OkStatus();
}

absl::Status SiteGuard::MayLeave(const std::string& task_id) {
  const MutexLock lock(mutex_);
  if (!current_.has_value() || current_->checked.task_id != task_id) {
    return absl::PermissionDeniedError("site: this is not the task that was checked here");
  }
  CARNET_RETURN_IF_ERROR(refused_);
  return Kept(*current_, CheckLeaving(current_->task, current_->checked, ViewOf(*current_)));
}

}  // namespace carnet::worker
