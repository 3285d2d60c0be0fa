#include "coordinator/core/apply.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/recorded.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

// Records that somebody else signed carry his own clock; only the coordinator's drives the state.
bool HasForeignClock(const ledger::Predicate& predicate) {
  return predicate.Is<v1::Contribution>() || predicate.Is<v1::Evaluation>() ||
         predicate.Is<v1::JobSubmitted>() || predicate.Is<v1::Approval>() ||
         predicate.Is<v1::PolicyProposed>() || predicate.Is<v1::ModelAssessed>();
}

}  // namespace

absl::Status Apply(State& state, std::uint64_t index, const ledger::Predicate& predicate) {
  if (index != state.size) {
    return absl::DataLossError(
        absl::StrCat("record ", index, " is out of order: expected ", state.size));
  }
  if (predicate.kind() == ledger::RecordKind::kNone) {
    return absl::DataLossError(
        absl::StrCat("record ", index, " is of no type that this version knows"));
  }
  const v1::Common& common = ledger::CommonOf(predicate);
  if (!HasForeignClock(predicate)) {
    state.last = std::max(state.last, ToTime(common.at()));
  }
  if (!common.request_id().empty()) {
    state.requests.emplace(common.request_id(), index);
  }
  state.size = index + 1;
  const absl::Status folded =
      ledger::Visit(predicate, [&](const auto& record) { return Fold(state, index, record); });
  if (folded.ok()) {
    NoteRecorded(state, predicate);
  }
  return folded;
}

}  // namespace carnet::coordinator
