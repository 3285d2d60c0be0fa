// What a site checks of a task by itself, with the policies that it followed itself: that the
// decision was taken on the bundle in force, that exceptions are on record, and that what crosses
// its own border is not forbidden by facts that it knows. Pure. The coordinator's word stands only
// for what this site cannot know (docs/policies.md, "What a site checks itself").
#ifndef CARNET_WORKER_CORE_SITE_CHECK_H_
#define CARNET_WORKER_CORE_SITE_CHECK_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "worker/core/identity.h"
#include "worker/core/policy_chain.h"
#include "worker/core/site_facts.h"
#include "worker/core/task_check.h"

namespace carnet::worker {

// How far this site's clock may be ahead of the coordinator's.
inline constexpr absl::Duration kSiteClockSkewMax = absl::Minutes(5);

// What the checks of a task are made against. Everything outlives the call.
struct SiteView {
  const Identity& identity;
  const ledger::verifier::TreeHead& head;
  const PolicyChain& chain;
  const SiteKnowledge& site;
  absl::Time now;  // wall clock
};

// task, checked: as CheckTask took them. Judged at the time of the decision or 5 minutes ago,
// whichever is later: a round may be open for as long as its submitter signed. OK: nothing that
// this site knows speaks against it. Errors:
//   PERMISSION_DENIED    refused by this site; the message says which flow, rule or exception
//   FAILED_PRECONDITION  decided on policies that this site was not shown
//   DATA_LOSS            IsContradiction: the record contradicts the log that it stands in
absl::Status CheckSite(const v1::Task& task, const CheckedTask& checked, const SiteView& view);

// The same, later, of what leaves this site for a task that CheckSite let begin: of a round its
// delta and metrics, of an evaluation its metrics, the shard that is sent. What came here before is
// not judged again. Errors as above.
absl::Status CheckLeaving(const v1::Task& task, const CheckedTask& checked, const SiteView& view);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_CORE_SITE_CHECK_H_
