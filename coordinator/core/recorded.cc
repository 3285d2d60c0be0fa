#include "coordinator/core/recorded.h"

#include <map>
#include <tuple>

#include "base/timestamp.h"
#include "coordinator/core/release.h"

namespace carnet::coordinator {
namespace {

constexpr std::int64_t kDaySeconds = 24 * 60 * 60;

// Records are never from before 1970, so rounding down is rounding towards zero.
std::int64_t DayOf(absl::Time at) {
  return absl::ToUnixSeconds(at) / kDaySeconds;
}

void Count(State& state, const v1::Common& common, RecordedUse use) {
  const std::int64_t day = DayOf(ToTime(common.at()));
  ++state.recorded[day][std::move(use)];
  state.recorded.erase(state.recorded.begin(), state.recorded.upper_bound(day - kRecordedDays));
}

RecordedUse InJob(v1::Operation operation, const std::string& job_id,
                  const std::string& worker_id) {
  RecordedUse use;
  use.operation = operation;
  use.job_id = job_id;
  use.worker_id = worker_id;
  return use;
}

RecordedUse ToPlace(v1::Operation operation, const std::string& to, const std::string& recipient) {
  RecordedUse use;
  use.operation = operation;
  use.to = to;
  use.recipient = recipient;
  return use;
}

void Note(State& state, const v1::RoundOpened& record) {
  for (const v1::RoundMember& member : record.members()) {
    Count(state, record.common(),
          InJob(v1::OPERATION_UNSPECIFIED, record.job_id(), member.worker_id()));
  }
}

void Note(State& state, const v1::RoundClosed& record) {
  Count(state, record.common(), InJob(v1::OPERATION_AGGREGATE, record.job_id(), ""));
}

void Note(State& state, const v1::StagingOrdered& record) {
  RecordedUse use = InJob(v1::OPERATION_STAGE_DATA, "", record.to_worker_id());
  use.from_worker_id = record.from_worker_id();
  use.shard = ShardKey(record.dataset(), record.shard());
  Count(state, record.common(), std::move(use));
}

void Note(State& state, const v1::Release& record) {
  RecordedUse use = ToPlace(v1::OPERATION_RELEASE_MODEL, record.jurisdiction(), record.recipient());
  use.job_id = record.job_id();
  use.model_sha256 = record.model_sha256();
  Count(state, record.common(), std::move(use));
}

void Note(State& state, const v1::LogRead& record) {
  Count(state, record.common(),
        ToPlace(v1::OPERATION_READ_LOG, record.jurisdiction(), record.recipient()));
}

// The decisions of one refusal are about one operation.
void Note(State& state, const v1::Refusal& record) {
  if (record.decisions().empty()) {
    return;
  }
  const v1::Flow& flow = record.decisions(0).flow();
  RecordedUse use = InJob(flow.operation(), record.job_id(), record.worker_id());
  if (flow.operation() == v1::OPERATION_READ_LOG) {
    use = ToPlace(flow.operation(), flow.to(), flow.recipient());
  } else if (flow.operation() == v1::OPERATION_RELEASE_MODEL) {
    const Job* const job = state.FindJob(record.job_id());
    if (job == nullptr) {
      return;
    }
    const absl::StatusOr<const RoundResult*> result = ResultOfRound(*job, record.round());
    if (!result.ok()) {
      return;  // nothing that could have gone
    }
    use = ToPlace(flow.operation(), flow.to(), flow.recipient());
    use.job_id = record.job_id();
    use.model_sha256 = ToString((*result)->model_sha256);
  } else if (flow.operation() == v1::OPERATION_STAGE_DATA) {
    use.shard = record.shard();
  }
  ++state.refused_uses[use];
  Count(state, record.common(), std::move(use));
}

// Under the next revision each refusal is put on record again (RefusalKey).
void Note(State& state, const v1::PolicyActivated&) {
  state.refused_uses.clear();
}

template <typename... Messages>
void NoteIfAny(State& state, const ledger::Predicate& predicate) {
  const auto note = [&](const auto* record) {
    if (record != nullptr) {
      Note(state, *record);
    }
  };
  (note(predicate.As<Messages>()), ...);
}

}  // namespace

bool RecordedUse::operator<(const RecordedUse& other) const {
  return std::tie(operation, job_id, worker_id, from_worker_id, shard, model_sha256, to,
                  recipient) < std::tie(other.operation, other.job_id, other.worker_id,
                                        other.from_worker_id, other.shard, other.model_sha256,
                                        other.to, other.recipient);
}

void NoteRecorded(State& state, const ledger::Predicate& predicate) {
  NoteIfAny<v1::RoundOpened, v1::RoundClosed, v1::StagingOrdered, v1::Release, v1::LogRead,
            v1::Refusal, v1::PolicyActivated>(state, predicate);
}

std::vector<std::pair<RecordedUse, std::uint64_t>> RecordedUses(const State& state, absl::Time at) {
  const std::int64_t today = DayOf(at);
  std::vector<std::pair<RecordedUse, std::uint64_t>> uses;
  std::map<RecordedUse, std::size_t> places;
  for (auto day = state.recorded.rbegin(); day != state.recorded.rend(); ++day) {
    if (day->first > today || day->first <= today - kRecordedDays) {
      continue;
    }
    for (const auto& [use, count] : day->second) {
      const auto [place, is_new] = places.emplace(use, uses.size());
      if (is_new) {
        uses.emplace_back(use, std::uint64_t{0});
      }
      uses[place->second].second += count;
    }
  }
  for (const auto& [use, count] : state.refused_uses) {
    if (places.count(use) == 0) {
      uses.emplace_back(use, count);
    }
  }
  return uses;
}

}  // namespace carnet::coordinator
