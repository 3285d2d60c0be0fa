#include "coordinator/rpc/transfers.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "coordinator/core/release.h"

namespace carnet::coordinator {

Transfers::Begun Transfers::Begin(TransferName name, Transfer& transfer, const State& state,
                                  absl::Time now) {
  Begun begun;
  begun.place.reset(new Place(*this, std::move(name), transfer));
  const MutexLock lock(mutex_);
  places_.push_back(begun.place.get());
  LookAt(*begun.place, state, now, &begun.urgent);
  return begun;
}

std::vector<Engine::Urgent> Transfers::Look(const State& state, absl::Time now) {
  std::vector<Engine::Urgent> urgent;
  const MutexLock lock(mutex_);
  const bool changed = state.facts_version != facts_version_;
  if (!changed && now < looked_at_ + look_every_ && now >= looked_at_) {
    return urgent;
  }
  facts_version_ = state.facts_version;
  looked_at_ = now;
  for (Place* const place : places_) {
    if (place->ending_) {
      place->transfer_.Abort();
    } else if (!place->stopped_) {
      LookAt(*place, state, now, &urgent);
    }
  }
  return urgent;
}

void Transfers::LookAt(Place& place, const State& state, absl::Time now,
                       std::vector<Engine::Urgent>* urgent) {
  std::uint64_t counter = 0;
  const Standing standing = StandingOf(state, place.name_, now, {}, &counter);
  if (standing.kind == Standing::Kind::kMayMove) {
    const TransferName& name = place.name_;
    // For what moves in jobs and stagings, Reconcile asks.
    if (IsReleaseTicket(name.ticket_id) && !standing.questions.empty()) {
      urgent->push_back(
          {KeepTransfer{name.worker_id, name.task_id, name.ticket_id, name.upload}, [](auto) {}});
    }
    return;
  }
  if (standing.kind == Standing::Kind::kOver) {
    place.stopped_ = place.ending_ = true;
    place.transfer_.Cut(
        absl::FailedPreconditionError(IsReleaseTicket(place.name_.ticket_id)
                                          ? "the release has ended: ask for the model again"
                                          : "this task is not open for this worker"),
        false);
    return;
  }
  StopTicket(place, standing.reason, state, now, urgent);
}

void Transfers::StopTicket(Place& place, std::string reason, const State& state, absl::Time now,
                           std::vector<Engine::Urgent>* urgent) {
  const std::string& ticket_id = place.name_.ticket_id;
  bool under_way = false;  // the record of its cut
  const Place* named = &place;
  for (Place* const other : places_) {
    if (other->name_.ticket_id != ticket_id || other->ending_) {
      continue;
    }
    under_way = under_way || other->stopped_;
    // Both halves of a staging move under one ticket: what the receiver got is what crossed.
    std::uint64_t counter = 0;
    const Standing standing = StandingOf(state, other->name_, now, {}, &counter);
    if (named->name_.upload && !other->name_.upload && standing.kind == Standing::Kind::kCut) {
      named = other;
      reason = standing.reason;
    }
  }
  // Streams of one artifact overlap; those of several add up.
  std::map<std::string, std::uint64_t> crossed;
  for (Place* const other : places_) {
    if (other->name_.ticket_id == ticket_id && !other->ending_) {
      other->stopped_ = true;
      const std::uint64_t bytes = other->transfer_.Stop();
      if (other->name_.upload == named->name_.upload) {
        std::uint64_t& most = crossed[other->transfer_.Artifact()];
        most = std::max(most, bytes);
      }
    }
  }
  if (under_way) {
    return;  // one record for all of them: it ends this stream too
  }
  CutTransfer command{named->name_.worker_id, named->name_.task_id, ticket_id, named->name_.upload,
                      0};
  for (const auto& [artifact, bytes] : crossed) {
    command.bytes_crossed += bytes;
  }
  Log(LogLevel::kWarning, "transfer.cut",
      {{"task", command.task_id},
       {"worker", command.worker_id},
       {"ticket", command.ticket_id},
       {"reason", reason},
       {"bytes_crossed", command.bytes_crossed}});
  urgent->push_back({std::move(command), [this, ticket_id = std::string(ticket_id),
                                          reason](const absl::StatusOr<Answer>& answer) {
                       OnDecided(ticket_id, reason, answer);
                     }});
}

void Transfers::OnDecided(const std::string& ticket_id, const std::string& reason,
                          const absl::StatusOr<Answer>& answer) {
  // No record, no cut: what changed back meanwhile is decided anew when the peer comes again.
  const absl::Status why = answer.ok()
                               ? absl::PermissionDeniedError(absl::StrCat("cut: ", reason))
                               : absl::UnavailableError("the transfer was stopped: resume it");
  if (answer.ok()) {
    metrics_.Add(kTransfersCut, {reason});
  }
  const MutexLock lock(mutex_);
  for (Place* const place : places_) {
    if (place->name_.ticket_id == ticket_id && place->stopped_ && !place->ending_) {
      place->ending_ = true;
      place->transfer_.Cut(why, answer.ok());
    }
  }
}

std::size_t Transfers::active() const {
  const MutexLock lock(mutex_);
  return places_.size();
}

void Transfers::Leave(Place* place) {
  const MutexLock lock(mutex_);
  places_.remove(place);
}

}  // namespace carnet::coordinator
