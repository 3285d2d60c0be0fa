#include "coordinator/core/transfers.h"

#include <utility>

#include "base/timestamp.h"
#include "coordinator/core/reasons.h"
#include "coordinator/core/release.h"
#include "coordinator/core/withdrawal.h"

namespace carnet::coordinator {
namespace {

const v1::RoundMember* MemberOf(const Round& round, const std::string& worker_id) {
  for (const v1::RoundMember& member : round.opened.members()) {
    if (member.worker_id() == worker_id) {
      return &member;
    }
  }
  return nullptr;
}

// Somebody else's word took the worker out of the round: nothing is left to cut.
bool EndedOtherwise(const Round& round, const std::string& worker_id) {
  const auto out = round.out.find(worker_id);
  return round.contributions.count(worker_id) != 0 ||
         (out != round.out.end() && out->second != reasons::kRevoked &&
          out->second != reasons::kShardWithdrawn && out->second != reasons::kCut);
}

template <typename Opened>
bool IsOf(const Opened& opened, const TaskName& task) {
  return opened.round() == task.round && opened.attempt() == task.attempt;
}

// The member of the job's open round or evaluation whose task this is.
const v1::RoundMember* OpenMember(const Job& job, const TaskName& task,
                                  const std::string& worker_id) {
  if (task.kind == v1::TASK_KIND_TRAIN) {
    return job.round.has_value() && !job.round->closed.has_value() &&
                   IsOf(job.round->opened, task) && !EndedOtherwise(*job.round, worker_id)
               ? MemberOf(*job.round, worker_id)
               : nullptr;
  }
  if (task.kind != v1::TASK_KIND_EVALUATE || !job.evaluation.has_value() ||
      !IsOf(job.evaluation->opened, task)) {
    return nullptr;
  }
  const v1::RoundMember& member = job.evaluation->opened.member();
  return member.worker_id() == worker_id ? &member : nullptr;
}

std::optional<OpenTicket> JobTicket(const State& state, const TransferName& name,
                                    const TaskName& task) {
  const Job* const job = state.FindJob(task.id);
  const v1::RoundMember* const member = job == nullptr || job->phase != JobPhase::kRunning
                                            ? nullptr
                                            : OpenMember(*job, task, name.worker_id);
  if (member == nullptr) {
    return std::nullopt;
  }
  return OpenTicket{task, name.upload ? member->upload() : member->download(), job, member,
                    nullptr};
}

std::optional<OpenTicket> StagingTicket(const State& state, const TransferName& name,
                                        const TaskName& task) {
  const auto staging = state.stagings.find(task.id);
  if (staging == state.stagings.end() || staging->second.phase != StagingPhase::kOrdered) {
    return std::nullopt;
  }
  const v1::StagingOrdered& ordered = staging->second.ordered;
  const bool sends = task.kind == v1::TASK_KIND_SEND_SHARD;
  if (sends != name.upload ||
      (sends ? ordered.from_worker_id() : ordered.to_worker_id()) != name.worker_id) {
    return std::nullopt;
  }
  return OpenTicket{task, StagingTicketOf(ordered), nullptr, nullptr, &staging->second};
}

Standing Decided(Verdicts verdicts) {
  Standing standing;
  if (!verdicts.allowed) {
    standing = {Standing::Kind::kCut, reasons::kRefused, std::move(verdicts.decisions)};
  }
  standing.questions = std::move(verdicts.questions);
  return standing;
}

// Of a model on its way to the person whom it was released to.
Standing StandingOfRelease(const State& state, const std::string& ticket_id, absl::Time now,
                           ByteView id_seed, std::uint64_t* counter) {
  const ReleaseOnRecord* const release = ReleaseOfTicket(state, ticket_id);
  if (release == nullptr || state.cut_tickets.count(ticket_id) != 0 ||
      now >= ToTime(release->terms.expires())) {
    return {Standing::Kind::kOver, "", {}};
  }
  const std::string& user_id = release->terms.released_to();
  const ByteView model = AsBytes(release->terms.model_sha256());
  const auto job = ExportableJob(state, user_id, release->terms.job_id());
  if (!job.ok() || LiveRelease(state, user_id, model, now) != release) {
    return {Standing::Kind::kCut, kUserRevoked, {}};
  }
  if (!WithdrawnIn(state, model).empty()) {
    return {Standing::Kind::kCut, reasons::kShardWithdrawn, {}};
  }
  return Decided(DecideFlows(state, ReleaseModelFlows(state, **job, model, state.users.at(user_id)),
                             now, id_seed, counter));
}

}  // namespace

std::optional<OpenTicket> FindTicket(const State& state, const TransferName& name) {
  const absl::StatusOr<TaskName> task = ParseTaskId(name.task_id);
  if (!task.ok() || name.ticket_id.empty() || state.cut_tickets.count(name.ticket_id) != 0) {
    return std::nullopt;
  }
  const bool of_job = task->kind == v1::TASK_KIND_TRAIN || task->kind == v1::TASK_KIND_EVALUATE;
  std::optional<OpenTicket> open =
      of_job ? JobTicket(state, name, *task) : StagingTicket(state, name, *task);
  return open.has_value() && open->ticket.ticket_id() == name.ticket_id ? std::move(open)
                                                                        : std::nullopt;
}

std::vector<FlowContext> TransferFlows(const State& state, const OpenTicket& open,
                                       const Worker& worker, bool upload) {
  if (open.staging != nullptr) {
    const v1::StagingOrdered& ordered = open.staging->ordered;
    return StageDataFlows(state, ShardKey(ordered.dataset(), ordered.shard()),
                          state.workers.at(ordered.from_worker_id()),
                          state.workers.at(ordered.to_worker_id()));
  }
  if (!upload) {
    std::vector<FlowContext> flows = SendModelFlows(state, *open.job, worker);
    const std::vector<FlowContext> key = UseKeyFlows(state, *open.job, worker);
    flows.insert(flows.end(), key.begin(), key.end());
    return flows;
  }
  return UploadFlows(state, *open.job, worker,
                     {open.member->shards().begin(), open.member->shards().end()});
}

std::set<std::string> WithdrawnBehind(const State& state, const OpenTicket& open) {
  std::set<std::string> names;
  if (open.staging != nullptr) {
    const v1::StagingOrdered& ordered = open.staging->ordered;
    names.insert(ShardKey(ordered.dataset(), ordered.shard()));
  } else {
    names = WithdrawnAmong(state, open.job->versions);
    names.insert(open.member->shards().begin(), open.member->shards().end());
  }
  std::erase_if(names, [&](const std::string& name) { return !IsWithdrawn(state, name); });
  return names;
}

Standing StandingOf(const State& state, const TransferName& name, absl::Time now, ByteView id_seed,
                    std::uint64_t* counter) {
  if (IsReleaseTicket(name.ticket_id)) {
    return StandingOfRelease(state, name.ticket_id, now, id_seed, counter);
  }
  const std::optional<OpenTicket> open = FindTicket(state, name);
  const Worker* const worker = state.FindWorker(name.worker_id);
  if (!open.has_value() || worker == nullptr || now >= ToTime(open->ticket.expires())) {
    return {Standing::Kind::kOver, "", {}};
  }
  if (worker->revoked) {
    return {Standing::Kind::kCut, reasons::kWorkerRevoked, {}};
  }
  if (!WithdrawnBehind(state, *open).empty()) {
    return {Standing::Kind::kCut, reasons::kShardWithdrawn, {}};
  }
  return Decided(
      DecideFlows(state, TransferFlows(state, *open, *worker, name.upload), now, id_seed, counter));
}

}  // namespace carnet::coordinator
