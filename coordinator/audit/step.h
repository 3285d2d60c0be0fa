// One record about to be folded, the state before it, and where findings go. Internal to the audit.
#ifndef CARNET_COORDINATOR_AUDIT_STEP_H_
#define CARNET_COORDINATOR_AUDIT_STEP_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/audit/findings.h"
#include "coordinator/audit/report.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator::audit {

// A duty that a decision on record asks for, and that no record made due yet.
struct OwedDuty {
  std::uint64_t index = 0;  // of the record with the decision
  absl::Time at;            // of that record
  std::string text;
};

// What the replay remembers beside the state, because the state has no use for it.
struct Memory {
  // From here on only records came that no decision depends on: what was decided at this size or
  // later had the same facts as the state before the next record.
  std::uint64_t decisive_size = 0;
  // The same for reports on the impact of a proposal, which count refusals and releases too.
  std::uint64_t weighed_size = 0;
  // The coordinator's own records among those, with the times that they state: one older than what
  // any report to come may say, and all since.
  std::deque<std::pair<absl::Time, std::uint64_t>> weighed;
  std::string last_request_id;                            // of the record before
  std::set<std::pair<std::string, std::string>> refused;  // job, worker with a refusal on record
  std::map<std::string, absl::Time> destruction_ordered;  // keys not yet destroyed
  // By rule, job, recipient and destination.
  std::map<std::string, OwedDuty> duties_owed;
  std::set<std::string> duties_due;  // that became due once
  // The latest `at` of the assessments since the coordinator's last record; past: none.
  absl::Time assessed = absl::InfinitePast();
  std::string wanted;              // id of the decision to keep; empty: none
  std::optional<Retaken> retaken;  // that decision, once its record was replayed
  std::vector<RecomputedRound> recomputed;
  std::map<std::string, std::uint64_t> not_recomputed;  // why -> aggregations
};

class Step {
 public:
  Step(const State& state, std::uint64_t index, Memory& memory, Numbers& numbers,
       Findings& findings)
      : state_(state), index_(index), memory_(memory), numbers_(numbers), findings_(findings) {}

  const State& state() const { return state_; }
  std::uint64_t index() const { return index_; }
  Memory& memory() const { return memory_; }
  Numbers& numbers() const { return numbers_; }

  void Add(Severity severity, const char* check, std::string expected, std::string actual) const {
    findings_.Add({severity, index_, check, std::move(expected), std::move(actual)});
  }
  // Bad evidence unless `holds`. Returns `holds`.
  bool Expect(bool holds, const char* check, std::string expected, std::string actual) const {
    if (!holds) {
      Add(Severity::kBadEvidence, check, std::move(expected), std::move(actual));
    }
    return holds;
  }

 private:
  const State& state_;
  const std::uint64_t index_;
  Memory& memory_;
  Numbers& numbers_;
  Findings& findings_;
};

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_STEP_H_
