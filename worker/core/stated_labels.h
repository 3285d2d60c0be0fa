// What the records that come with a task say, as far as persons signed it whom this site followed
// itself. Pure.
#ifndef CARNET_WORKER_CORE_STATED_LABELS_H_
#define CARNET_WORKER_CORE_STATED_LABELS_H_

#include <map>
#include <set>
#include <string>

#include "carnet/v1/federation.pb.h"
#include "ledger/verifier/heads.h"
#include "ledger/verifier/key_history.h"
#include "worker/core/policy_chain.h"
#include "worker/core/site_facts.h"

namespace carnet::worker {

// Everything that a record is judged by. Outlives the calls.
struct StatementView {
  const v1::Task& task;
  const ledger::verifier::TreeHead& head;
  const ledger::verifier::KeyHistory& keys;
  const PolicyChain& chain;
};

// Labels of shards ("dataset/shard") as data stewards signed them, in records under the head that
// the coordinator signed. Signed twice: all of both. digests: of the shards that the task is about
// (raw); what was signed about other bytes of the same name says nothing of these. A steward may
// sign a name without bytes.
std::map<std::string, SiteLabels> StatedLabels(const StatementView& view,
                                               const std::map<std::string, std::string>& digests);

// The jurisdictions of a region, as somebody of compliance, dpo or legal signed them, in the newest
// such record that came. Empty: nobody did.
std::set<std::string> StatedPlaces(const StatementView& view, const std::string& region);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_CORE_STATED_LABELS_H_
