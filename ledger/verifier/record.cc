#include "ledger/verifier/record.h"

#include <google/protobuf/descriptor.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/message_json.h"
#include "base/status.h"
#include "carnet/v1/records.pb.h"
#include "crypto/hash.h"
#include "ledger/verifier/errors.h"
#include "ledger/verifier/merkle.h"

namespace carnet::ledger::verifier {
namespace {

constexpr std::size_t kStatementBytesMax = std::size_t{1} << 20;
constexpr std::size_t kSubjectsMax = 1024;
constexpr std::size_t kOpenSubjectsMax = 3;
const absl::string_view kPayloadType = "application/vnd.in-toto+json";

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status Bad(absl::string_view why) {
  return BadEvidence(absl::StrCat("record: ", why));
}

// What the subject of a type is, as docs/formats.md lists it. Types that are not here name one to
// three artifacts that the predicate does not hold.
enum class Rule { kDigestField, kHashOfField, kHashOfEach, kHashOfPredicate, kHashOfEachMessage };
struct SubjectRule {
  Rule rule;
  std::vector<std::string> fields;
};
const std::map<std::string, SubjectRule>& SubjectRules() {
  static const auto* const rules = new std::map<std::string, SubjectRule>{
      {"user-enrolled", {Rule::kHashOfField, {"public_key"}}},
      {"user-invited", {Rule::kDigestField, {"token_sha256"}}},
      {"user-role-changed", {Rule::kHashOfField, {"public_key"}}},
      {"user-revoked", {Rule::kHashOfField, {"public_key"}}},
      {"approval", {Rule::kDigestField, {"subject_sha256"}}},
      {"policy-proposed", {Rule::kDigestField, {"bundle_sha256"}}},
      {"policy-examined", {Rule::kDigestField, {"bundle_sha256"}}},
      {"policy-activated", {Rule::kDigestField, {"bundle_sha256"}}},
      {"policy-withdrawn", {Rule::kDigestField, {"bundle_sha256"}}},
      {"supplier-registered", {Rule::kHashOfPredicate, {}}},
      {"region-registered", {Rule::kHashOfPredicate, {}}},
      {"dataset-registered", {Rule::kHashOfPredicate, {}}},
      {"evidence-recorded", {Rule::kDigestField, {"document_sha256"}}},
      {"evidence-accepted", {Rule::kDigestField, {"document_sha256"}}},
      {"worker-invited", {Rule::kDigestField, {"token_sha256"}}},
      {"shard-staged", {Rule::kDigestField, {"sha256"}}},
      {"key-created", {Rule::kHashOfField, {"key_id"}}},
      {"key-destruction-ordered", {Rule::kHashOfEach, {"key_ids"}}},
      {"key-destroyed", {Rule::kHashOfEach, {"key_ids"}}},
      {"key-rotated", {Rule::kHashOfField, {"new_public_key"}}},
      {"shard-withdrawn", {Rule::kDigestField, {"sha256"}}},
      {"transfer-cut", {Rule::kHashOfField, {"ticket_id"}}},
      {"key-retained", {Rule::kHashOfField, {"key_id"}}},
      {"release", {Rule::kDigestField, {"model_sha256"}}},
      {"log-read", {Rule::kHashOfField, {"reader"}}},
      {"bridge-verdict", {Rule::kHashOfField, {"input"}}},
      {"erasure-done", {Rule::kHashOfField, {"vault_id"}}},
      {"job-submitted", {Rule::kDigestField, {"spec_sha256"}}},
      {"round-opened", {Rule::kDigestField, {"model_sha256"}}},
      {"contribution", {Rule::kDigestField, {"sealed_sha256"}}},
      // The first of them that is there.
      {"contribution-rejected", {Rule::kDigestField, {"statement_sha256", "sealed_sha256"}}},
      {"aggregate", {Rule::kDigestField, {"model_sha256"}}},
      {"evaluation-opened", {Rule::kDigestField, {"model_sha256"}}},
      {"evaluation", {Rule::kDigestField, {"model_sha256"}}},
      {"refusal", {Rule::kHashOfEachMessage, {"decisions"}}},
      {"counter-opened", {Rule::kHashOfPredicate, {}}},
      {"people-counted", {Rule::kHashOfPredicate, {}}},
      {"obligation-due", {Rule::kHashOfPredicate, {}}},
      {"obligation-met", {Rule::kDigestField, {"document_sha256"}}},
      {"obligation-late", {Rule::kHashOfField, {"obligation_id"}}},
  };
  return *rules;
}

absl::StatusOr<Digest> HashOfJson(const Message& message) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, MessageToSortedJson(message));
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  CARNET_ASSIGN_OR_RETURN(const std::string canonical, CanonicalJson(json));
  return crypto::Sha256(AsBytes(canonical));
}

std::string TextField(const Message& message, const std::string& name) {
  return message.GetReflection()->GetString(message,
                                            message.GetDescriptor()->FindFieldByName(name));
}

// The subjects of types whose rule is more than one field.
absl::StatusOr<std::vector<Digest>> SpecialSubjects(const Message& predicate) {
  if (const auto* genesis = dynamic_cast<const v1::Genesis*>(&predicate); genesis != nullptr) {
    const absl::StatusOr<VerifierKey> key = ParseVerifierKey(genesis->log_vkey());
    if (!key.ok()) {
      return Bad("genesis names no log key");
    }
    return std::vector<Digest>{crypto::Sha256(key->public_key)};
  }
  if (const auto* worker = dynamic_cast<const v1::WorkerEnrolled*>(&predicate); worker != nullptr) {
    const absl::StatusOr<Digest> tls = ToDigest(AsBytes(worker->tls_spki_sha256()));
    if (!tls.ok()) {
      return Bad("a digest of another length");
    }
    return std::vector<Digest>{*tls, crypto::Sha256(AsBytes(worker->statement_public_key())),
                               crypto::Sha256(AsBytes(worker->wrapping_public_key()))};
  }
  return std::vector<Digest>();
}

absl::StatusOr<std::vector<Digest>> RuledSubjects(const SubjectRule& rule,
                                                  const Message& predicate) {
  const google::protobuf::Reflection& reflection = *predicate.GetReflection();
  std::vector<Digest> digests;
  if (rule.rule == Rule::kHashOfPredicate) {
    CARNET_ASSIGN_OR_RETURN(const Digest digest, HashOfJson(predicate));
    return std::vector<Digest>{digest};
  }
  if (rule.rule == Rule::kDigestField) {
    for (const std::string& field : rule.fields) {
      const std::string value = TextField(predicate, field);
      if (value.empty() && &field != &rule.fields.back()) {
        continue;
      }
      if (value.empty() && rule.fields.size() > 1) {
        return digests;
      }
      const absl::StatusOr<Digest> digest = ToDigest(AsBytes(value));
      return digest.ok() ? absl::StatusOr<std::vector<Digest>>(std::vector<Digest>{*digest})
                         : Bad("a digest of another length");
    }
  }
  if (rule.rule == Rule::kHashOfField) {
    return std::vector<Digest>{crypto::Sha256(AsBytes(TextField(predicate, rule.fields[0])))};
  }
  const FieldDescriptor* list = predicate.GetDescriptor()->FindFieldByName(rule.fields[0]);
  for (int i = 0; i < reflection.FieldSize(predicate, list); ++i) {
    if (rule.rule == Rule::kHashOfEach) {
      digests.push_back(crypto::Sha256(AsBytes(reflection.GetRepeatedString(predicate, list, i))));
    } else {
      CARNET_ASSIGN_OR_RETURN(const Digest digest,
                              HashOfJson(reflection.GetRepeatedMessage(predicate, list, i)));
      digests.push_back(digest);
    }
  }
  return digests.empty() ? Bad("nothing that it could be about")
                         : absl::StatusOr<std::vector<Digest>>(digests);
}

absl::Status CheckSubjects(const VerifiedRecord& record) {
  CARNET_ASSIGN_OR_RETURN(std::vector<Digest> expected, SpecialSubjects(*record.predicate));
  if (const auto rule = SubjectRules().find(record.type); rule != SubjectRules().end()) {
    CARNET_ASSIGN_OR_RETURN(expected, RuledSubjects(rule->second, *record.predicate));
  }
  if (expected.empty()) {
    return record.subjects.empty() || record.subjects.size() > kOpenSubjectsMax
               ? Bad("no subject, or too many")
               : absl::OkStatus();
  }
  return record.subjects == expected ? absl::OkStatus()
                                     : Bad("its subjects are not what its predicate is about");
}

absl::Status CheckCommon(const VerifiedRecord& record) {
  const Message& predicate = *record.predicate;
  const FieldDescriptor* field = predicate.GetDescriptor()->FindFieldByName("common");
  const auto& common =
      dynamic_cast<const v1::Common&>(predicate.GetReflection()->GetMessage(predicate, field));
  const bool request = common.request_id().empty() || common.request_id().size() == 16;
  return common.nonce().size() == 32 && common.has_at() && request
             ? absl::OkStatus()
             : Bad("a nonce, time or request id is not as due");
}

// The message of `urn:carnet:<type>:v1`, or null: one of records.proto that starts with `common`.
const Descriptor* MessageOfType(absl::string_view type) {
  std::string name;
  bool upper = true;
  for (const char c : type) {
    if (c == '-') {
      upper = true;
    } else if (c >= 'a' && c <= 'z') {
      name.push_back(upper ? absl::ascii_toupper(static_cast<unsigned char>(c)) : c);
      upper = false;
    } else {
      return nullptr;
    }
  }
  const Descriptor* found = v1::Genesis::descriptor()->file()->FindMessageTypeByName(name);
  const FieldDescriptor* common = found == nullptr ? nullptr : found->FindFieldByNumber(1);
  const bool record = common != nullptr && common->message_type() == v1::Common::descriptor();
  // "-a" and "a" would be the same message.
  return record && !absl::StartsWith(type, "-") && !absl::EndsWith(type, "-") &&
                 !absl::StrContains(type, "--")
             ? found
             : nullptr;
}

absl::StatusOr<std::vector<Digest>> ReadSubjects(const nlohmann::json& list) {
  if (!list.is_array() || list.size() > kSubjectsMax) {
    return Bad("no list of subjects");
  }
  std::vector<Digest> digests;
  for (const nlohmann::json& subject : list) {
    const bool named = subject.is_object() && subject.contains("name");
    if (!subject.is_object() || subject.size() != (named ? 2u : 1u) ||
        (named && !subject["name"].is_string()) || !subject.contains("digest") ||
        !subject["digest"].is_object() || subject["digest"].size() != 1 ||
        !subject["digest"].contains("sha256") || !subject["digest"]["sha256"].is_string()) {
      return Bad("a subject is not a name and a SHA-256");
    }
    const absl::StatusOr<Digest> digest =
        DigestFromHex(subject["digest"]["sha256"].get_ref<const std::string&>());
    if (!digest.ok()) {
      return Bad("a subject's SHA-256 is not 64 hex digits");
    }
    digests.push_back(*digest);
  }
  return digests;
}

// The same of a list as nearly all are written: of each subject its digest, then its name. False:
// another form, or nothing that would pass.
bool ReadUsualSubjects(absl::string_view list, std::vector<Digest>* digests) {
  constexpr std::size_t kHexDigits = 2 * kDigestBytes;
  if (!absl::ConsumePrefix(&list, "[")) {
    return false;
  }
  do {
    if (!absl::ConsumePrefix(&list, R"({"digest":{"sha256":")") ||
        digests->size() == kSubjectsMax) {
      return false;
    }
    const absl::StatusOr<Digest> digest = DigestFromHex(list.substr(0, kHexDigits));
    if (!digest.ok()) {
      return false;
    }
    digests->push_back(*digest);
    list.remove_prefix(kHexDigits);
    std::string name;
    if (!absl::ConsumePrefix(&list, "\"}") ||
        (absl::ConsumePrefix(&list, R"(,"name":)") && !TakeJsonString(&list, &name)) ||
        !absl::ConsumePrefix(&list, "}")) {
      return false;
    }
  } while (absl::ConsumePrefix(&list, ","));
  return list == "]";
}

absl::StatusOr<std::shared_ptr<const Message>> ReadPredicate(const Descriptor* type,
                                                             const nlohmann::json& json) {
  std::shared_ptr<Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (!FillFromJson(json, message.get()).ok()) {
    return Bad("its predicate is not of its type");
  }
  // One spelling for one value: what does not come back the same had unknown or doubled names in
  // it.
  CARNET_ASSIGN_OR_RETURN(const std::string again, MessageToSortedJson(*message));
  if (again != json.dump()) {  // As text: 3 and 3.0 are equal values.
    return Bad("its predicate is not spelled as proto3 JSON prints it");
  }
  return std::shared_ptr<const Message>(std::move(message));
}

// The text between `before` and `after` at the ends of `text`.
bool TakeEnds(absl::string_view before, absl::string_view after, absl::string_view* text) {
  return absl::ConsumePrefix(text, before) && absl::ConsumeSuffix(text, after);
}

// The type in "urn:carnet:<type>:v1".
absl::StatusOr<std::string> TypeIn(absl::string_view full) {
  if (!TakeEnds("urn:carnet:", ":v1", &full) || full.empty()) {
    return Bad("its type or version is unknown");
  }
  return std::string(full);
}

// A statement in the form that nearly all have: its four members in order, without white space,
// and a predicate as proto3 JSON prints it with its names in order. Takes a tenth of the time of
// what follows. False: another form, or nothing that would pass.
bool ReadUsualStatement(absl::string_view statement, VerifiedRecord& record) {
  constexpr absl::string_view kType = R"(,"predicateType":")";
  constexpr absl::string_view kSubject = R"(","subject":)";
  if (!TakeEnds(R"({"_type":"https://in-toto.io/Statement/v1","predicate":)", "}", &statement)) {
    return false;
  }
  const std::size_t end = statement.rfind(kType);
  if (end == absl::string_view::npos) {
    return false;
  }
  const absl::string_view predicate = statement.substr(0, end);
  const absl::string_view rest = statement.substr(end + kType.size());
  const std::size_t subject = rest.find(kSubject);
  const absl::StatusOr<std::string> type = TypeIn(rest.substr(0, subject));
  const Descriptor* descriptor = type.ok() ? MessageOfType(*type) : nullptr;
  if (subject == absl::string_view::npos || descriptor == nullptr) {
    return false;
  }
  std::shared_ptr<Message> message(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
  absl::string_view left = predicate;
  // The statement's own object is open around it.
  if (!TakeSortedJson(&left, message.get(), 1) || !left.empty()) {
    return false;
  }
  const absl::StatusOr<std::string> again = MessageToSortedJson(*message);
  std::vector<Digest> subjects;
  if (!again.ok() || *again != predicate ||
      !ReadUsualSubjects(rest.substr(subject + kSubject.size()), &subjects)) {
    return false;
  }
  record.type = *type;
  record.predicate = std::move(message);
  record.subjects = std::move(subjects);
  return true;
}

absl::Status ReadAnyStatement(absl::string_view statement, VerifiedRecord& record) {
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(statement, kStatementBytesMax);
  if (!parsed.ok() || !parsed->is_object() || parsed->size() != 4 || !parsed->contains("_type") ||
      !parsed->contains("subject") || !parsed->contains("predicateType") ||
      !parsed->contains("predicate") || (*parsed)["_type"] != "https://in-toto.io/Statement/v1" ||
      !(*parsed)["predicateType"].is_string()) {
    return Bad("not an in-toto Statement v1");
  }
  CARNET_ASSIGN_OR_RETURN(record.type,
                          TypeIn((*parsed)["predicateType"].get_ref<const std::string&>()));
  const Descriptor* descriptor = MessageOfType(record.type);
  if (descriptor == nullptr) {
    return Bad("its type is unknown");
  }
  CARNET_ASSIGN_OR_RETURN(record.predicate, ReadPredicate(descriptor, (*parsed)["predicate"]));
  CARNET_ASSIGN_OR_RETURN(record.subjects, ReadSubjects((*parsed)["subject"]));
  return absl::OkStatus();
}

absl::Status ReadStatement(absl::string_view statement, VerifiedRecord& record) {
  if (!ReadUsualStatement(statement, record)) {
    CARNET_RETURN_IF_ERROR(ReadAnyStatement(statement, record));
  }
  CARNET_RETURN_IF_ERROR(CheckCommon(record));
  return CheckSubjects(record);
}

// Rekor's hashedrekord 0.0.2 in the order of RFC 8785; no text in it needs to be escaped.
std::string LeafOf(const Digest& pae_sha256, const std::string& signature,
                   const crypto::Ed25519PublicKey& key) {
  return absl::StrCat(R"({"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{)",
                      R"("data":{"algorithm":"SHA2_256","digest":")", Base64Encode(pae_sha256),
                      R"("},"signature":{"content":")", Base64Encode(AsBytes(signature)),
                      R"(","verifier":{"keyDetails":"PKIX_ED25519","publicKey":{"rawBytes":")",
                      Base64Encode(crypto::Ed25519SpkiEncode(key)), R"("}}}}}})");
}

}  // namespace

absl::StatusOr<VerifiedRecord> VerifyRecord(const v1::SignedRecord& record) {
  const absl::StatusOr<crypto::Ed25519PublicKey> key =
      crypto::ToEd25519PublicKey(AsBytes(record.public_key()));
  const std::string& statement = record.statement();
  if (!key.ok() || record.signature().size() != 64 || statement.empty() ||
      statement.size() > kStatementBytesMax) {
    return Bad("its statement, signature or key has a wrong length");
  }
  const std::string pae = absl::StrCat("DSSEv1 ", kPayloadType.size(), " ", kPayloadType, " ",
                                       statement.size(), " ", statement);
  if (!crypto::Ed25519Verify(*key, AsBytes(pae), AsBytes(record.signature()))) {
    return Bad("its signature does not verify");
  }
  VerifiedRecord verified;
  CARNET_RETURN_IF_ERROR(ReadStatement(statement, verified));
  verified.public_key = ToBytes(record.public_key());
  verified.leaf = LeafOf(crypto::Sha256(AsBytes(pae)), record.signature(), *key);
  verified.leaf_hash = HashLeaf(AsBytes(verified.leaf));
  return verified;
}

absl::Status VerifyInclusionProof(const Digest& leaf_hash, const v1::InclusionProof& proof,
                                  const TreeHead& head) {
  if (proof.tree_size() != head.size ||
      static_cast<std::size_t>(proof.hashes_size()) > kProofHashesMax) {
    return BadEvidence("inclusion proof: it is for another head");
  }
  std::vector<Digest> path;
  for (const std::string& hash : proof.hashes()) {
    const absl::StatusOr<Digest> digest = ToDigest(AsBytes(hash));
    if (!digest.ok()) {
      return BadEvidence("inclusion proof: a hash is not 32 bytes");
    }
    path.push_back(*digest);
  }
  return VerifyInclusion(leaf_hash, proof.index(), head.size, path, head.root);
}

absl::StatusOr<VerifiedRecord> VerifyProvenRecord(const v1::ProvenRecord& record,
                                                  const TreeHead& head) {
  CARNET_ASSIGN_OR_RETURN(VerifiedRecord verified, VerifyRecord(record.record()));
  CARNET_RETURN_IF_ERROR(VerifyInclusionProof(verified.leaf_hash, record.proof(), head));
  return verified;
}

}  // namespace carnet::ledger::verifier
