// How rotations of the coordinator's own keys and erasures change the state.
#include "absl/strings/str_cat.h"
#include "coordinator/core/fold.h"

namespace carnet::coordinator {

absl::Status Fold(State& state, std::uint64_t index, const v1::KeyRotated& record) {
  if (index == 0 || record.key_id().empty() || state.keys.count(record.key_id()) != 0) {
    return absl::DataLossError(absl::StrCat("record ", index, " rotates to a key that was there"));
  }
  Rotation rotation{record, index, state.KeyIdOf(record.kind())};
  // From here on both files must be there until the old one's destruction is ordered.
  for (const std::string& id : {rotation.old_key_id, record.key_id()}) {
    Key& key = state.keys[id];
    key.terms.set_key_id(id);
    key.terms.set_purpose(record.kind());
  }
  state.rotations.push_back(std::move(rotation));
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::Erasure& record) {
  state.erasures[record.vault_id()] = ErasureOrder{record, index, false};
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::ErasureDone& record) {
  const auto order = state.erasures.find(record.vault_id());
  if (order == state.erasures.end()) {
    return absl::DataLossError(absl::StrCat("record ", index, " ends an erasure nobody ordered"));
  }
  order->second.done = true;
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
