#include "coordinator/core/other_regions.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "coordinator/core/counters.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/plan.h"

namespace carnet::coordinator {
namespace {

using Flows = std::vector<FlowContext>;

void Append(Flows* flows, Flows more) {
  std::move(more.begin(), more.end(), std::back_inserter(*flows));
}

// `flows` of a worker without any shard, as they would be with shards of these classes: those of
// what is behind them already stay.
Flows WithShards(const Flows& flows, const Lineage& classes, const ShardVersions& versions) {
  Flows all;
  for (const FlowContext& flow : flows) {
    if (flow.labels.has_value()) {
      all.push_back(flow);
    }
    if (flow.labels != flows.front().labels) {
      continue;  // of the same crossing with other labels
    }
    for (const LabelClass& labels : classes) {
      all.push_back(flow);
      all.back().labels = labels;
    }
  }
  for (FlowContext& flow : all) {
    flow.versions.insert(versions.begin(), versions.end());
  }
  return all;
}

// All that a round lets a worker do but for what follows from its shards.
Flows AnyPart(const State& state, const Job& job, const Worker& worker) {
  Flows flows = PlaceFlows(state, job, worker);
  Append(&flows, SendModelFlows(state, job, worker));
  Append(&flows, UseKeyFlows(state, job, worker));
  Append(&flows, SendMetricsFlows(state, job, worker));
  return flows;
}

Flows OwnPart(const State& state, const Job& job, const Worker& worker,
              const std::vector<std::string>& shards) {
  Flows flows = AnyPart(state, job, worker);
  Append(&flows, TrainFlows(state, job, worker, shards));
  Append(&flows, SendDeltaFlows(state, job, worker, shards));
  return flows;
}

// The part of `holder`, done by a worker that holds none of the job's shards: they come to it
// first. Empty: there is no such part any more.
Flows PartOfAnother(const State& state, const Job& job, const Worker& worker,
                    const Worker& holder) {
  const std::string& id = holder.terms.worker_id();
  const std::vector<std::string> shards = ShardsOf(state, job.submitted.spec(), id);
  if (shards.empty()) {
    return {};
  }
  Lineage classes;
  for (const std::string& name : shards) {
    classes.insert(ClassOf(state.shards.at(name), id));
  }
  const ShardVersions versions = VersionsOf(state, shards);
  Flows flows = AnyPart(state, job, worker);
  Append(&flows, WithShards(TrainFlows(state, job, worker, {}), classes, versions));
  Append(&flows, WithShards(SendDeltaFlows(state, job, worker, {}), classes, versions));
  for (const std::string& name : shards) {
    Append(&flows, StageDataFlows(state, name, holder, worker));
  }
  return flows;
}

}  // namespace

OtherRegions::OtherRegions(const State& state, const LiveWorkers& live, absl::Time now,
                           ShardVersions besides)
    : state_(state), now_(now), besides_(std::move(besides)) {
  for (const std::string& id : live) {
    const Worker* const worker = state.FindWorker(id);
    if (worker != nullptr && !worker->revoked) {
      workers_.push_back(worker);
    }
  }
  std::sort(workers_.begin(), workers_.end(),
            [](const Worker* a, const Worker* b) { return a->path < b->path; });
}

void OtherRegions::Name(const Passes& passes, v1::Refusal* refusal) const {
  const Worker* const refused = state_.FindWorker(refusal->worker_id());
  if (refused == nullptr || state_.refusal_keys.count(RefusalKey(state_, *refusal)) != 0) {
    return;
  }
  std::set<std::string> regions;
  std::map<std::string, std::size_t> tried;
  for (const Worker* const worker : workers_) {
    const std::string& region = worker->terms.region();
    if (regions.size() == kOtherRegionsMax) {
      break;
    }
    if (region == refused->terms.region() || regions.count(region) != 0 ||
        tried[region] == kTriedInRegionMax) {
      continue;
    }
    ++tried[region];
    if (passes(*worker, *refused)) {
      regions.insert(region);
    }
  }
  for (v1::Decision& decision : *refusal->mutable_decisions()) {
    decision.mutable_other_regions()->Assign(regions.begin(), regions.end());
  }
}

// One worker tried, as far as that many still are.
bool OtherRegions::Allows(std::vector<FlowContext> flows) {
  if (tried_ == kTriedMax) {
    return false;
  }
  ++tried_;
  for (FlowContext& flow : flows) {
    flow.versions.insert(besides_.begin(), besides_.end());
  }
  std::uint64_t counter = 0;  // of ids that nobody reads
  return DecideFlows(state_, flows, now_, {}, &counter).allowed;
}

bool OtherRegions::MayTakePart(const Job& job, const Worker& worker, const Worker& refused) {
  const std::vector<std::string> own =
      ShardsOf(state_, job.submitted.spec(), worker.terms.worker_id());
  const std::string holder = own.empty() ? refused.terms.worker_id() : "";
  const auto [found, fresh] = found_.try_emplace({worker.terms.worker_id(), holder}, false);
  if (!fresh) {
    return found->second;
  }
  Flows flows =
      own.empty() ? PartOfAnother(state_, job, worker, refused) : OwnPart(state_, job, worker, own);
  return found->second = !flows.empty() && Allows(std::move(flows));
}

void OtherRegions::NameForRound(const Job& job, v1::Refusal* refusal) {
  Name([&](const Worker& worker,
           const Worker& refused) { return MayTakePart(job, worker, refused); },
       refusal);
}

void OtherRegions::NameForShard(const std::string& shard, const Worker& from,
                                v1::Refusal* refusal) {
  const std::map<std::string, Bytes>& holders = state_.shards.at(shard).holders;
  const auto passes = [&](const Worker& worker, const Worker&) {
    return holders.count(worker.terms.worker_id()) == 0 &&
           Allows(StageDataFlows(state_, shard, from, worker));
  };
  Name(passes, refusal);
}

}  // namespace carnet::coordinator
