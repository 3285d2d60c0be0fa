// A closed round as the aggregation pass takes it: files and keys for what the records name.
#ifndef CARNET_COORDINATOR_EFFECTS_COMBINE_ROUND_H_
#define CARNET_COORDINATOR_EFFECTS_COMBINE_ROUND_H_

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/aggregation/combine.h"
#include "coordinator/aggregation/verify.h"
#include "coordinator/blobs/blobs.h"
#include "coordinator/core/commands.h"
#include "coordinator/core/state.h"
#include "coordinator/core/tasks.h"
#include "crypto/key_files.h"
#include "crypto/x25519.h"

namespace carnet::coordinator {

// Everything about a closed round that combining needs, copied out of the state.
struct RoundInputs {
  std::string job_id;
  std::uint32_t round = 0;
  std::uint32_t attempt = 0;
  std::string round_key_id;
  Bytes base_model_sha256;
  Bytes optimizer_state_sha256;  // empty: none yet
  v1::JobSpec spec;
  std::vector<IncludedDelta> deltas;  // in the order of the sum
  std::vector<std::string> paths;     // SPIFFE path of each
};
// REQUIRES: the job has a closed round.
RoundInputs InputsOf(const State& state, const Job& job);

// Combines the round; returns RecordAggregate with the new model durable among the blobs, or
// StorageFault naming a contribution that is not what was verified. Blocks. Errors: those of
// aggregation::Combine; nothing is left then.
absl::StatusOr<CommandBody> CombineRound(const RoundInputs& inputs, int threads,
                                         const std::atomic<bool>* cancelled, Blobs& blobs,
                                         const crypto::KeyFiles& keys);

model::Codec CodecOf(const v1::JobSpec& spec);

// The sealed delta in `blob` with the key that opens it. Errors: NOT_FOUND a missing file or key;
// INVALID_ARGUMENT or DATA_LOSS a header that is not one for this round key.
absl::StatusOr<aggregation::SealedDelta> OpenableDelta(const Blobs& blobs, const BlobId& blob,
                                                       const crypto::X25519KeyPair& round_key,
                                                       const std::string& contributor);
absl::StatusOr<crypto::X25519KeyPair> ReadRoundKey(const crypto::KeyFiles& keys,
                                                   const std::string& key_id);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_EFFECTS_COMBINE_ROUND_H_
