#include <algorithm>

#include "base/timestamp.h"
#include "coordinator/core/bridge.h"
#include "coordinator/core/fold.h"

namespace carnet::coordinator {
namespace {

// Words that nobody asks about any more go; refusals still say for a while what they were.
constexpr absl::Duration kForgottenAfter = absl::Hours(1);

}  // namespace

absl::Status Fold(State& state, std::uint64_t index, const v1::BridgeVerdict& record) {
  std::erase_if(state.bridge, [&state](const auto& entry) {
    const BridgeAnswer& known = entry.second;
    const absl::Time end = std::max(
        known.answer.outcome().empty() ? absl::InfinitePast() : ToTime(known.answer.valid_until()),
        known.retry_at);
    return state.last >= end + kForgottenAfter;
  });
  if (record.engine_sha256() != state.bridge_engine && !state.bridge.empty()) {
    state.bridge.clear();  // The word of one engine is not that of another.
    ++state.facts_version;
  }
  state.bridge_engine = record.engine_sha256();
  state.bridge_input = record.input();
  BridgeAnswer& known = state.bridge[record.input_sha256()];
  if (record.outcome() == kBridgeError) {
    // An earlier answer counts until its own end: silence takes nothing back.
    known.error = record.error();
    known.retry_at = ToTime(record.valid_until());
    ++known.errors;
  } else {
    // A decision that was made can change only where the word does: unasked, an ended yes and a
    // first no deny alike, and whoever waits for a first yes asked for it.
    const std::string& before = known.answer.outcome();
    state.facts_version += !before.empty() && before != record.outcome() ? 1 : 0;
    known.answer = record;
    known.answer.clear_input();
    known.index = index;
    known.error.clear();
    known.errors = 0;
    known.retry_at = absl::InfinitePast();
  }
  if (const auto job = state.jobs.find(record.job_id()); job != state.jobs.end()) {
    job->second.records.push_back(index);
    job->second.bridge_records.insert(index);
  }
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
