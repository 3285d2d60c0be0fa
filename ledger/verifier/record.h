// Checking one record: signature, statement, leaf. Pure.
#ifndef CARNET_LEDGER_VERIFIER_RECORD_H_
#define CARNET_LEDGER_VERIFIER_RECORD_H_

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "carnet/v1/ledger.pb.h"
#include "ledger/verifier/heads.h"

namespace carnet::ledger::verifier {

struct VerifiedRecord {
  std::string type;  // "contribution"
  std::shared_ptr<const google::protobuf::Message> predicate;
  std::vector<Digest> subjects;
  Bytes public_key;  // whose signature it is; who that is, is for the chain of trust
  std::string leaf;  // the bytes that the log holds of it
  Digest leaf_hash{};

  template <typename T>
  const T* As() const {
    return dynamic_cast<const T*>(predicate.get());
  }
};

// Error UNAUTHENTICATED: the signature does not verify, or the statement breaks a rule of
// docs/formats.md.
absl::StatusOr<VerifiedRecord> VerifyRecord(const v1::SignedRecord& record);

// The record, and that it is in the log under `head`. Error UNAUTHENTICATED.
absl::StatusOr<VerifiedRecord> VerifyProvenRecord(const v1::ProvenRecord& record,
                                                  const TreeHead& head);
// That a leaf is in the log under `head`: a receipt for a record that the caller holds. Error
// UNAUTHENTICATED.
absl::Status VerifyInclusionProof(const Digest& leaf_hash, const v1::InclusionProof& proof,
                                  const TreeHead& head);

}  // namespace carnet::ledger::verifier

#endif  // CARNET_LEDGER_VERIFIER_RECORD_H_
