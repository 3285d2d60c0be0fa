#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/counters.h"
#include "coordinator/core/duties.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/statements.h"

namespace carnet::coordinator {
namespace {

absl::StatusOr<Duty*> DutyOf(State& state, std::uint64_t index, const std::string& id) {
  const auto duty = state.duties.find(id);
  if (duty == state.duties.end()) {
    return absl::DataLossError(absl::StrCat("record ", index, " refers to an unknown duty"));
  }
  return &duty->second;
}

}  // namespace

absl::Status Fold(State& state, std::uint64_t index, const v1::CounterOpened& record) {
  state.statements[absl::StrCat("counter/", record.counter())] =
      TakeStatement(state, index, record, record.common(), record.stated(), StewardRoles());
  state.openings[record.counter()] = record;
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::PeopleCounted& record) {
  if (record.shards_size() != record.shard_sha256_size()) {
    return absl::DataLossError(absl::StrCat("record ", index, " counts shards without digests"));
  }
  for (int i = 0; i < record.shards_size(); ++i) {
    absl::Time& last = state.crossed
                           .try_emplace(absl::StrCat(record.shards(i), "@",
                                                     HexEncode(AsBytes(record.shard_sha256(i)))),
                                        absl::InfinitePast())
                           .first->second;
    last = std::max(last, ToTime(record.common().at()));
  }
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::ObligationDue& record) {
  state.duties[record.obligation_id()] = Duty{record, index, std::nullopt, std::nullopt};
  state.duty_keys.insert(DutyKey(record));
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::ObligationMet& record) {
  CARNET_ASSIGN_OR_RETURN(Duty* const duty, DutyOf(state, index, record.obligation_id()));
  duty->met = index;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::ObligationLate& record) {
  CARNET_ASSIGN_OR_RETURN(Duty* const duty, DutyOf(state, index, record.obligation_id()));
  duty->late = index;
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
