// Where else what was refused would pass now: advice to the owner of a job beside a refusal, and no
// decision of its own. Nothing is recorded of the looking but the names. Pure; used within one
// command, on one thread.
#ifndef CARNET_COORDINATOR_CORE_OTHER_REGIONS_H_
#define CARNET_COORDINATOR_CORE_OTHER_REGIONS_H_

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/commands.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// Regions that one refusal names; the first in the order of their workers' SPIFFE paths.
inline constexpr std::size_t kOtherRegionsMax = 16;
// Workers of one region that are tried for one refusal: its others are mostly alike.
inline constexpr std::size_t kTriedInRegionMax = 4;
// Workers that are tried for all refusals of one command; what would pass beyond is not named.
inline constexpr std::size_t kTriedMax = 64;

// Fills Decision.other_regions of refusals that are not on record yet, in order of the names: the
// regions, but the refused worker's own, of live workers that are not revoked and whose every flow
// of the same work is allowed now. Candidates count before a cohort is picked from them.
// Evaluations have no other regions: they run at home only.
class OtherRegions {
 public:
  // `state` must outlive this object. `besides`: shards that members of the same round may move,
  // which counters count too.
  OtherRegions(const State& state, const LiveWorkers& live, absl::Time now,
               ShardVersions besides = {});

  // What the plan of `job` found out already of a worker's own part in its next round.
  void Note(const std::string& worker_id, bool passes) { found_[{worker_id, ""}] = passes; }

  // Of a worker's part in a round of `job`. Elsewhere it is the part of a worker with the job's
  // shards that it holds; one that holds none gets those of the refused worker, and must be allowed
  // to have them staged.
  void NameForRound(const Job& job, v1::Refusal* refusal);
  // Of a staging of `shard` ("dataset/shard") from `from`: workers that do not hold it.
  void NameForShard(const std::string& shard, const Worker& from, v1::Refusal* refusal);

 private:
  using Passes = std::function<bool(const Worker& worker, const Worker& refused)>;

  void Name(const Passes& passes, v1::Refusal* refusal) const;
  bool Allows(std::vector<FlowContext> flows);
  bool MayTakePart(const Job& job, const Worker& worker, const Worker& refused);

  const State& state_;
  const absl::Time now_;
  const ShardVersions besides_;
  std::vector<const Worker*> workers_;  // live, by path
  // By worker, and whose part of the round he would take over; empty: his own part.
  std::map<std::pair<std::string, std::string>, bool> found_;
  std::size_t tried_ = 0;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_OTHER_REGIONS_H_
