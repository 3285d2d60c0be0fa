// Shards that were withdrawn, and what follows for jobs and models. A shard is withdrawn for good,
// by its name: the same data under other labels is a new shard under another name. Pure.
#ifndef CARNET_COORDINATOR_CORE_WITHDRAWAL_H_
#define CARNET_COORDINATOR_CORE_WITHDRAWAL_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "carnet/v1/jobs.pb.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// `name`: "dataset/shard". False for one that nobody registered.
bool IsWithdrawn(const State& state, const std::string& name);
// Names of those of `versions` that were withdrawn.
std::set<std::string> WithdrawnAmong(const State& state, const ShardVersions& versions);
// Whether a member of a round has a withdrawn shard to train on.
bool HasWithdrawnShard(const State& state, const v1::RoundMember& member);

// Why nothing more is opened for the job: its model was trained on a withdrawn shard, or its golden
// set has one. "shard-withdrawn digits/fr"; empty: nothing of the kind. Nothing lifts it: whoever
// submitted the job stops it, and may submit another with a model that never saw the shard.
std::string WhyHeld(const State& state, const Job& job);
// Error FAILED_PRECONDITION: the job is held.
absl::Status CheckNotHeld(const State& state, const Job& job);

// The running jobs that wait because of `name`, and the models that were trained on it, newest
// first, with whether somebody has a release of them.
void ListAffected(const State& state, const std::string& name, v1::WithdrawShardResponse* response);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_WITHDRAWAL_H_
