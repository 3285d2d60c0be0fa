// The outer forms of a record: DSSE envelope and leaf.
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/record.h"

namespace carnet::ledger {
namespace {

// Base64 of the largest statement, and the rest of an envelope.
constexpr std::size_t kEnvelopeBytesMax = kStatementBytesMax / 3 * 4 + 4096;

absl::Status BadEnvelope(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("envelope: ", why));
}

std::string KeyIdOf(const crypto::Ed25519PublicKey& key) {
  return HexEncode(crypto::Sha256(crypto::Ed25519SpkiEncode(key)));
}

// Member `key`, or null.
const nlohmann::json* Find(const nlohmann::json& object, const char* key) {
  const auto member = object.find(key);
  return member == object.end() ? nullptr : &*member;
}

bool Says(const nlohmann::json* value, absl::string_view text) {
  return value != nullptr && value->is_string() && value->get_ref<const std::string&>() == text;
}

absl::StatusOr<std::string> DecodedMember(const nlohmann::json* value) {
  if (value == nullptr || !value->is_string()) {
    return BadEnvelope("a member is missing or no text");
  }
  const absl::StatusOr<Bytes> bytes = Base64Decode(value->get_ref<const std::string&>());
  if (!bytes.ok()) {
    return BadEnvelope("a member is not base64");
  }
  return ToString(*bytes);
}

}  // namespace

Bytes PreAuthEncoding(absl::string_view payload_type, absl::string_view body) {
  const std::string head =
      absl::StrCat("DSSEv1 ", payload_type.size(), " ", payload_type, " ", body.size(), " ");
  Bytes encoding;
  encoding.reserve(head.size() + body.size());
  // As bytes, which are copied as a whole; chars would be one by one.
  for (const ByteView part : {AsBytes(head), AsBytes(body)}) {
    encoding.insert(encoding.end(), part.begin(), part.end());
  }
  return encoding;
}

absl::StatusOr<std::string> LeafEntry(const v1::SignedRecord& record) {
  const auto key = crypto::ToEd25519PublicKey(AsBytes(record.public_key()));
  if (!key.ok() || record.signature().size() != crypto::kEd25519SignatureBytes) {
    return absl::InvalidArgumentError("record: the key or the signature has a wrong length");
  }
  if (record.statement().empty() || record.statement().size() > kStatementBytesMax) {
    return absl::InvalidArgumentError("record: the statement is empty or over 1 MiB");
  }
  const Digest digest = crypto::Sha256(PreAuthEncoding(kPayloadType, record.statement()));
  // Keys in the order of RFC 8785, and no character that it would escape.
  std::string entry = absl::StrCat(
      R"({"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":")",
      Base64Encode(digest), R"("},"signature":{"content":")",
      Base64Encode(AsBytes(record.signature())),
      R"(","verifier":{"keyDetails":"PKIX_ED25519","publicKey":{"rawBytes":")",
      Base64Encode(crypto::Ed25519SpkiEncode(*key)), R"("}}}}}})");
  CARNET_CHECK(entry.size() <= kLeafBytesMax);
  return entry;
}

std::string EnvelopeJson(const v1::SignedRecord& record) {
  const auto key = crypto::ToEd25519PublicKey(AsBytes(record.public_key()));
  const std::string key_id =
      key.ok() ? absl::StrCat(R"("keyid":")", KeyIdOf(*key), R"(",)") : std::string();
  return absl::StrCat(R"({"payload":")", Base64Encode(AsBytes(record.statement())),
                      R"(","payloadType":")", kPayloadType, R"(","signatures":[{)", key_id,
                      R"("sig":")", Base64Encode(AsBytes(record.signature())), R"("}]})");
}

absl::StatusOr<v1::SignedRecord> ParseEnvelope(absl::string_view json,
                                               const crypto::Ed25519PublicKey& public_key) {
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json envelope, ParseJson(json, kEnvelopeBytesMax));
  if (!envelope.is_object() || envelope.size() != 3 ||
      !Says(Find(envelope, "payloadType"), kPayloadType)) {
    return BadEnvelope("not a DSSE envelope of an in-toto statement");
  }
  const nlohmann::json* signatures = Find(envelope, "signatures");
  if (signatures == nullptr || !signatures->is_array() || signatures->size() != 1 ||
      !(*signatures)[0].is_object()) {
    return BadEnvelope("exactly one signature was expected");
  }
  const nlohmann::json& signature = (*signatures)[0];
  const nlohmann::json* key_id = Find(signature, "keyid");
  if (signature.size() != (key_id == nullptr ? 1u : 2u) ||
      (key_id != nullptr && !Says(key_id, KeyIdOf(public_key)))) {
    return BadEnvelope("the signature is of another key, or holds unknown members");
  }
  v1::SignedRecord record;
  CARNET_ASSIGN_OR_RETURN(*record.mutable_statement(), DecodedMember(Find(envelope, "payload")));
  CARNET_ASSIGN_OR_RETURN(*record.mutable_signature(), DecodedMember(Find(signature, "sig")));
  record.set_public_key(ToString(public_key));
  if (record.statement().empty() || record.statement().size() > kStatementBytesMax ||
      record.signature().size() != crypto::kEd25519SignatureBytes) {
    return BadEnvelope("a payload or signature of a wrong length");
  }
  return record;
}

}  // namespace carnet::ledger
