// From the ledger to a state that may serve: the fold, and what must be there besides.
#ifndef CARNET_COORDINATOR_RECOVER_H_
#define CARNET_COORDINATOR_RECOVER_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/blobs/blobs.h"
#include "coordinator/core/state.h"
#include "crypto/key_files.h"
#include "ledger/view.h"

namespace carnet::coordinator {

// Folds every record. DATA_LOSS names the first index that does not verify, parse or fit.
absl::StatusOr<State> FoldLedger(const ledger::LogView& log);

// Every blob and key that the live state needs exists with its size (else DATA_LOSS, naming it);
// then what no record and no open upload names is swept. Returns the sealed shards that had been
// uploaded: staging id -> digest.
absl::StatusOr<std::map<std::string, Bytes>> CheckAndSweep(const State& state, Blobs& blobs,
                                                           const crypto::KeyFiles& keys);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RECOVER_H_
