// Statements of persons inside of records that the coordinator signs (docs/formats.md, "Statements
// of persons"), checked without the writer's code. Pure and thread-safe.
#ifndef CARNET_LEDGER_VERIFIER_PERSON_STATEMENT_H_
#define CARNET_LEDGER_VERIFIER_PERSON_STATEMENT_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/records.pb.h"

namespace carnet::ledger::verifier {

// Whether the record's `stated` is signed with this key. Who owns it, and with which role, is for
// the chain of trust. Error UNAUTHENTICATED: it is not.
absl::Status VerifyStated(const v1::SupplierRegistered& record, ByteView public_key);
absl::Status VerifyStated(const v1::RegionRegistered& record, ByteView public_key);
absl::Status VerifyStated(const v1::DatasetRegistered& record, ByteView public_key);
absl::Status VerifyStated(const v1::EvidenceRecorded& record, ByteView public_key);
absl::Status VerifyStated(const v1::EvidenceAccepted& record, ByteView public_key);
absl::Status VerifyStated(const v1::CounterOpened& record, ByteView public_key);
absl::Status VerifyStated(const v1::LocationCleared& record, ByteView public_key);

// What an evidence-accepted of the item names. Error UNAUTHENTICATED: it has no JSON.
absl::StatusOr<Digest> DigestOfItem(v1::EvidenceRecorded item);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_PERSON_STATEMENT_H_
