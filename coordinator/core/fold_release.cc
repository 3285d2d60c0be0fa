// How releases of models and readings of the log change the state.
#include "absl/strings/str_cat.h"
#include "coordinator/core/fold.h"

namespace carnet::coordinator {

absl::Status Fold(State& state, std::uint64_t index, const v1::Release& record) {
  state.releases[{record.released_to(), record.model_sha256()}] = ReleaseOnRecord{record, index};
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::LogRead& record) {
  state.readings[record.reader()] = ReadingOnRecord{record, index};
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
