// Which records tell the whole story of a model.
#ifndef CARNET_COORDINATOR_RPC_JOBS_MANIFEST_H_
#define CARNET_COORDINATOR_RPC_JOBS_MANIFEST_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "coordinator/core/state.h"
#include "ledger/manifest.h"
#include "ledger/view.h"

namespace carnet::coordinator {

// What of a job a manifest needs, copied from the state.
struct ManifestFacts {
  std::string job_id;
  Digest model_sha256{};
  std::uint32_t round = 0;
  std::uint64_t aggregate_index = 0;   // of that round
  std::vector<std::uint64_t> records;  // of the job, up to the aggregate and its evaluation
};

// round 0: the newest. Error NOT_FOUND: there is no such aggregate. Pure.
absl::StatusOr<ManifestFacts> ManifestFactsOf(const Job& job, std::uint32_t round,
                                              std::uint64_t durable_size);

// The lineage: the federation's own records (people, suppliers, regions, workers, data, evidence)
// up to the aggregate, the job's records, and the life of every key of its rounds; and to whom the
// model was released, with the enrolments and policies that this takes. Reads the log from the
// beginning; blocks. Errors: those of ledger/view.h.
absl::StatusOr<ledger::ManifestOrder> MakeManifestOrder(const ledger::LogView& log,
                                                        const ManifestFacts& facts);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_JOBS_MANIFEST_H_
