// How many people crossings have concerned: counters are a fold of records. A person counts once
// for each version of a shard, however often and whereto it crosses. Pure.
#ifndef CARNET_COORDINATOR_CORE_COUNTERS_H_
#define CARNET_COORDINATOR_CORE_COUNTERS_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/state.h"
#include "policies/counters.h"

namespace carnet::coordinator {

// "dataset/shard@<hex of its digest>": a shard as it is now.
std::string VersionOf(const std::string& name, const Shard& shard);
// Of each of `shards` ("dataset/shard") that is registered.
ShardVersions VersionsOf(const State& state, const std::vector<std::string>& shards);

// How many people of `counter` are in a version; nullopt: its labels say that there may be some,
// and nobody counted them.
std::optional<std::uint64_t> PeopleIn(const State& state, const std::string& version,
                                      const policies::Counter& counter);

// Versions that open rounds and stagings may still move, by live tickets: reserved, not yet
// counted.
ShardVersions ReservedVersions(const State& state, absl::Time at);

// What the counter stands at once a flow with `versions` behind it has crossed: the opening
// balance, what crossed in its window, what is reserved, and the flow itself. nullopt: no opening
// balance was recorded, or people that nobody counted are among them.
std::optional<std::uint64_t> CountPeople(const State& state, const policies::Counter& counter,
                                         const ShardVersions& versions, absl::Time at);

// The first of `counters` that must count `version`, because people that it counts are in it or may
// be, and it has not crossed within the day before `at`. Null: none; else one of `counters`.
const policies::Counter* FirstToCount(const State& state, const std::string& version,
                                      const std::vector<policies::Counter>& counters,
                                      absl::Time at);

// Those of `versions` that a counter must count, because they have not crossed within the last day:
// one that the bundle reads, or that was opened. A rule that reads it later finds them in it.
ShardVersions NotYetCounted(const State& state, const ShardVersions& versions, absl::Time at);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_COUNTERS_H_
