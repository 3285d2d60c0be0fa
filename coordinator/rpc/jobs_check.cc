#include "coordinator/rpc/jobs_check.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/core/plan.h"

namespace carnet::coordinator {
namespace {

bool Names(const std::string& pattern, const std::string& key) {
  return pattern == key || (absl::EndsWith(pattern, "/*") &&
                            absl::StartsWith(key, pattern.substr(0, pattern.size() - 1)));
}

std::set<std::string> ShardsNamed(const State& state, const v1::JobSpec& spec) {
  std::set<std::string> names;
  for (const auto& [key, shard] : state.shards) {
    for (const std::string& pattern : spec.data()) {
      if (Names(pattern, key)) {
        names.insert(key);
      }
    }
  }
  return names;
}

// The shards of the golden set, if this worker would be its evaluator.
std::vector<std::string> GoldenShards(const State& state, const v1::JobSpec& spec,
                                      const Worker& worker) {
  std::vector<std::string> names;
  if (!spec.has_evaluate() || worker.terms.region() != "home") {
    return names;
  }
  for (const auto& [key, shard] : state.shards) {
    if (!Names(absl::StrCat(spec.evaluate().data(), "/*"), key)) {
      continue;
    }
    if (shard.holders.count(worker.terms.worker_id()) == 0) {
      return {};
    }
    names.push_back(key);
  }
  return names;
}

// What one region's decisions are, each once.
class RegionDecisions {
 public:
  RegionDecisions(const State& state, absl::Time now, ByteView entropy, std::uint64_t* counter)
      : state_(state), now_(now), entropy_(entropy), counter_(counter) {}

  void Add(const std::vector<FlowContext>& flows) {
    for (v1::Decision& decision : DecideFlows(state_, flows, now_, entropy_, counter_).decisions) {
      std::string key = absl::StrCat(decision.flow().SerializeAsString(), "|",
                                     static_cast<int>(decision.verdict()));
      for (const v1::Failure& failure : decision.failures()) {
        absl::StrAppend(&key, "|", failure.reason());
      }
      if (seen_.insert(key).second) {
        decisions_.push_back(std::move(decision));
      }
    }
  }

  void AddWorker(const Job& job, const Worker& worker, const std::vector<std::string>& shards,
                 const std::vector<std::string>& golden) {
    if (!shards.empty()) {
      Add(PlaceFlows(state_, job, worker));
      Add(TrainFlows(state_, job, worker, shards));
      Add(SendDeltaFlows(state_, job, worker, shards));
    }
    if (!golden.empty()) {
      Add(TrainFlows(state_, job, worker, golden));
    }
    Add(SendModelFlows(state_, job, worker));
    Add(UseKeyFlows(state_, job, worker));
    Add(SendMetricsFlows(state_, job, worker));
  }

  void Fill(v1::RegionVerdict* verdict) {
    std::stable_partition(decisions_.begin(), decisions_.end(), [](const v1::Decision& decision) {
      return decision.verdict() != v1::VERDICT_ALLOW;
    });
    for (v1::Decision& decision : decisions_) {
      *verdict->add_decisions() = std::move(decision);
    }
  }

 private:
  const State& state_;
  const absl::Time now_;
  const ByteView entropy_;
  std::uint64_t* const counter_;
  std::set<std::string> seen_;
  std::vector<v1::Decision> decisions_;
};

// The job as it would be in its first round, and once the model has seen everything.
struct Hypothetical {
  Job first;
  Job later;
};

Hypothetical MakeHypothetical(const State& state, const v1::JobSpec& spec,
                              const std::set<std::string>& shards, ByteView entropy,
                              std::uint64_t* counter) {
  Hypothetical jobs;
  jobs.first.id = DeriveId("j", entropy, counter);
  jobs.first.submitted.set_job_id(jobs.first.id);
  *jobs.first.submitted.mutable_spec() = spec;
  if (const absl::StatusOr<Digest> model = DigestFromHex(spec.model().sha256()); model.ok()) {
    const auto known = state.model_lineage.find(ToString(*model));
    if (known != state.model_lineage.end()) {
      jobs.first.lineage = known->second;
    }
  }
  jobs.later = jobs.first;
  for (const std::string& name : shards) {
    const Shard& shard = state.shards.at(name);
    for (const auto& [worker_id, digest] : shard.holders) {
      jobs.later.lineage.insert(ClassOf(shard, worker_id));
    }
  }
  return jobs;
}

}  // namespace

absl::StatusOr<v1::CheckJobResponse> CheckJob(const State& state, const v1::JobSpec& spec,
                                              absl::Time now, ByteView entropy) {
  CARNET_RETURN_IF_ERROR(ValidateJob(spec));
  const std::set<std::string> shards = ShardsNamed(state, spec);
  for (const std::string& pattern : spec.data()) {
    if (std::none_of(shards.begin(), shards.end(),
                     [&](const std::string& key) { return Names(pattern, key); })) {
      return absl::NotFoundError(absl::StrCat("job: no registered shard is named by ", pattern));
    }
  }
  std::uint64_t counter = 0;
  const Hypothetical jobs = MakeHypothetical(state, spec, shards, entropy, &counter);
  v1::CheckJobResponse response;
  for (const auto& [region, terms] : state.regions) {
    v1::RegionVerdict verdict;
    verdict.set_region(region);
    RegionDecisions decisions(state, now, entropy, &counter);
    for (const auto& [worker_id, worker] : state.workers) {
      if (worker.revoked || worker.terms.region() != region) {
        continue;
      }
      const std::vector<std::string> held = ShardsOf(state, spec, worker_id);
      const std::vector<std::string> golden = GoldenShards(state, spec, worker);
      if (!held.empty() || !golden.empty()) {
        verdict.add_workers(worker.terms.slot());
        decisions.AddWorker(jobs.first, worker, held, golden);
        decisions.AddWorker(jobs.later, worker, held, golden);
      }
    }
    const bool stores =
        std::any_of(shards.begin(), shards.end(), [&, name = region](const std::string& key) {
          return state.shards.at(key).terms.stored_in() == name;
        });
    if (region == "home") {
      decisions.Add(AggregateFlows(state, jobs.later, jobs.later.lineage));
    }
    if (region == "home" || stores || !verdict.workers().empty()) {
      decisions.Fill(&verdict);
      *response.add_regions() = std::move(verdict);
    }
  }
  return response;
}

}  // namespace carnet::coordinator
