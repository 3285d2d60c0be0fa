// Receipts: that a record which this worker signed is in the log, under a head that its own history
// contains. Pure.
#ifndef CARNET_WORKER_CORE_RECEIPTS_H_
#define CARNET_WORKER_CORE_RECEIPTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/federation.pb.h"
#include "ledger/verifier/head_tracker.h"

namespace carnet::worker {

// The consistency proof that is needed to place `note` beside the remembered head, smaller size
// first; nothing when sizes are equal or nothing is remembered. Error UNAUTHENTICATED: the note is
// no head of this log.
struct ProofWanted {
  std::uint64_t old_size = 0;
  std::uint64_t new_size = 0;
};
absl::StatusOr<std::optional<ProofWanted>> ProofFor(const ledger::verifier::HeadTracker& tracker,
                                                    const ledger::verifier::VerifierKey& log,
                                                    absl::string_view note);

// Checks a receipt for `record`. Its head may be older than the remembered one (a repeated call
// gets the first answer): then the remembered head must extend it. A newer one becomes the
// remembered head. Errors: UNAUTHENTICATED the receipt proves nothing. DATA_LOSS misbehaviour;
// `fork` holds the evidence. NOT_FOUND the proof that ProofFor names is missing.
absl::Status CheckReceipt(const v1::SignedRecord& record, const v1::Receipt& receipt,
                          const v1::ConsistencyProof& consistency,
                          const ledger::verifier::VerifierKey& log,
                          ledger::verifier::HeadTracker* tracker,
                          std::optional<ledger::verifier::Fork>* fork);

// Places `note` beside the remembered head: an older head must be a prefix of it, a newer one
// becomes the remembered one. Errors as CheckReceipt.
absl::Status CheckPrefix(absl::string_view note, const v1::ConsistencyProof& consistency,
                         const ledger::verifier::VerifierKey& log,
                         ledger::verifier::HeadTracker* tracker,
                         std::optional<ledger::verifier::Fork>* fork);

// The receipt as a C2SP tlog-proof file: index, path, head. Error INVALID_ARGUMENT: a hash of
// another length.
absl::StatusOr<std::string> ReceiptFile(const v1::Receipt& receipt);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_CORE_RECEIPTS_H_
