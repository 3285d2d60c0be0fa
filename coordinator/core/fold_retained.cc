// How a round key that is kept for somebody changes the state.
#include "absl/strings/str_cat.h"
#include "coordinator/core/fold.h"

namespace carnet::coordinator {

absl::Status Fold(State& state, std::uint64_t index, const v1::KeyRetained& record) {
  if (state.keys.count(record.key_id()) == 0) {
    return absl::DataLossError(absl::StrCat("record ", index, " keeps a key that nobody made"));
  }
  state.retained_keys[record.key_id()] = RetainedKey{record, index};
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
