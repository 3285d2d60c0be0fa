// What this site holds against the coordinator while a task goes on: the policies that it follows,
// the task that it checked with them, and the question whether something may leave for it now.
// Source: docs/policies.md, "What a site checks itself".
#ifndef CARNET_WORKER_SITE_GUARD_H_
#define CARNET_WORKER_SITE_GUARD_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "worker/core/site_check.h"
#include "worker/policy_keeper.h"
#include "worker/task_runner.h"

namespace carnet::worker {

// Thread-safe: one thread polls (Follow, Begin), another one does the task (MayLeave). The keeper
// is changed by this class alone while it lives; its chain is read beside it by the polling thread
// only.
class SiteGuard final : public ExitGate {
 public:
  // Everything outlives this.
  SiteGuard(PolicyKeeper& policies, const SiteKnowledge& site, const Clock& clock)
      : policies_(policies), site_(site), clock_(clock) {}

  // As PolicyKeeper::Follow. After an error no task begins and nothing leaves, until a later call
  // returns OK.
  absl::Status Follow(const v1::NextTaskResponse& response, const ledger::verifier::TreeHead& head,
                      const ledger::verifier::KeyHistory& keys) CARNET_EXCLUDES(mutex_);

  // The task that a coordinator gave, as CheckTask took it under `head`, which `note` signs. OK: it
  // may begin, and MayLeave asks about it from now on. Errors: that of the last Follow; those of
  // CheckSite, a contradiction with the place of its evidence, which is on disk then.
  absl::Status Begin(const v1::Task& task, const CheckedTask& checked, const Identity& identity,
                     const ledger::verifier::TreeHead& head, const std::string& note)
      CARNET_EXCLUDES(mutex_);

  // By the policies that were followed until now, and this site's clock; errors as Begin. Also
  // PERMISSION_DENIED: it is not the task that began last.
  absl::Status MayLeave(const std::string& task_id) override CARNET_EXCLUDES(mutex_);

 private:
  struct Current {
    v1::Task task;
    CheckedTask checked;
    Identity identity;  // as it was: the polling thread's own grows
    ledger::verifier::TreeHead head;
    std::string note;
  };
  SiteView ViewOf(const Current& current) const CARNET_REQUIRES(mutex_);
  // Keeps the evidence if `status` is a contradiction.
  absl::Status Kept(const Current& current, absl::Status status) CARNET_REQUIRES(mutex_);

  PolicyKeeper& policies_;
  const SiteKnowledge& site_;
  const Clock& clock_;
  Mutex mutex_;
  absl::Status refused_ CARNET_GUARDED_BY(mutex_);
  std::optional<Current> current_ CARNET_GUARDED_BY(mutex_);
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_SITE_GUARD_H_
