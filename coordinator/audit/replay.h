// Replays a log: every record is checked against the state before it, its decisions are taken
// again, and it is folded in. Pure: records and times come in as parameters. Not thread-safe.
#ifndef CARNET_COORDINATOR_AUDIT_REPLAY_H_
#define CARNET_COORDINATOR_AUDIT_REPLAY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/audit/findings.h"
#include "coordinator/audit/recompute.h"
#include "coordinator/audit/report.h"
#include "coordinator/audit/step.h"
#include "coordinator/core/state.h"
#include "ledger/predicate.h"
#include "ledger/verifier/merkle.h"
#include "ledger/verifier/record.h"

namespace carnet::coordinator::audit {

// Memory: the state, and 32 bytes a record for the heads that workers say they saw.
class Replay {
 public:
  // `decision`: id of the one to keep for the report; empty: none.
  Replay(Numbers& numbers, Findings& findings, std::string decision = "",
         Recomputation recomputation = {})
      : numbers_(numbers), findings_(findings), recomputation_(std::move(recomputation)) {
    memory_.wanted = std::move(decision);
  }

  // The next record, in order; its signature was verified. After a record that cannot be folded,
  // nothing more is replayed.
  void Add(const ledger::verifier::VerifiedRecord& record);

  // What the end of the log leaves open, and the parts of `report` that come from the state.
  void Finish(Report& report) const;

  // Records added so far.
  std::uint64_t records() const { return roots_.size() - 1; }

 private:
  void CheckCommon(const Step& step, const ledger::Predicate& predicate) const;
  void CheckSigner(const Step& step, const ledger::verifier::VerifiedRecord& record,
                   const ledger::Predicate& predicate) const;
  void CheckSeen(const Step& step, const v1::Seen& seen) const;
  // False: folding it is not safe.
  bool CheckFoldable(const Step& step, const ledger::Predicate& predicate) const;
  void Fold(const Step& step, const ledger::Predicate& predicate);
  void FinishKeys() const;
  void FinishJobs(Report& report) const;
  void FinishRecomputation(Report& report) const;

  Numbers& numbers_;
  Findings& findings_;
  const Recomputation recomputation_;
  mutable Memory memory_;
  State state_;
  bool stopped_ = false;
  ledger::verifier::RootBuilder tree_;
  std::vector<Digest> roots_ = {ledger::verifier::RootBuilder().Root()};  // by size
  std::vector<BundleInForce> bundles_;
};

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_REPLAY_H_
