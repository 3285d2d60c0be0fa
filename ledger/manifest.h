// The manifest `model.carnet`: the lineage of one model as one file that is verified offline
// (ledger/verifier/manifest.h; docs/formats.md), with one shared proof under the published head.
#ifndef CARNET_LEDGER_MANIFEST_H_
#define CARNET_LEDGER_MANIFEST_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/view.h"

namespace carnet::ledger {

inline constexpr std::size_t kManifestRecordsMax = 250'000;
// Before compression.
inline constexpr std::size_t kManifestUnpackedBytesMax = std::size_t{512} * 1024 * 1024;

struct ManifestOrder {
  std::string job_id;
  Digest model_sha256{};  // the released model's file
  // Indexes of its lineage, in any order, repeats allowed; 0 (genesis) is added. What the verifier
  // asks for: users and workers enrolled, workers revoked, the job, and for each round up to the
  // model round-opened, every contribution and rejection, round-closed or -abandoned, aggregate,
  // evaluations, keys created and destroyed; for each release that it holds, the enrolment of who
  // it is to and the policies up to it.
  std::vector<std::uint64_t> indexes;
};

// In the form `full`: every statement, with one proof for them and for every head that a worker
// says in them to have seen.
// Errors: INVALID_ARGUMENT no job id, or one with a line feed. RESOURCE_EXHAUSTED over the bounds
// above. OUT_OF_RANGE an index beyond the published head. NOT_FOUND no head is published yet.
// FAILED_PRECONDITION: the `seen` of a record is not a prefix of this log. Others as LogView.
absl::StatusOr<Bytes> MakeManifest(const LogView& log, const ManifestOrder& order);

// The parts of the file, in its order.
struct ManifestContents {
  bool compact = false;  // contributions are leaves
  std::string job_id;
  Digest model_sha256{};
  std::string head;                                                 // note
  std::vector<std::pair<std::uint64_t, v1::SignedRecord>> records;  // ascending index
  std::map<std::uint64_t, Digest> leaves;                           // by index
  std::vector<Digest> nodes;
};
// One zstd frame that states its unpacked size. Errors: INVALID_ARGUMENT, RESOURCE_EXHAUSTED as
// above; whether the parts belong together is for the verifier to say.
absl::StatusOr<Bytes> PackManifest(const ManifestContents& contents);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_MANIFEST_H_
