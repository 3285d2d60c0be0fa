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

struct Participant {
  const Worker* worker = nullptr;
  std::vector<std::string> shards;
  std::vector<std::string> golden;  // of the evaluation
};

// What one region's decisions are, each once.
class RegionDecisions {
 public:
  RegionDecisions(const State& state, absl::Time now, ByteView entropy, std::uint64_t* counter)
      : state_(state), now_(now), entropy_(entropy), counter_(counter) {}

  // Whether all of them may, but for the organisation's own policy engine, which nobody asks about
  // a job that is not on record.
  bool Add(const std::vector<FlowContext>& flows) {
    Verdicts verdicts = DecideFlows(state_, flows, now_, entropy_, counter_);
    for (v1::Decision& decision : verdicts.decisions) {
      std::string key = absl::StrCat(decision.flow().SerializeAsString(), "|",
                                     static_cast<int>(decision.verdict()));
      for (const v1::Failure& failure : decision.failures()) {
        absl::StrAppend(&key, "|", failure.reason());
      }
      if (seen_.insert(key).second) {
        decisions_.push_back(std::move(decision));
      }
    }
    return verdicts.allowed || verdicts.awaits_bridge;
  }

  // Whether the worker may take part.
  bool AddWorker(const Job& job, const Participant& participant) {
    const Worker& worker = *participant.worker;
    bool allowed = true;
    if (!participant.shards.empty()) {
      allowed = Add(PlaceFlows(state_, job, worker)) && allowed;
      allowed = Add(TrainFlows(state_, job, worker, participant.shards)) && allowed;
      allowed = Add(SendDeltaFlows(state_, job, worker, participant.shards)) && allowed;
    }
    if (!participant.golden.empty()) {
      allowed = Add(TrainFlows(state_, job, worker, participant.golden)) && allowed;
    }
    allowed = Add(SendModelFlows(state_, job, worker)) && allowed;
    allowed = Add(UseKeyFlows(state_, job, worker)) && allowed;
    return Add(SendMetricsFlows(state_, job, worker)) && allowed;
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

// The job as it would be when its first round opens.
Job FirstRound(const State& state, const v1::JobSpec& spec, ByteView entropy,
               std::uint64_t* counter) {
  Job job;
  job.id = DeriveId("j", entropy, counter);
  job.submitted.set_job_id(job.id);
  *job.submitted.mutable_spec() = spec;
  if (const absl::StatusOr<Digest> model = DigestFromHex(spec.model().sha256()); model.ok()) {
    job.submitted.set_model_sha256(ToString(*model));
    job.model_sha256 = Bytes(model->begin(), model->end());
    const auto known = state.model_lineage.find(ToString(*model));
    if (known != state.model_lineage.end()) {
      job.lineage = known->second;
    }
  }
  return job;
}

struct RegionCheck {
  v1::RegionVerdict verdict;
  RegionDecisions decisions;
  std::vector<Participant> admitted;  // to the first round
};

// Every worker of the region that has something to do in the job.
std::vector<Participant> ParticipantsIn(const State& state, const v1::JobSpec& spec,
                                        const std::string& region) {
  std::vector<Participant> participants;
  for (const auto& [worker_id, worker] : state.workers) {
    if (worker.revoked || worker.terms.region() != region) {
      continue;
    }
    Participant participant{&worker, ShardsOf(state, spec, worker_id),
                            GoldenShards(state, spec, worker)};
    if (!participant.shards.empty() || !participant.golden.empty()) {
      participants.push_back(std::move(participant));
    }
  }
  return participants;
}

bool Stores(const State& state, const std::set<std::string>& shards, const std::string& region) {
  return std::any_of(shards.begin(), shards.end(), [&](const std::string& key) {
    return state.shards.at(key).terms.stored_in() == region;
  });
}

absl::Status CheckNames(const v1::JobSpec& spec, const std::set<std::string>& shards) {
  for (const std::string& pattern : spec.data()) {
    if (std::none_of(shards.begin(), shards.end(),
                     [&](const std::string& key) { return Names(pattern, key); })) {
      return absl::NotFoundError(absl::StrCat("job: no registered shard is named by ", pattern));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::CheckJobResponse> CheckJob(const State& state, const v1::JobSpec& spec,
                                              absl::Time now, ByteView entropy) {
  CARNET_RETURN_IF_ERROR(ValidateJob(spec));
  const std::set<std::string> shards = ShardsNamed(state, spec);
  CARNET_RETURN_IF_ERROR(CheckNames(spec, shards));
  std::uint64_t counter = 0;
  const Job first = FirstRound(state, spec, entropy, &counter);
  Job later = first;
  std::vector<RegionCheck> regions;
  for (const auto& [name, terms] : state.regions) {
    RegionCheck region{{}, RegionDecisions(state, now, entropy, &counter), {}};
    region.verdict.set_region(name);
    for (Participant& participant : ParticipantsIn(state, spec, name)) {
      region.verdict.add_workers(participant.worker->terms.slot());
      if (!region.decisions.AddWorker(first, participant)) {
        continue;
      }
      // What is trained on here is in the model that the later rounds send out.
      for (const std::string& key : participant.shards) {
        later.lineage.insert(ClassOf(state.shards.at(key), participant.worker->terms.worker_id()));
      }
      region.admitted.push_back(std::move(participant));
    }
    if (name == "home" || !region.verdict.workers().empty() || Stores(state, shards, name)) {
      regions.push_back(std::move(region));
    }
  }
  v1::CheckJobResponse response;
  for (RegionCheck& region : regions) {
    for (const Participant& participant : region.admitted) {
      region.decisions.AddWorker(later, participant);
    }
    if (region.verdict.region() == "home") {
      region.decisions.Add(AggregateFlows(state, later, later.lineage));
    }
    region.decisions.Fill(&region.verdict);
    *response.add_regions() = std::move(region.verdict);
  }
  return response;
}

}  // namespace carnet::coordinator
