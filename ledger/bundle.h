// Records as Sigstore bundles v0.3: `@sigstore/verify` and other Sigstore clients check record,
// signature, inclusion and head offline, with the trusted root of ledger/trust.h.
#ifndef CARNET_LEDGER_BUNDLE_H_
#define CARNET_LEDGER_BUNDLE_H_

#include <string>

#include "absl/status/statusor.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/head.h"
#include "ledger/note.h"

namespace carnet::ledger {

// JSON of the bundle. The key's hint is the hex SHA-256 of the signer's SPKI.
// Errors: INVALID_ARGUMENT a record or proof of wrong lengths.
absl::StatusOr<std::string> SigstoreBundle(const v1::ProvenRecord& record, const SignedHead& head,
                                           const NoteKey& log);

// A C2SP tlog-proof (`.tlog-proof`) of the record's place.
absl::StatusOr<std::string> TlogProof(const v1::InclusionProof& proof, const SignedHead& head);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_BUNDLE_H_
