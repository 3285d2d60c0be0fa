// How withdrawn shards and cut transfers change the state.
#include "absl/strings/str_cat.h"
#include "coordinator/core/fold.h"

namespace carnet::coordinator {

absl::Status Fold(State& state, std::uint64_t index, const v1::ShardWithdrawn& record) {
  const auto shard = state.shards.find(ShardKey(record.dataset(), record.shard()));
  if (shard == state.shards.end()) {
    return absl::DataLossError(absl::StrCat("record ", index, " withdraws an unknown shard"));
  }
  shard->second.withdrawn = index;
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t /*index*/, const v1::TransferCut& record) {
  state.cut_tickets.insert(record.ticket_id());
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
