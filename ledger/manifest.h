// The manifest `model.carnet`: the lineage of one model as one file that is verified offline
// (ledger/verifier/manifest.h; docs/formats.md). Form `full`: every statement with its inclusion
// proof under the published head.
#ifndef CARNET_LEDGER_MANIFEST_H_
#define CARNET_LEDGER_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "ledger/view.h"

namespace carnet::ledger {

inline constexpr std::size_t kManifestRecordsMax = 100'000;
// Before compression.
inline constexpr std::size_t kManifestJsonBytesMax = std::size_t{256} * 1024 * 1024;

struct ManifestOrder {
  std::string job_id;
  Digest model_sha256{};  // the released model's file
  // Indexes of its lineage, in any order, repeats allowed; 0 (genesis) is added. What the verifier
  // asks for: users and workers enrolled, workers revoked, the job, and for each round up to the
  // model round-opened, every contribution and rejection, round-closed or -abandoned, aggregate,
  // evaluations, keys created and destroyed.
  std::vector<std::uint64_t> indexes;
};

// zstd of the JSON. It carries a consistency proof to the head for every `seen` in its records.
// Errors: INVALID_ARGUMENT no job id. RESOURCE_EXHAUSTED over the bounds above. OUT_OF_RANGE an
// index beyond the published head. NOT_FOUND no head is published yet. FAILED_PRECONDITION: the
// `seen` of a record is not a prefix of this log. Others as LogView.
absl::StatusOr<Bytes> MakeManifest(const LogView& log, const ManifestOrder& order);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_MANIFEST_H_
