// What a person says with his own key inside of a record that the coordinator signs
// (docs/formats.md, "Statements of persons"). The verifier checks it by code of its own
// (verifier/person_statement.h). Pure and thread-safe.
#ifndef CARNET_LEDGER_PERSON_STATEMENT_H_
#define CARNET_LEDGER_PERSON_STATEMENT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/records.pb.h"
#include "crypto/ed25519.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace carnet::ledger {

inline constexpr std::size_t kStatementNonceBytes = 32;

// Fills `signature` of the record's `stated`, whose other fields stand. What the coordinator adds
// later may be missing: common, and evidence_id and accepted_by of evidence-recorded. Errors:
// INVALID_ARGUMENT a message without `stated`; INTERNAL text that is not UTF-8.
absl::Status SignPersonStatement(const crypto::Ed25519KeyPair& key,
                                 google::protobuf::Message* record);

// Whether the record's `stated` is signed with this Ed25519 key. Errors: INVALID_ARGUMENT a message
// without `stated`, a nonce, signature or key of another length; UNAUTHENTICATED it does not
// verify.
absl::Status VerifyPersonStatement(const google::protobuf::Message& record, ByteView public_key);

// What evidence-accepted.item_sha256 holds: SHA-256 of the canonical JSON of the item without
// common, stated and accepted_by. Error INTERNAL: text that is not UTF-8.
absl::StatusOr<Digest> EvidenceItemDigest(const v1::EvidenceRecorded& item);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_PERSON_STATEMENT_H_
