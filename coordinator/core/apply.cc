#include "coordinator/core/apply.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/core/fold.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

// Records that somebody else signed carry his own clock; only the coordinator's drives the state.
bool HasForeignClock(const ledger::Predicate& predicate) {
  return std::holds_alternative<v1::Contribution>(predicate) ||
         std::holds_alternative<v1::Evaluation>(predicate) ||
         std::holds_alternative<v1::JobSubmitted>(predicate) ||
         std::holds_alternative<v1::Approval>(predicate) ||
         std::holds_alternative<v1::PolicyProposed>(predicate);
}

struct Folder {
  State& state;
  std::uint64_t index;
  absl::Status operator()(std::monostate) const {
    return absl::DataLossError(
        absl::StrCat("record ", index, " is of no type that this version knows"));
  }
  template <typename Message>
  absl::Status operator()(const Message& record) const {
    return Fold(state, index, record);
  }
};

}  // namespace

absl::Status Apply(State& state, std::uint64_t index, const ledger::Predicate& predicate) {
  if (index != state.size) {
    return absl::DataLossError(
        absl::StrCat("record ", index, " is out of order: expected ", state.size));
  }
  if (!std::holds_alternative<std::monostate>(predicate)) {
    const v1::Common& common = ledger::CommonOf(predicate);
    if (!HasForeignClock(predicate)) {
      state.last = std::max(state.last, ToTime(common.at()));
    }
    if (!common.request_id().empty()) {
      state.requests.emplace(common.request_id(), index);
    }
  }
  state.size = index + 1;
  return std::visit(Folder{state, index}, predicate);
}

}  // namespace carnet::coordinator
