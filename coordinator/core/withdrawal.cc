#include "coordinator/core/withdrawal.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/core/reasons.h"

namespace carnet::coordinator {
namespace {

std::string NameIn(const std::string& version) {
  return version.substr(0, version.find('@'));
}

bool Contains(const ShardVersions& versions, const std::string& name) {
  return std::any_of(versions.begin(), versions.end(),
                     [&](const std::string& version) { return NameIn(version) == name; });
}

// The withdrawn shards that hold a job up.
std::set<std::string> Holding(const State& state, const Job& job) {
  std::set<std::string> names = WithdrawnAmong(state, job.versions);
  if (job.submitted.spec().has_evaluate()) {
    const std::string golden = absl::StrCat(job.submitted.spec().evaluate().data(), "/");
    for (const auto& [name, shard] : state.shards) {
      if (shard.withdrawn.has_value() && absl::StartsWith(name, golden)) {
        names.insert(name);
      }
    }
  }
  return names;
}

bool IsReleased(const State& state, const Bytes& model_sha256) {
  return std::any_of(state.releases.begin(), state.releases.end(), [&](const auto& release) {
    return release.first.second == AsText(model_sha256);
  });
}

}  // namespace

bool IsWithdrawn(const State& state, const std::string& name) {
  const auto shard = state.shards.find(name);
  return shard != state.shards.end() && shard->second.withdrawn.has_value();
}

std::set<std::string> WithdrawnAmong(const State& state, const ShardVersions& versions) {
  std::set<std::string> names;
  for (const std::string& version : versions) {
    if (std::string name = NameIn(version); IsWithdrawn(state, name)) {
      names.insert(std::move(name));
    }
  }
  return names;
}

bool HasWithdrawnShard(const State& state, const v1::RoundMember& member) {
  return std::any_of(member.shards().begin(), member.shards().end(),
                     [&](const std::string& name) { return IsWithdrawn(state, name); });
}

std::string WhyHeld(const State& state, const Job& job) {
  const std::set<std::string> names = Holding(state, job);
  return names.empty() ? ""
                       : absl::StrCat(reasons::kShardWithdrawn, " ", absl::StrJoin(names, ", "));
}

absl::Status CheckNotHeld(const State& state, const Job& job) {
  const std::string why = WhyHeld(state, job);
  return why.empty() ? absl::OkStatus()
                     : absl::FailedPreconditionError(absl::StrCat("the job waits: ", why));
}

void ListAffected(const State& state, const std::string& name,
                  v1::WithdrawShardResponse* response) {
  std::map<std::uint64_t, v1::TrainedModel> models;  // by index of aggregate
  for (const auto& [id, job] : state.jobs) {
    if (job.phase == JobPhase::kRunning && Holding(state, job).count(name) != 0) {
      response->add_jobs_waiting(id);
    }
    for (const RoundResult& result : job.results) {
      const auto versions = state.model_versions.find(ToString(result.model_sha256));
      if (versions == state.model_versions.end() || !Contains(versions->second, name)) {
        continue;
      }
      v1::TrainedModel& model = models[result.aggregate_index];
      model.set_job_id(id);
      model.set_round(result.round);
      model.set_model_sha256(ToString(result.model_sha256));
      model.set_released(IsReleased(state, result.model_sha256));
    }
  }
  for (auto model = models.rbegin(); model != models.rend(); ++model) {
    *response->add_models() = std::move(model->second);
  }
}

}  // namespace carnet::coordinator
