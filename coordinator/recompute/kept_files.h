// The files with which somebody else can compute aggregations again: which they are, out of a log,
// and their way into a folder that goes along with an audit bundle. Keys are none of them: the
// round's key is in its record, wrapped for the person for whom it is kept.
#ifndef CARNET_COORDINATOR_RECOMPUTE_KEPT_FILES_H_
#define CARNET_COORDINATOR_RECOMPUTE_KEPT_FILES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/retained.h"
#include "ledger/view.h"

namespace carnet::coordinator {

// The folder of these files beside the bundle `X.carnet-audit`: `X.carnet-audit.blobs`.
std::filesystem::path KeptFilesOf(const std::filesystem::path& bundle);

// What the log says is kept at `now`; `job_id` empty: of every job. Folds the whole log. Errors:
// those of the store, and of a log that cannot be folded.
absl::StatusOr<std::vector<RetainedRound>> KeptRounds(const ledger::LogView& log,
                                                      const std::string& job_id, absl::Time now);

struct CopiedFiles {
  std::uint64_t deltas = 0;
  std::uint64_t models = 0;
  std::uint64_t gone = 0;  // that the log says are kept
};

// Copies from `blobs` into `out`, made with mode 0700: every sealed delta with its header, and the
// base model of each round whose round before is not kept for the same person as well (the others
// follow from it). A blob takes its name only when it is whole and durable; those that are there
// already, and are what they are named after, stay. Errors: DATA_LOSS a file among `blobs` is not
// what it is named after. Those of base/files.h.
absl::StatusOr<CopiedFiles> CopyKeptFiles(const std::vector<RetainedRound>& rounds,
                                          const std::filesystem::path& blobs,
                                          const std::filesystem::path& out);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RECOMPUTE_KEPT_FILES_H_
