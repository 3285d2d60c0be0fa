#include "ledger/query/contents.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "carnet/v1/records.pb.h"

namespace carnet::ledger::query {

void Contents::Visit(std::uint64_t index, const verifier::VerifiedRecord& record) {
  const Terms terms = reader_.Read(record);
  if (const auto* worker = record.As<v1::WorkerEnrolled>(); worker != nullptr) {
    enrolled_[worker->worker_id()] = index;
  } else if (const auto* job = record.As<v1::JobSubmitted>(); job != nullptr) {
    JobWalk& walk = jobs_[job->job_id()];
    walk.name = job->spec().job();
    walk.submitted = index;
    // A base model that was trained here brings along what is in it.
    if (const auto base = models_.find(job->model_sha256()); base != models_.end()) {
      walk.found = base->second;
    }
  } else if (const auto* opened = record.As<v1::RoundOpened>(); opened != nullptr) {
    jobs_[opened->job_id()].opened = index;
  } else if (const auto* closed = record.As<v1::RoundClosed>(); closed != nullptr) {
    jobs_[closed->job_id()].closed = index;
  } else if (const auto* contribution = record.As<v1::Contribution>(); contribution != nullptr) {
    if (Matches(question_, record.type, terms)) {
      asked_for_.emplace(index, std::pair(contribution->worker_id(), terms.shards));
    }
  } else if (const auto* aggregate = record.As<v1::Aggregate>(); aggregate != nullptr) {
    Aggregated(index, *aggregate);
  } else if (const auto* completed = record.As<v1::JobCompleted>(); completed != nullptr) {
    Completed(index, *completed);
  } else if (const auto* withdrawn = record.As<v1::ShardWithdrawn>(); withdrawn != nullptr) {
    Withdrawn(index, *withdrawn);
  }
}

// A model that is out already contains it as much as one that comes later.
void Contents::Withdrawn(std::uint64_t index, const v1::ShardWithdrawn& withdrawn) {
  const std::string name = absl::StrCat(withdrawn.dataset(), "/", withdrawn.shard());
  withdrawn_[name] = index;
  for (ModelAnswer& answer : answers_) {
    if (answer.shards.count(name) != 0) {
      answer.withdrawn[name] = index;
      answer.evidence.push_back(index);
    }
  }
}

void Contents::Aggregated(std::uint64_t index, const v1::Aggregate& aggregate) {
  JobWalk& walk = jobs_[aggregate.job_id()];
  for (const std::uint64_t included : aggregate.included()) {
    const auto asked = asked_for_.find(included);
    if (asked == asked_for_.end()) {
      continue;
    }
    walk.found.contributions.insert(included);
    walk.found.jobs.insert(aggregate.job_id());
    walk.found.evidence.insert({walk.opened, walk.closed, included});
    const auto& [worker_id, shards] = asked->second;
    walk.found.shards.insert(shards.begin(), shards.end());
    if (const auto worker = enrolled_.find(worker_id); worker != enrolled_.end()) {
      walk.found.evidence.insert(worker->second);
    }
  }
  if (!walk.found.contributions.empty()) {
    walk.found.evidence.insert({walk.submitted, index});
  }
  models_[aggregate.model_sha256()] = walk.found;
}

void Contents::Completed(std::uint64_t index, const v1::JobCompleted& completed) {
  JobWalk& walk = jobs_[completed.job_id()];
  if (walk.found.contributions.empty()) {
    return;
  }
  ModelAnswer answer;
  answer.job_id = completed.job_id();
  answer.job_name = walk.name;
  answer.model_sha256 = ToDigest(AsBytes(completed.model_sha256())).value_or(Digest{});
  answer.completed = index;
  answer.contributions.assign(walk.found.contributions.begin(), walk.found.contributions.end());
  answer.inherited_from = walk.found.jobs;
  answer.inherited_from.erase(completed.job_id());
  std::set<std::uint64_t> evidence = walk.found.evidence;
  evidence.insert({0, walk.submitted, index});
  answer.shards = walk.found.shards;
  for (const std::string& name : answer.shards) {
    if (const auto withdrawn = withdrawn_.find(name); withdrawn != withdrawn_.end()) {
      answer.withdrawn.insert(*withdrawn);
      evidence.insert(withdrawn->second);
    }
  }
  answer.evidence.assign(evidence.begin(), evidence.end());
  answers_.push_back(std::move(answer));
}

}  // namespace carnet::ledger::query
