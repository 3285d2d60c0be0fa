// Aggregations on record, for somebody who can open their deltas. The audit itself reads no files:
// it says what is to be computed again, and compares.
#ifndef CARNET_COORDINATOR_AUDIT_RECOMPUTE_H_
#define CARNET_COORDINATOR_AUDIT_RECOMPUTE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/records.pb.h"

namespace carnet::coordinator::audit {

struct AggregatedDelta {
  std::string path;  // SPIFFE path of its worker
  Bytes sealed_sha256;
  std::uint64_t weight = 0;
};

// Pointers are valid during the call alone.
struct Aggregation {
  std::uint64_t index = 0;  // of the record
  std::string job_id;
  std::uint32_t round = 0;
  const v1::JobSpec* spec = nullptr;
  const v1::KeyRetained* key = nullptr;  // null: the round's key was kept for nobody
  Bytes base_model_sha256;
  Bytes optimizer_state_sha256;         // before the round; empty: none
  std::vector<AggregatedDelta> deltas;  // in the order of the sum
};

struct AggregationResult {
  Bytes model_sha256;
  Bytes optimizer_state_sha256;  // after the round; empty: none
};

// Computes an aggregation again. Called in the order of the log. Errors: NOT_FOUND something that
// it takes is not at hand, or not meant for this auditor: "not recomputed". DATA_LOSS,
// INVALID_ARGUMENT or FAILED_PRECONDITION what is at hand is not what the records name, or cannot
// be combined: bad evidence. Anything else: it could not be tried, and the audit cannot decide.
// Messages stand in the report: fixed words and ids only.
using Recompute = std::function<absl::StatusOr<AggregationResult>(const Aggregation&)>;

struct Recomputation {
  Recompute compute;  // empty: nobody can
  std::string job;    // this one alone; empty: every job
};

}  // namespace carnet::coordinator::audit

#endif  // CARNET_COORDINATOR_AUDIT_RECOMPUTE_H_
