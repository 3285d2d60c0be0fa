// How withdrawn shards and cut transfers change the state.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/reasons.h"

namespace carnet::coordinator {

absl::Status Fold(State& state, std::uint64_t index, const v1::ShardWithdrawn& record) {
  const std::string name = ShardKey(record.dataset(), record.shard());
  const auto shard = state.shards.find(name);
  if (shard == state.shards.end()) {
    return absl::DataLossError(absl::StrCat("record ", index, " withdraws an unknown shard"));
  }
  shard->second.withdrawn = index;
  ++state.facts_version;
  // Like a revoked worker: what it trained on that shard stays out of a round that is not closed.
  for (auto& [id, job] : state.jobs) {
    if (!job.round.has_value() || job.round->closed.has_value()) {
      continue;
    }
    for (const v1::RoundMember& member : job.round->opened.members()) {
      if (std::find(member.shards().begin(), member.shards().end(), name) !=
          member.shards().end()) {
        job.round->out[member.worker_id()] = reasons::kShardWithdrawn;
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::TransferCut& record) {
  state.cut_tickets.insert(record.ticket_id());
  if (record.job_id().empty()) {
    return absl::OkStatus();
  }
  const auto job = state.jobs.find(record.job_id());
  if (job == state.jobs.end()) {
    return absl::DataLossError(absl::StrCat("record ", index, " refers to an unknown job"));
  }
  job->second.records.push_back(index);
  if (!job->second.round.has_value()) {
    return absl::OkStatus();
  }
  for (const v1::RoundMember& member : job->second.round->opened.members()) {
    if (member.download().ticket_id() == record.ticket_id() ||
        member.upload().ticket_id() == record.ticket_id()) {
      job->second.round->out.emplace(member.worker_id(), reasons::kCut);
    }
  }
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
