#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/core/counters.h"
#include "coordinator/core/release.h"

namespace carnet::coordinator {
namespace {

FlowContext ToPerson(const State& state, const User& user, v1::Operation operation,
                     v1::ArtifactKind artifact) {
  FlowContext flow;
  flow.operation = operation;
  flow.artifact = artifact;
  flow.from = state.genesis.home_jurisdiction();
  flow.to = user.jurisdiction;
  flow.recipient = user.organisation;
  return flow;
}

constexpr char kReleaseTicket[] = "release-";

ShardVersions VersionsIn(const State& state, ByteView model_sha256) {
  const auto versions = state.model_versions.find(ToString(model_sha256));
  return versions == state.model_versions.end() ? ShardVersions{} : versions->second;
}

// The shard that `version` is still the registered content of; null: none.
const Shard* ShardOf(const State& state, const std::string& version) {
  const auto shard = state.shards.find(version.substr(0, version.find('@')));
  return shard != state.shards.end() && VersionOf(shard->first, shard->second) == version
             ? &shard->second
             : nullptr;
}

// As it is registered today.
LabelClass RegisteredClass(const Shard& shard) {
  LabelClass labels;
  const v1::ShardLabels& stated = shard.terms.labels();
  if (shard.withdrawn.has_value() || shard.stated == nullptr || stated.categories().empty()) {
    return labels;
  }
  labels.known = true;
  labels.subjects_in.insert(stated.subjects_in().begin(), stated.subjects_in().end());
  labels.categories.insert(stated.categories().begin(), stated.categories().end());
  return labels;
}

// For the place and the organisation that he has now.
template <typename Record>
bool CountsFor(const State& state, const Record& record, const std::string& user_id,
               absl::Time at) {
  const auto user = state.users.find(user_id);
  return user != state.users.end() && !user->second.revoked && at < ToTime(record.expires()) &&
         record.jurisdiction() == user->second.jurisdiction &&
         record.recipient() == user->second.organisation;
}

}  // namespace

absl::StatusOr<const RoundResult*> ResultOfRound(const Job& job, std::uint32_t round) {
  if (job.results.empty()) {
    return absl::NotFoundError("the job has no aggregate yet");
  }
  if (round == 0) {
    return &job.results.back();
  }
  const auto found = std::find_if(job.results.begin(), job.results.end(),
                                  [round](const RoundResult& it) { return it.round == round; });
  if (found == job.results.end()) {
    return absl::NotFoundError("the job has no aggregate of this round");
  }
  return &*found;
}

absl::StatusOr<const Job*> ExportableJob(const State& state, const std::string& user_id,
                                         const std::string& job_id) {
  const Job* job = state.FindJob(job_id);
  if (job == nullptr) {
    return absl::NotFoundError("no such job");
  }
  const auto user = state.users.find(user_id);
  const bool enrolled = user != state.users.end() && !user->second.revoked;
  const bool manages = enrolled && (user->second.roles.count("operator") != 0 ||
                                    user->second.roles.count("admin") != 0);
  if (!enrolled || (job->submitted.submitter() != user_id && !manages)) {
    return absl::PermissionDeniedError(
        "a model goes to its job's submitter, to operators and to admins");
  }
  return job;
}

std::vector<FlowContext> ReleaseModelFlows(const State& state, const Job& job,
                                           ByteView model_sha256, const User& user) {
  FlowContext flow = ToPerson(state, user, v1::OPERATION_RELEASE_MODEL, v1::ARTIFACT_KIND_MODEL);
  flow.job = &job;
  flow.versions = VersionsIn(state, model_sha256);
  Lineage lineage;
  if (const auto then = state.model_lineage.find(ToString(model_sha256));
      then != state.model_lineage.end()) {
    lineage = then->second;
  }
  for (const std::string& version : flow.versions) {
    if (const Shard* const shard = ShardOf(state, version); shard != nullptr) {
      lineage.insert(RegisteredClass(*shard));
    }
  }
  if (lineage.empty()) {
    return {flow};
  }
  std::vector<FlowContext> flows;
  for (const LabelClass& labels : lineage) {
    flows.push_back(flow);
    flows.back().labels = labels;
  }
  return flows;
}

std::vector<FlowContext> ReadLogFlows(const State& state, const User& user) {
  return {ToPerson(state, user, v1::OPERATION_READ_LOG, v1::ARTIFACT_KIND_LOG)};
}

std::map<std::string, std::uint64_t> WithdrawnIn(const State& state, ByteView model_sha256) {
  std::map<std::string, std::uint64_t> withdrawn;
  for (const std::string& version : VersionsIn(state, model_sha256)) {
    const Shard* const shard = ShardOf(state, version);
    if (shard != nullptr && shard->withdrawn.has_value()) {
      withdrawn[version.substr(0, version.find('@'))] = *shard->withdrawn;
    }
  }
  return withdrawn;
}

std::string ReleaseTicket(std::uint64_t index) {
  return absl::StrCat(kReleaseTicket, index);
}

bool IsReleaseTicket(const std::string& ticket_id) {
  return absl::StartsWith(ticket_id, kReleaseTicket);
}

const ReleaseOnRecord* ReleaseOfTicket(const State& state, const std::string& ticket_id) {
  for (const auto& [key, release] : state.releases) {
    if (ReleaseTicket(release.index) == ticket_id) {
      return &release;
    }
  }
  return nullptr;
}

const ReleaseOnRecord* LiveRelease(const State& state, const std::string& user_id,
                                   ByteView model_sha256, absl::Time at) {
  const auto release = state.releases.find({user_id, ToString(model_sha256)});
  return release != state.releases.end() && CountsFor(state, release->second.terms, user_id, at) &&
                 state.cut_tickets.count(ReleaseTicket(release->second.index)) == 0
             ? &release->second
             : nullptr;
}

const ReadingOnRecord* LiveReading(const State& state, const std::string& user_id, absl::Time at) {
  const auto reading = state.readings.find(user_id);
  return reading != state.readings.end() && CountsFor(state, reading->second.terms, user_id, at)
             ? &reading->second
             : nullptr;
}

bool MayReadLog(const State& state, const std::string& user_id, absl::Time at) {
  if (LiveReading(state, user_id, at) == nullptr) {
    return false;
  }
  static const Bytes kSeed(32);  // of the ids, which nobody sees
  std::uint64_t counter = 0;
  return DecideFlows(state, ReadLogFlows(state, state.users.at(user_id)), at, kSeed, &counter)
      .allowed;
}

}  // namespace carnet::coordinator
