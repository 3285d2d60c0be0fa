#include "coordinator/core/impact_flows.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

#include "coordinator/core/counters.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/plan.h"
#include "coordinator/core/release.h"
#include "policies/evaluate.h"

namespace carnet::coordinator {
namespace {

using Uses = std::vector<std::pair<RecordedUse, std::uint64_t>>;

// Not revoked, and at a place that is on record.
bool IsUsable(const State& state, const Worker* worker) {
  return worker != nullptr && !worker->revoked && state.regions.count(worker->terms.region()) != 0;
}

bool IsOfJob(const RecordedUse& use) {
  return use.operation != v1::OPERATION_RELEASE_MODEL && use.operation != v1::OPERATION_READ_LOG &&
         use.operation != v1::OPERATION_STAGE_DATA;
}

std::vector<FlowContext> RoundFlows(const State& state, const Job& job, const Worker& worker,
                                    const std::vector<std::string>& shards) {
  std::vector<FlowContext> flows = PlaceFlows(state, job, worker);
  for (const std::vector<FlowContext>& more :
       {SendModelFlows(state, job, worker), UseKeyFlows(state, job, worker),
        TrainFlows(state, job, worker, shards), SendDeltaFlows(state, job, worker, shards),
        SendMetricsFlows(state, job, worker)}) {
    flows.insert(flows.end(), more.begin(), more.end());
  }
  return flows;
}

std::string OperationWord(v1::Operation operation) {
  std::string word = v1::Operation_Name(operation).substr(sizeof("OPERATION_") - 1);
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return word;
}

std::string ReasonOf(const v1::Decision& denied) {
  if (!denied.failures().empty()) {
    return denied.failures(0).reason();
  }
  return denied.verdict() == v1::VERDICT_HOLD ? "hold" : "deny";
}

// Where a staging would be taken from today: the worker that it was taken from, or another one that
// holds the shard. Null: nobody does.
const Worker* SourceOf(const State& state, const RecordedUse& use, const Shard& shard) {
  const auto holds = [&](const std::string& id) {
    const auto copy = shard.holders.find(id);
    return id != use.worker_id && copy != shard.holders.end() && copy->second == shard.sha256 &&
           IsUsable(state, state.FindWorker(id));
  };
  if (holds(use.from_worker_id)) {
    return state.FindWorker(use.from_worker_id);
  }
  for (const auto& [id, digest] : shard.holders) {
    if (holds(id)) {
      return state.FindWorker(id);
    }
  }
  return nullptr;
}

class FlowScale {
 public:
  FlowScale(const State& state, const policies::Bundle& after, absl::Time now, absl::Time at)
      : state_(state),
        before_(state.bundle->ValidForEver()),
        after_(after),
        at_(at),
        uses_(RecordedUses(state, now)) {}

  FlowImpact Run() && {
    for (const auto& [use, count] : uses_) {
      if (IsOfJob(use)) {
        of_jobs_.emplace(use, count);
      }
    }
    RunJobs();
    const Uses operations = Operations();
    impact_.operations = operations.size();
    impact_.operations_decided = std::min(operations.size(), kImpactOperationsMax);
    for (std::size_t i = 0; i < impact_.operations_decided; ++i) {
      for (const FlowContext& flow : FlowsOf(operations[i].first)) {
        (void)Decide(flow, operations[i].second);
      }
    }
    return std::move(impact_);
  }

 private:
  struct Verdict {
    bool before = true;
    bool after = true;
  };

  void RunJobs() {
    std::set<std::string> recorded;
    for (const auto& [use, count] : of_jobs_) {
      recorded.insert(use.job_id);
    }
    std::vector<const Job*> jobs;
    for (const auto& [id, job] : state_.jobs) {
      if (job.phase == JobPhase::kRunning || recorded.count(id) != 0) {
        jobs.push_back(&job);
      }
    }
    std::sort(jobs.begin(), jobs.end(),
              [](const Job* a, const Job* b) { return a->submitted_index > b->submitted_index; });
    impact_.jobs = jobs.size();
    jobs.resize(std::min(jobs.size(), kImpactJobsMax));
    for (const Job* job : jobs) {
      if (impact_.flows >= kImpactFlowsMax) {
        return;
      }
      RunJob(*job);
      ++impact_.jobs_decided;
    }
  }

  // Who could be in a round, and what they would bring: a shard is brought once, as in a plan, by
  // the first worker that holds it.
  struct Cohort {
    std::uint32_t workers = 0;
    Lineage lineage;
    ShardVersions versions;
    std::set<std::string> taken = {};
    std::vector<std::string> FreeOf(const std::vector<std::string>& shards) const {
      std::vector<std::string> free;
      std::copy_if(shards.begin(), shards.end(), std::back_inserter(free),
                   [this](const std::string& shard) { return taken.count(shard) == 0; });
      return free;
    }
    void Join(const State& state, const std::string& worker_id,
              const std::vector<std::string>& shards) {
      const std::vector<std::string> brought = FreeOf(shards);
      if (brought.empty()) {
        return;
      }
      ++workers;
      versions.merge(VersionsOf(state, brought));
      taken.insert(brought.begin(), brought.end());
      for (const std::string& shard : brought) {
        lineage.insert(ClassOf(state.shards.at(shard), worker_id));
      }
    }
  };

  // In the order of a plan.
  std::vector<const Worker*> UsableWorkers() const {
    std::vector<const Worker*> workers;
    for (const auto& [id, worker] : state_.workers) {
      if (IsUsable(state_, &worker)) {
        workers.push_back(&worker);
      }
    }
    std::sort(workers.begin(), workers.end(),
              [](const Worker* a, const Worker* b) { return a->path < b->path; });
    return workers;
  }

  // What the worker could bring to one cohort or the other.
  std::vector<std::string> Brought(const Job& job, const Worker& worker, const Cohort& before,
                                   const Cohort& after) const {
    const std::vector<std::string> shards =
        ShardsOf(state_, job.submitted.spec(), worker.terms.worker_id());
    std::vector<std::string> brought = before.FreeOf(shards);
    const std::vector<std::string> free_after = after.FreeOf(shards);
    brought.insert(brought.end(), free_after.begin(), free_after.end());
    std::sort(brought.begin(), brought.end());
    brought.erase(std::unique(brought.begin(), brought.end()), brought.end());
    return brought;
  }

  void RunJob(const Job& job) {
    Cohort before{0, job.lineage, {}};
    Cohort after = before;
    for (const Worker* const worker : UsableWorkers()) {
      const std::string& id = worker->terms.worker_id();
      const std::vector<std::string> shards = Brought(job, *worker, before, after);
      if (shards.empty()) {
        continue;
      }
      Verdict verdict;
      for (const FlowContext& flow : RoundFlows(state_, job, *worker, shards)) {
        const Verdict of_flow = Decide(flow, Recorded(v1::OPERATION_UNSPECIFIED, job.id, id) +
                                                 Recorded(flow.operation, job.id, id));
        verdict.before = verdict.before && of_flow.before;
        verdict.after = verdict.after && of_flow.after;
      }
      if (verdict.before) {
        before.Join(state_, id, shards);
      }
      if (verdict.after) {
        after.Join(state_, id, shards);
      }
    }
    const Verdict sum = RunSum(job, before, after);
    const std::uint32_t min = job.submitted.spec().rounds().cohort().min();
    if (job.phase == JobPhase::kRunning && sum.before && before.workers >= min &&
        (!sum.after || after.workers < min)) {
      impact_.stopping.push_back(job.id);
    }
  }

  // Whether each cohort could combine what it brings; nobody brings anything: yes.
  Verdict RunSum(const Job& job, const Cohort& before, const Cohort& after) {
    Lineage lineage = before.lineage;
    lineage.insert(after.lineage.begin(), after.lineage.end());
    Verdict sum;
    if (lineage.empty()) {
      return sum;
    }
    for (FlowContext& flow : AggregateFlows(state_, job, lineage)) {
      flow.versions.insert(before.versions.begin(), before.versions.end());
      flow.versions.insert(after.versions.begin(), after.versions.end());
      const Verdict of_flow = Decide(flow, Recorded(flow.operation, job.id, ""));
      sum.before = sum.before && (of_flow.before || before.lineage.count(*flow.labels) == 0);
      sum.after = sum.after && (of_flow.after || after.lineage.count(*flow.labels) == 0);
    }
    return sum;
  }

  std::uint64_t Recorded(v1::Operation operation, const std::string& job_id,
                         const std::string& worker_id) const {
    RecordedUse use;
    use.operation = operation;
    use.job_id = job_id;
    use.worker_id = worker_id;
    const auto found = of_jobs_.find(use);
    return found == of_jobs_.end() ? 0 : found->second;
  }

  // Outside of rounds, as they would be today: equal ones are one.
  Uses Operations() const {
    Uses operations;
    std::map<RecordedUse, std::size_t> places;
    for (const auto& [recorded, count] : uses_) {
      RecordedUse use = recorded;
      if (IsOfJob(use) || !IsPossible(&use)) {
        continue;
      }
      const auto place = places.emplace(use, operations.size());
      if (place.second) {
        operations.emplace_back(std::move(use), std::uint64_t{0});
      }
      operations[place.first->second].second += count;
    }
    return operations;
  }

  // Names the worker that a staging would be taken from. False: it could not take place any more.
  bool IsPossible(RecordedUse* use) const {
    if (use->operation != v1::OPERATION_STAGE_DATA) {
      return use->operation == v1::OPERATION_READ_LOG || state_.FindJob(use->job_id) != nullptr;
    }
    const auto shard = state_.shards.find(use->shard);
    if (shard == state_.shards.end() || !IsUsable(state_, state_.FindWorker(use->worker_id))) {
      return false;
    }
    const Worker* const from = SourceOf(state_, *use, shard->second);
    use->from_worker_id = from == nullptr ? "" : from->terms.worker_id();
    return from != nullptr;
  }

  std::vector<FlowContext> FlowsOf(const RecordedUse& use) const {
    if (use.operation == v1::OPERATION_STAGE_DATA) {
      return StageDataFlows(state_, use.shard, state_.workers.at(use.from_worker_id),
                            state_.workers.at(use.worker_id));
    }
    User person;  // at that place, of that organisation
    person.jurisdiction = use.to;
    person.organisation = use.recipient;
    return use.operation == v1::OPERATION_READ_LOG
               ? ReadLogFlows(state_, person)
               : ReleaseModelFlows(state_, state_.jobs.at(use.job_id), AsBytes(use.model_sha256),
                                   person);
  }

  Verdict Decide(const FlowContext& flow, std::uint64_t recorded) {
    const v1::Decision was =
        policies::Evaluate(*before_, Facts(state_, flow, at_), at_, policies::Words::kLeftOut);
    // Its own facts: it reads counters of other windows, and has exceptions of its own.
    const v1::Decision is = policies::Evaluate(after_, Facts(state_, after_, flow, at_), at_,
                                               policies::Words::kLeftOut);
    ++impact_.flows;
    const Verdict verdict{was.verdict() == v1::VERDICT_ALLOW, is.verdict() == v1::VERDICT_ALLOW};
    if (verdict.before != verdict.after) {
      FlowCount& count = (verdict.after ? impact_.opened : impact_.closed)[{
          OperationWord(flow.operation), flow.from, flow.to,
          flow.labels.has_value() ? flow.labels->Name() : "", ReasonOf(verdict.after ? was : is)}];
      ++count.flows;
      count.recorded += recorded;
    }
    return verdict;
  }

  const State& state_;
  // It may have ended when `after` begins; that is not what the change of rules does.
  const std::shared_ptr<const policies::Bundle> before_;
  const policies::Bundle& after_;
  const absl::Time at_;
  const Uses uses_;
  std::map<RecordedUse, std::uint64_t> of_jobs_;
  FlowImpact impact_;
};

}  // namespace

bool FlowChange::operator<(const FlowChange& other) const {
  return std::tie(operation, from, to, labels, reason) <
         std::tie(other.operation, other.from, other.to, other.labels, other.reason);
}

FlowImpact WeighFlows(const State& state, const policies::Bundle& after, absl::Time now,
                      absl::Time at) {
  return FlowScale(state, after, now, at).Run();
}

}  // namespace carnet::coordinator
