#include "ledger/verifier/person_statement.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "base/message_json.h"
#include "base/status.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "ledger/verifier/errors.h"

namespace carnet::ledger::verifier {
namespace {

constexpr std::size_t kNonceBytes = 32;

absl::StatusOr<std::string> JsonOf(const google::protobuf::Message& message) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, MessageToSortedJson(message));
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  return CanonicalJson(json);
}

// `said`: the record as the person had it.
template <typename Record>
absl::Status Verify(absl::string_view type, Record said, ByteView public_key) {
  const std::string signature = said.stated().signature();
  if (said.stated().nonce().size() != kNonceBytes) {
    return BadEvidence("statement: no statement of a person");
  }
  said.clear_common();
  said.mutable_stated()->clear_signature();
  const absl::StatusOr<std::string> json = JsonOf(said);
  const absl::StatusOr<crypto::Ed25519PublicKey> key = crypto::ToEd25519PublicKey(public_key);
  if (!json.ok() || !key.ok()) {
    return BadEvidence("statement: nothing that can be checked");
  }
  const std::string text = absl::StrCat("carnet/person-statement/v1\n", type, "\n", *json);
  return crypto::Ed25519Verify(*key, AsBytes(text), AsBytes(signature))
             ? absl::OkStatus()
             : BadEvidence("statement: not signed with this person's key over these facts");
}

}  // namespace

absl::Status VerifyStated(const v1::SupplierRegistered& record, ByteView public_key) {
  return Verify("supplier-registered", record, public_key);
}
absl::Status VerifyStated(const v1::RegionRegistered& record, ByteView public_key) {
  return Verify("region-registered", record, public_key);
}
absl::Status VerifyStated(const v1::DatasetRegistered& record, ByteView public_key) {
  return Verify("dataset-registered", record, public_key);
}
absl::Status VerifyStated(const v1::EvidenceRecorded& record, ByteView public_key) {
  v1::EvidenceRecorded said = record;
  said.clear_evidence_id();
  said.clear_accepted_by();
  return Verify("evidence-recorded", said, public_key);
}
absl::Status VerifyStated(const v1::EvidenceAccepted& record, ByteView public_key) {
  return Verify("evidence-accepted", record, public_key);
}
absl::Status VerifyStated(const v1::CounterOpened& record, ByteView public_key) {
  return Verify("counter-opened", record, public_key);
}
absl::Status VerifyStated(const v1::LocationCleared& record, ByteView public_key) {
  return Verify("location-cleared", record, public_key);
}

absl::StatusOr<Digest> DigestOfItem(v1::EvidenceRecorded item) {
  item.clear_common();
  item.clear_stated();
  item.clear_accepted_by();
  const absl::StatusOr<std::string> json = JsonOf(item);
  if (!json.ok()) {
    return BadEvidence("statement: an item that has no JSON");
  }
  return crypto::Sha256(AsBytes(*json));
}

}  // namespace carnet::ledger::verifier
