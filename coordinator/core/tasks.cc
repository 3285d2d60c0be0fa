#include "coordinator/core/tasks.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/assessments.h"

namespace carnet::coordinator {
namespace {

struct KindName {
  v1::TaskKind kind;
  const char* name;
  std::size_t parts;
};
constexpr KindName kKinds[] = {
    {v1::TASK_KIND_TRAIN, "train", 4},
    {v1::TASK_KIND_EVALUATE, "evaluate", 4},
    {v1::TASK_KIND_SEND_SHARD, "send-shard", 2},
    {v1::TASK_KIND_RECEIVE_SHARD, "receive-shard", 2},
};

// The job's submission and its submitter, which every task of a job is checked against; and who
// said before `opened_index` that nobody can be identified from `model_sha256`, if somebody did.
std::vector<std::uint64_t> JobContext(const State& state, const Job& job,
                                      const std::string& model_sha256, std::uint64_t opened_index,
                                      absl::Time now) {
  std::vector<std::uint64_t> context = {job.submitted_index};
  if (const auto user = state.users.find(job.submitted.submitter()); user != state.users.end()) {
    context.push_back(user->second.index);
  }
  const auto anonymous = AnonymityApproval(state, model_sha256, now, opened_index);
  if (anonymous.has_value()) {
    context.push_back(*anonymous);
  }
  return context;
}

// What stewards signed of these shards: the worker compares what was decided with it.
template <typename Names>
void AddStatements(const State& state, const Names& shards, std::vector<std::uint64_t>* context) {
  std::set<std::uint64_t> indexes;
  for (const std::string& name : shards) {
    const auto shard = state.shards.find(name);
    if (shard != state.shards.end() && shard->second.stated != nullptr) {
      indexes.insert(shard->second.stated->index);
    }
  }
  context->insert(context->end(), indexes.begin(), indexes.end());
}

void AddTrainTask(const State& state, const Job& job, const std::string& worker_id, absl::Time now,
                  std::vector<OpenTask>* tasks) {
  const Round& round = *job.round;
  if (round.closed.has_value() || round.contributions.count(worker_id) != 0 ||
      round.out.count(worker_id) != 0) {
    return;
  }
  for (const v1::RoundMember& member : round.opened.members()) {
    if (member.worker_id() == worker_id) {
      std::vector<std::uint64_t> context =
          JobContext(state, job, round.opened.model_sha256(), round.opened_index, now);
      AddStatements(state, member.shards(), &context);
      tasks->push_back({{v1::TASK_KIND_TRAIN, job.id, round.opened.round(), round.opened.attempt()},
                        round.opened_index,
                        std::move(context),
                        round.opened.model().key_id(),
                        round.opened.model(),
                        member.download(),
                        member.upload(),
                        ToTime(round.opened.deadline())});
    }
  }
}

void AddStagingTask(const State& state, const Staging& staging, const std::string& worker_id,
                    std::vector<OpenTask>* tasks) {
  const v1::StagingOrdered& ordered = staging.ordered;
  const bool sends = ordered.from_worker_id() == worker_id;
  const std::string& other = sends ? ordered.to_worker_id() : ordered.from_worker_id();
  const Worker* peer = state.FindWorker(other);
  if (staging.phase != StagingPhase::kOrdered || peer == nullptr ||
      (!sends && ordered.to_worker_id() != worker_id)) {
    return;
  }
  OpenTask task;
  task.name = {sends ? v1::TASK_KIND_SEND_SHARD : v1::TASK_KIND_RECEIVE_SHARD, ordered.staging_id(),
               0, 0};
  task.opened_index = staging.ordered_index;
  task.context = {peer->index};
  AddStatements(state, std::vector<std::string>{ShardKey(ordered.dataset(), ordered.shard())},
                &task.context);
  task.deadline = ToTime(ordered.expires());
  (sends ? task.upload : task.download) = StagingTicketOf(ordered);
  tasks->push_back(std::move(task));
}

}  // namespace

std::string TaskId(const TaskName& name) {
  for (const KindName& kind : kKinds) {
    if (kind.kind == name.kind) {
      return kind.parts == 2
                 ? absl::StrCat(kind.name, "/", name.id)
                 : absl::StrCat(kind.name, "/", name.id, "/", name.round, "/", name.attempt);
    }
  }
  CARNET_CHECK(false);
}

absl::StatusOr<TaskName> ParseTaskId(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  for (const KindName& kind : kKinds) {
    if (parts[0] != kind.name || parts.size() != kind.parts) {
      continue;
    }
    TaskName name;
    name.kind = kind.kind;
    name.id = parts[1];
    if (kind.parts == 2 ||
        (absl::SimpleAtoi(parts[2], &name.round) && absl::SimpleAtoi(parts[3], &name.attempt))) {
      return name;
    }
  }
  return absl::InvalidArgumentError("not a task id");
}

std::vector<OpenTask> TasksFor(const State& state, const std::string& worker_id, absl::Time now) {
  std::vector<OpenTask> tasks;
  // Where the worker is: it compares what was decided with it.
  const Worker* worker = state.FindWorker(worker_id);
  const auto region = state.registered.find(
      absl::StrCat("region/", worker == nullptr ? "" : worker->terms.region()));
  for (const auto& [id, job] : state.jobs) {
    if (job.phase != JobPhase::kRunning) {
      continue;
    }
    if (job.round.has_value()) {
      AddTrainTask(state, job, worker_id, now, &tasks);
    }
    if (job.evaluation.has_value() && job.evaluation->opened.member().worker_id() == worker_id) {
      const v1::EvaluationOpened& opened = job.evaluation->opened;
      std::vector<std::uint64_t> context =
          JobContext(state, job, opened.model_sha256(), job.evaluation->opened_index, now);
      AddStatements(state, opened.member().shards(), &context);
      tasks.push_back({{v1::TASK_KIND_EVALUATE, id, opened.round(), opened.attempt()},
                       job.evaluation->opened_index,
                       std::move(context),
                       opened.model().key_id(),
                       opened.model(),
                       opened.member().download(),
                       {},
                       ToTime(opened.deadline())});
    }
  }
  for (const auto& [id, staging] : state.stagings) {
    AddStagingTask(state, staging, worker_id, &tasks);
  }
  std::erase_if(tasks, [&](const OpenTask& task) {
    return task.deadline <= now || state.cut_tickets.count(task.download.ticket_id()) != 0 ||
           state.cut_tickets.count(task.upload.ticket_id()) != 0;
  });
  for (OpenTask& task : tasks) {
    if (region != state.registered.end()) {
      task.context.push_back(region->second);
    }
  }
  std::sort(tasks.begin(), tasks.end(),
            [](const OpenTask& a, const OpenTask& b) { return a.opened_index < b.opened_index; });
  return tasks;
}

absl::StatusOr<OpenTask> FindTask(const State& state, const std::string& worker_id,
                                  absl::string_view task_id, absl::Time now) {
  for (OpenTask& task : TasksFor(state, worker_id, now)) {
    if (TaskId(task.name) == task_id) {
      return std::move(task);
    }
  }
  return absl::FailedPreconditionError("this task is not open for this worker");
}

v1::Ticket StagingTicketOf(const v1::StagingOrdered& ordered) {
  v1::Ticket ticket;
  ticket.set_ticket_id(ordered.staging_id());
  ticket.set_bytes_max(std::uint64_t{1} << 40);
  *ticket.mutable_expires() = ordered.expires();
  return ticket;
}

std::string FailureName(v1::TaskFailure failure) {
  const std::string name = v1::TaskFailure_Name(failure);
  return absl::AsciiStrToLower(absl::StrReplaceAll(
      absl::string_view(name).substr(sizeof("TASK_FAILURE_") - 1), {{"_", "-"}}));
}

std::vector<IncludedDelta> IncludedDeltas(const Round& round) {
  std::vector<IncludedDelta> deltas;
  if (!round.closed.has_value()) {
    return deltas;
  }
  for (const v1::Included& included : round.closed->included()) {
    const auto contribution = round.contributions.find(included.worker_id());
    if (contribution == round.contributions.end() ||
        round.storage_faults.count(included.worker_id()) != 0) {
      continue;
    }
    for (const v1::RoundMember& member : round.opened.members()) {
      if (member.worker_id() == included.worker_id()) {
        deltas.push_back({member.worker_id(), contribution->second.index, member.weight(),
                          contribution->second.sealed_sha256});
      }
    }
  }
  return deltas;
}

namespace {

// Whether an open round waits for this worker's contribution.
bool IsAwaited(const Job& job, const std::string& worker_id) {
  if (!job.round.has_value() || job.round->contributions.count(worker_id) != 0) {
    return false;
  }
  const auto& members = job.round->opened.members();
  return std::any_of(members.begin(), members.end(), [&](const v1::RoundMember& member) {
    return member.worker_id() == worker_id;
  });
}

}  // namespace

std::optional<std::uint64_t> FindReceipt(const State& state, const std::string& worker_id,
                                         const v1::Contribution& contribution) {
  const Job* job = state.FindJob(contribution.job_id());
  if (job == nullptr || contribution.worker_id() != worker_id || IsAwaited(*job, worker_id)) {
    return std::nullopt;
  }
  const auto round = job->receipts.find(contribution.round());
  if (round == job->receipts.end()) {
    return std::nullopt;
  }
  const auto given = round->second.find(worker_id);
  if (given == round->second.end() || given->second.attempt != contribution.attempt() ||
      given->second.sealed_sha256 != contribution.sealed_sha256()) {
    return std::nullopt;
  }
  return given->second.index;
}

}  // namespace carnet::coordinator
