// Operations that records tell of, counted by day: what an impact report weighs (core/impact.h),
// and which records can change one. Pure.
#ifndef CARNET_COORDINATOR_CORE_RECORDED_H_
#define CARNET_COORDINATOR_CORE_RECORDED_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/state.h"
#include "ledger/predicate.h"

namespace carnet::coordinator {

// How many days back a report looks: whole UTC days, the one of the report included.
inline constexpr int kRecordedDays = 30;

// Counts what `predicate` tells of: a member of an opened round, an aggregation, a staging, a
// release, a reading, a refusal. Called by Apply behind the fold. What is older than kRecordedDays
// is forgotten, but for refusals under the revision in force: each is on record once for it. A
// record that tells of none changes nothing.
void NoteRecorded(State& state, const ledger::Predicate& predicate);

// Each use once, the newest day's first (within a day in their order), with how often it was
// recorded in the kRecordedDays up to the day of `at`. Behind them those that were refused before,
// under the revision in force.
std::vector<std::pair<RecordedUse, std::uint64_t>> RecordedUses(const State& state, absl::Time at);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_RECORDED_H_
