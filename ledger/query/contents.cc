#include "ledger/query/contents.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "carnet/v1/records.pb.h"
#include "ledger/verifier/releases.h"

namespace carnet::ledger::query {
namespace {

void AddEvidence(std::uint64_t index, ModelAnswer& answer) {
  const auto at = std::lower_bound(answer.evidence.begin(), answer.evidence.end(), index);
  if (at == answer.evidence.end() || *at != index) {
    answer.evidence.insert(at, index);
  }
}

}  // namespace

void Contents::Visit(std::uint64_t index, const verifier::VerifiedRecord& record) {
  const Terms terms = reader_.Read(record);
  if (const auto* worker = record.As<v1::WorkerEnrolled>(); worker != nullptr) {
    enrolled_[worker->worker_id()] = index;
  } else if (const auto* user = record.As<v1::UserEnrolled>(); user != nullptr) {
    enrolled_[user->user_id()] = index;
  } else if (const auto* job = record.As<v1::JobSubmitted>(); job != nullptr) {
    JobWalk& walk = jobs_[job->job_id()];
    walk.name = job->spec().job();
    walk.submitted = index;
    walk.model = job->model_sha256();
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
  } else if (const auto* release = record.As<v1::Release>(); release != nullptr) {
    Release(index, *release);
  } else if (const auto* cut = record.As<v1::TransferCut>(); cut != nullptr) {
    Cut(index, *cut);
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
      AddEvidence(index, answer);
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
  walk.round = aggregate.round();
  walk.model = aggregate.model_sha256();
  models_[aggregate.model_sha256()] = walk.found;
}

ModelAnswer& Contents::AnswerAbout(const std::string& job_id, const std::string& model,
                                   std::uint32_t round, const Found& found) {
  const Digest digest = ToDigest(AsBytes(model)).value_or(Digest{});
  for (ModelAnswer& answer : answers_) {
    if (answer.job_id == job_id && answer.model_sha256 == digest) {
      return answer;
    }
  }
  const JobWalk& walk = jobs_[job_id];
  ModelAnswer& answer = answers_.emplace_back();
  answer.job_id = job_id;
  answer.job_name = walk.name;
  answer.round = round;
  answer.model_sha256 = digest;
  answer.contributions.assign(found.contributions.begin(), found.contributions.end());
  answer.inherited_from = found.jobs;
  answer.inherited_from.erase(job_id);
  std::set<std::uint64_t> evidence = found.evidence;
  evidence.insert({0, walk.submitted});
  answer.shards = found.shards;
  for (const std::string& name : answer.shards) {
    if (const auto withdrawn = withdrawn_.find(name); withdrawn != withdrawn_.end()) {
      answer.withdrawn.insert(*withdrawn);
      evidence.insert(withdrawn->second);
    }
  }
  answer.evidence.assign(evidence.begin(), evidence.end());
  return answer;
}

void Contents::Completed(std::uint64_t index, const v1::JobCompleted& completed) {
  const JobWalk& walk = jobs_[completed.job_id()];
  if (walk.found.contributions.empty()) {
    return;
  }
  ModelAnswer& answer =
      AnswerAbout(completed.job_id(), completed.model_sha256(), walk.round, walk.found);
  answer.completed = index;
  AddEvidence(index, answer);
}

// Of any round, while the job goes on or after its end.
void Contents::Release(std::uint64_t index, const v1::Release& release) {
  const auto model = models_.find(release.model_sha256());
  if (model == models_.end() || model->second.contributions.empty()) {
    return;
  }
  ModelAnswer& answer =
      AnswerAbout(release.job_id(), release.model_sha256(), release.round(), model->second);
  answer.releases.push_back({verifier::ReleaseIn(index, release), std::nullopt});
  AddEvidence(index, answer);
  if (const auto person = enrolled_.find(release.released_to()); person != enrolled_.end()) {
    AddEvidence(person->second, answer);
  }
}

// The ticket of a model that is on its way to a person is named after the record of its release.
void Contents::Cut(std::uint64_t index, const v1::TransferCut& cut) {
  for (ModelAnswer& answer : answers_) {
    for (Released& released : answer.releases) {
      if (cut.ticket_id() == absl::StrCat("release-", released.index)) {
        released.cut = index;
        AddEvidence(index, answer);
      }
    }
  }
}

}  // namespace carnet::ledger::query
