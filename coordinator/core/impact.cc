#include "coordinator/core/impact.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "coordinator/core/flows.h"
#include "policies/change.h"
#include "policies/evaluate.h"
#include "policies/sweep.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;

std::vector<std::string> ShardsOf(const State& state, const Job& job, const Worker& worker) {
  std::vector<std::string> names;
  for (const auto& [key, shard] : state.shards) {
    for (const std::string& pattern : job.submitted.spec().data()) {
      const bool named =
          key == pattern || (absl::EndsWith(pattern, "/*") &&
                             absl::StartsWith(key, pattern.substr(0, pattern.size() - 1)));
      if (named && shard.holders.count(worker.terms.worker_id()) != 0) {
        names.push_back(key);
        break;
      }
    }
  }
  return names;
}

std::vector<FlowContext> FlowsOf(const State& state, const Job& job, const Worker& worker,
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

const char* VerdictWord(const v1::Decision& decision) {
  return decision.verdict() == v1::VERDICT_ALLOW  ? "allow"
         : decision.verdict() == v1::VERDICT_HOLD ? "hold"
                                                  : "deny";
}

json SituationsJson(const policies::Bundle& before, const policies::Bundle& after, absl::Time at) {
  json list = json::array();
  for (const policies::SweptPolicy& swept : policies::SweepChange(before, after, at)) {
    list.push_back(
        {{"policy", swept.policy},
         {"classes", swept.classes},
         {"decided", swept.decided},
         {"cut", swept.cut},
         {"newly_covered", swept.newly_covered},
         {"no_longer_covered", swept.no_longer_covered},
         {"deny_to_allow", {{"classes", swept.deny_to_allow}, {"examples", swept.opened}}},
         {"allow_to_deny", {{"classes", swept.allow_to_deny}, {"examples", swept.closed}}}});
  }
  return list;
}

class FlowSweep {
 public:
  FlowSweep(const State& state, const policies::Bundle& after, absl::Time at)
      : state_(state), after_(after), at_(at) {}

  void Run() {
    std::vector<const Job*> jobs;
    for (const auto& [id, job] : state_.jobs) {
      jobs.push_back(&job);
    }
    std::sort(jobs.begin(), jobs.end(),
              [](const Job* a, const Job* b) { return a->submitted_index > b->submitted_index; });
    jobs.resize(std::min(jobs.size(), kImpactJobsMax));
    for (const Job* job : jobs) {
      RunJob(*job);
    }
  }

  json Result() const {
    return {{"jobs_decided", jobs_},
            {"flows", flows_},
            {"deny_to_allow", Side(opened_)},
            {"allow_to_deny", Side(closed_)},
            {"jobs_that_would_stop", stopping_}};
  }

 private:
  // Equal changes of several workers and jobs are one entry, counted.
  using Entry = std::tuple<std::string, std::string, std::string, std::string, std::string>;
  using Entries = std::map<Entry, std::uint64_t>;

  void RunJob(const Job& job) {
    ++jobs_;
    std::uint32_t usable_before = 0;
    std::uint32_t usable_after = 0;
    for (const auto& [id, worker] : state_.workers) {
      const std::vector<std::string> shards =
          worker.revoked ? std::vector<std::string>() : ShardsOf(state_, job, worker);
      if (shards.empty()) {
        continue;
      }
      bool before = true;
      bool after = true;
      for (const FlowContext& flow : FlowsOf(state_, job, worker, shards)) {
        RunFlow(flow, &before, &after);
      }
      usable_before += before ? 1 : 0;
      usable_after += after ? 1 : 0;
    }
    const std::uint32_t min = job.submitted.spec().rounds().cohort().min();
    if (job.phase == JobPhase::kRunning && usable_before >= min && usable_after < min) {
      stopping_.push_back(job.id);
    }
  }

  void RunFlow(const FlowContext& flow, bool* before, bool* after) {
    const policies::FactSet facts = Facts(state_, flow, at_);
    const v1::Decision was = policies::Evaluate(*state_.bundle, facts, at_);
    const v1::Decision is = policies::Evaluate(after_, facts, at_);
    ++flows_;
    const bool allowed = was.verdict() == v1::VERDICT_ALLOW;
    const bool allows = is.verdict() == v1::VERDICT_ALLOW;
    *before = *before && allowed;
    *after = *after && allows;
    if (allowed != allows) {
      const v1::Decision& denied = allows ? was : is;
      const std::string reason =
          denied.failures().empty() ? VerdictWord(denied) : denied.failures(0).reason();
      ++(allows ? opened_
                : closed_)[Entry{OperationWord(flow.operation), flow.from, flow.to,
                                 flow.labels.has_value() ? flow.labels->Name() : "", reason}];
    }
  }

  static json Side(const Entries& entries) {
    json examples = json::array();
    std::uint64_t count = 0;
    for (const auto& [entry, times] : entries) {
      count += times;
      if (examples.size() < kImpactExamplesMax) {
        const auto& [operation, from, to, labels, reason] = entry;
        examples.push_back({{"operation", operation},
                            {"from", from},
                            {"to", to},
                            {"labels", labels},
                            {"reason", reason},
                            {"flows", times}});
      }
    }
    return {{"flows", count}, {"classes", entries.size()}, {"examples", std::move(examples)}};
  }

  const State& state_;
  const policies::Bundle& after_;
  const absl::Time at_;
  std::uint64_t jobs_ = 0;
  std::uint64_t flows_ = 0;
  Entries opened_;
  Entries closed_;
  std::vector<std::string> stopping_;
};

}  // namespace

absl::StatusOr<std::string> ImpactReport(State state, std::shared_ptr<const policies::Bundle> after,
                                         const policies::TestReport& tests, absl::Time at) {
  const policies::BundleChange change = policies::Compare(*state.bundle, *after);
  const absl::Status tightens = policies::CheckTightensOnly(*state.bundle, *after);
  const absl::Time from = std::max(at, after->head().valid_from);
  FlowSweep sweep(state, *after, from);
  sweep.Run();
  const json report = {
      {"v", 1},
      {"bundle", HexEncode(after->sha256())},
      {"parent", HexEncode(state.bundle->sha256())},
      {"records", state.size},
      {"evaluator", policies::kEvaluatorVersion},
      {"tests", {{"passed", tests.passed}, {"failed", tests.failed}}},
      {"change",
       {{"added", change.added},
        {"removed", change.removed},
        {"changed", change.changed},
        {"groups", change.groups},
        {"home_or_aliases", change.home || change.other_lists},
        {"tests", change.tests}}},
      {"tighten_only", tightens.ok() ? std::string("yes") : std::string(tightens.message())},
      {"impact", sweep.Result()},
      {"situations", SituationsJson(*state.bundle, *after, from)}};
  CARNET_ASSIGN_OR_RETURN(std::string text, CanonicalJson(report));
  if (text.size() > kReportBytesMax) {
    return absl::ResourceExhaustedError("policy: the report is over 256 KiB");
  }
  return text;
}

}  // namespace carnet::coordinator
