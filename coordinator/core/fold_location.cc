#include "absl/strings/str_cat.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/location.h"
#include "coordinator/core/statements.h"

namespace carnet::coordinator {
namespace {

absl::Status Dangling(std::uint64_t index, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("record ", index, " refers to an unknown ", what));
}

}  // namespace

absl::Status Fold(State& state, std::uint64_t index, const v1::LocationContradicted& record) {
  const auto region = state.regions.find(record.region());
  if (region == state.regions.end()) {
    return Dangling(index, "region");
  }
  region->second.contradictions.emplace(index, record);
  ++state.facts_version;
  return absl::OkStatus();
}

absl::Status Fold(State& state, std::uint64_t index, const v1::LocationCleared& record) {
  const auto region = state.regions.find(record.region());
  if (region == state.regions.end()) {
    return Dangling(index, "region");
  }
  for (const std::uint64_t contradiction : record.contradictions()) {
    if (region->second.contradictions.count(contradiction) == 0) {
      return Dangling(index, "contradiction");
    }
  }
  // It loosens: what nobody signed who may say so clears nothing.
  if (TakeStatement(state, index, record, record.common(), record.stated(), {kLocationClearer}) !=
      nullptr) {
    for (const std::uint64_t contradiction : record.contradictions()) {
      region->second.contradictions.erase(contradiction);
    }
  }
  ++state.facts_version;
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
