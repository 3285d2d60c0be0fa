#include "ledger/person_statement.h"

#include <google/protobuf/message.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/message_json.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/record.h"

namespace carnet::ledger {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kDomain[] = "carnet/person-statement/v1";

absl::StatusOr<std::string> ToCanonicalJson(const Message& message) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, MessageToSortedJson(message));
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  return CanonicalJson(json);
}

// Null: records of that type hold no statement.
v1::PersonStatement* MutableStatement(Message* record) {
  const FieldDescriptor* const field = record->GetDescriptor()->FindFieldByName("stated");
  return field == nullptr ? nullptr
                          : dynamic_cast<v1::PersonStatement*>(
                                record->GetReflection()->MutableMessage(record, field));
}

// Domain, type, and what the person says and is.
absl::StatusOr<std::string> SignedText(const Message& record) {
  const std::unique_ptr<Message> said(record.New());
  said->CopyFrom(record);
  v1::PersonStatement* const stated = MutableStatement(said.get());
  const FieldDescriptor* const common = said->GetDescriptor()->FindFieldByName("common");
  if (stated == nullptr || common == nullptr) {
    return absl::InvalidArgumentError("statement: records of this type hold none");
  }
  stated->clear_signature();
  said->GetReflection()->ClearField(said.get(), common);
  if (auto* const evidence = dynamic_cast<v1::EvidenceRecorded*>(said.get()); evidence != nullptr) {
    evidence->clear_evidence_id();
    evidence->clear_accepted_by();
  }
  CARNET_ASSIGN_OR_RETURN(const std::string json, ToCanonicalJson(*said));
  return absl::StrCat(kDomain, "\n", RecordTypeOf(record), "\n", json);
}

}  // namespace

absl::Status SignPersonStatement(const crypto::Ed25519KeyPair& key, Message* record) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, SignedText(*record));
  MutableStatement(record)->set_signature(ToString(key.Sign(AsBytes(text))));
  return absl::OkStatus();
}

absl::Status VerifyPersonStatement(const Message& record, ByteView public_key) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, SignedText(record));
  const std::unique_ptr<Message> copy(record.New());
  copy->CopyFrom(record);
  const v1::PersonStatement& stated = *MutableStatement(copy.get());
  if (stated.nonce().size() != kStatementNonceBytes) {
    return absl::InvalidArgumentError("statement: its nonce is not 32 bytes");
  }
  CARNET_ASSIGN_OR_RETURN(const crypto::Ed25519PublicKey key,
                          crypto::ToEd25519PublicKey(public_key));
  return crypto::Ed25519Verify(key, AsBytes(text), AsBytes(stated.signature()))
             ? absl::OkStatus()
             : absl::UnauthenticatedError(
                   "statement: the signature is not of this person's key over these facts");
}

absl::StatusOr<Digest> EvidenceItemDigest(const v1::EvidenceRecorded& item) {
  v1::EvidenceRecorded said = item;
  said.clear_common();
  said.clear_stated();
  said.clear_accepted_by();
  CARNET_ASSIGN_OR_RETURN(const std::string json, ToCanonicalJson(said));
  return crypto::Sha256(AsBytes(json));
}

}  // namespace carnet::ledger
