#include "ledger/record.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/message_json.h"
#include "base/status.h"
#include "base/utf8.h"
#include "crypto/hash.h"
#include "ledger/merkle.h"
#include "ledger/stored_record.h"

namespace carnet::ledger {
namespace {

constexpr char kTypePrefix[] = "urn:carnet:";
constexpr char kTypeSuffix[] = ":v1";
// What stands between the parts of a statement that we write.
constexpr absl::string_view kStatementHead =
    R"({"_type":"https://in-toto.io/Statement/v1","predicate":)";
constexpr absl::string_view kStatementMiddle = R"(,"predicateType":"urn:carnet:)";
constexpr absl::string_view kStatementTail = R"(:v1","subject":[)";
constexpr absl::string_view kSubjectHead = R"({"digest":{"sha256":")";
constexpr absl::string_view kSubjectName = R"(,"name":)";
// Subjects of a record whose predicate does not say them.
constexpr std::size_t kFreeSubjectsMax = 3;

absl::Status Bad(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("record: ", why));
}

std::string KebabCase(absl::string_view name) {
  std::string kebab;
  for (const char c : name) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !kebab.empty()) {
      kebab.push_back('-');
    }
    kebab.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
  }
  return kebab;
}

struct TypeEntry {
  SignerKind signer = SignerKind::kCoordinator;
  RecordKind kind = RecordKind::kNone;
  Predicate (*make)() = nullptr;
};

const std::map<std::string, TypeEntry>& Types() {
  static const auto* const types = new std::map<std::string, TypeEntry>{
#define CARNET_TYPE_ENTRY(message, signer_kind)                                                    \
  {KebabCase(v1::message::descriptor()->name()),                                                   \
   {.signer = SignerKind::signer_kind, .kind = RecordKind::k##message, .make = []() -> Predicate { \
      return v1::message();                                                                        \
    }}},
      CARNET_RECORD_TYPES(CARNET_TYPE_ENTRY)
#undef CARNET_TYPE_ENTRY
  };
  return *types;
}

// An empty message of the type, in the place of what was there.
void Renew(const TypeEntry& type, Predicate& predicate) {
  if (predicate.kind() == type.kind) {
    predicate.message().Clear();
  } else {
    predicate = type.make();
  }
}

absl::Status CheckCommon(const v1::Common& common) {
  if (common.nonce().size() != kNonceBytes) {
    return Bad("the nonce is not 32 bytes");
  }
  if (!common.has_at()) {
    return Bad("no time");
  }
  if (!common.request_id().empty() && common.request_id().size() != kRequestIdBytes) {
    return Bad("the request id is not 16 bytes");
  }
  return absl::OkStatus();
}

absl::Status CheckSubjects(const google::protobuf::Message& predicate,
                           const std::vector<Subject>& subjects) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<Subject> derived, SubjectsOf(predicate));
  const auto same_digest = [](const Subject& a, const Subject& b) { return a.sha256 == b.sha256; };
  if (!derived.empty() &&
      !std::equal(derived.begin(), derived.end(), subjects.begin(), subjects.end(), same_digest)) {
    return Bad("the subjects are not those of the predicate");
  }
  if (derived.empty() && (subjects.empty() || subjects.size() > kFreeSubjectsMax)) {
    return Bad("one to three subjects were expected");
  }
  for (const Subject& subject : subjects) {
    if (subject.name.size() > kSubjectNameBytesMax || !IsUtf8(subject.name)) {
      return Bad("the name of a subject is too long, or no UTF-8");
    }
  }
  return subjects.size() > kSubjectsMax ? Bad("too many subjects") : absl::OkStatus();
}

// The one text that a writer makes of them.
absl::StatusOr<std::string> StatementText(const google::protobuf::Message& predicate,
                                          const std::vector<Subject>& subjects) {
  CARNET_ASSIGN_OR_RETURN(const std::string body, MessageToSortedJson(predicate));
  std::string list;
  for (const Subject& subject : subjects) {
    absl::StrAppend(&list, list.empty() ? "" : ",", kSubjectHead, HexEncode(subject.sha256), "\"}");
    if (!subject.name.empty()) {
      absl::StrAppend(&list, kSubjectName);
      if (!AppendJsonString(subject.name, &list)) {
        return Bad("the name of a subject is no UTF-8");
      }
    }
    list.push_back('}');
  }
  // Keys in the order of their bytes.
  return absl::StrCat(kStatementHead, body, kStatementMiddle, RecordTypeOf(predicate),
                      kStatementTail, list, "]}");
}

// Takes `word` off the front of `text`.
bool Take(absl::string_view word, absl::string_view* text) {
  return absl::ConsumePrefix(text, word);
}

// The subjects as StatementText writes them, to the end of the statement.
bool TakeWrittenSubjects(absl::string_view text, std::vector<Subject>* subjects) {
  constexpr std::size_t kHexDigits = 2 * kDigestBytes;
  do {
    Subject subject;
    if (!Take(kSubjectHead, &text) || subjects->size() == kSubjectsMax) {
      return false;
    }
    const absl::StatusOr<Digest> digest = DigestFromHex(text.substr(0, kHexDigits));
    if (!digest.ok()) {
      return false;
    }
    subject.sha256 = *digest;
    text.remove_prefix(kHexDigits);
    if (!Take("\"}", &text) ||
        (Take(kSubjectName, &text) && !TakeJsonString(&text, &subject.name)) || !Take("}", &text)) {
      return false;
    }
    subjects->push_back(std::move(subject));
  } while (Take(",", &text));
  return text == "]}";
}

// Fills type, signer kind, predicate and subjects from a statement in the form that StatementText
// gives it: nearly every statement is. What they held goes. False: in another form, or of no known
// type.
bool TakeWrittenStatement(absl::string_view statement, Record& record) {
  // These bytes stand nowhere in JSON but where these members are: within text, their quotes would
  // be escaped.
  const std::size_t middle = statement.rfind(kStatementMiddle);
  if (middle == absl::string_view::npos || !Take(kStatementHead, &statement)) {
    return false;
  }
  absl::string_view end = statement.substr(middle - kStatementHead.size());
  Take(kStatementMiddle, &end);
  const std::size_t type_size = end.find(kStatementTail);
  if (type_size == absl::string_view::npos) {
    return false;
  }
  const auto entry = Types().find(std::string(end.substr(0, type_size)));
  if (entry == Types().end()) {
    return false;
  }
  end.remove_prefix(type_size + kStatementTail.size());
  record.type = entry->first;
  record.signer_kind = entry->second.signer;
  record.subjects.clear();
  Renew(entry->second, record.predicate);
  // One object is open around the predicate.
  return TakeSortedJson(&statement, &record.predicate.message(), 1) &&
         statement.size() ==
             end.size() + kStatementTail.size() + type_size + kStatementMiddle.size() &&
         TakeWrittenSubjects(end, &record.subjects);
}

absl::StatusOr<std::vector<Subject>> ParseSubjects(const nlohmann::json& list) {
  if (!list.is_array() || list.size() > kSubjectsMax) {
    return Bad("no list of subjects");
  }
  std::vector<Subject> subjects;
  for (const nlohmann::json& entry : list) {
    const auto digest = entry.is_object() ? entry.find("digest") : entry.end();
    if (!entry.is_object() || digest == entry.end() || !digest->is_object()) {
      return Bad("a subject without a digest");
    }
    const auto sha256 = digest->find("sha256");
    if (sha256 == digest->end() || !sha256->is_string()) {
      return Bad("a subject without a SHA-256");
    }
    const absl::StatusOr<Digest> value = DigestFromHex(sha256->get_ref<const std::string&>());
    if (!value.ok()) {
      return Bad("a subject whose SHA-256 is not 64 hex digits");
    }
    Subject subject{.name = {}, .sha256 = *value};
    if (const auto name = entry.find("name"); name != entry.end() && name->is_string()) {
      subject.name = name->get<std::string>();
    }
    subjects.push_back(std::move(subject));
  }
  return subjects;
}

// The text of a member, empty where there is none.
std::string TextOf(const nlohmann::json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

// The same from any JSON that says it.
absl::Status ParseStatement(absl::string_view statement, Record& record, std::string* spelled) {
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(statement, kStatementBytesMax));
  if (!json.is_object() || TextOf(json, "_type") != kStatementType || !json.contains("predicate") ||
      !json.contains("subject")) {
    return Bad("not an in-toto Statement v1");
  }
  const std::string full_type = TextOf(json, "predicateType");
  absl::string_view type = full_type;
  if (!absl::ConsumePrefix(&type, kTypePrefix) || !absl::ConsumeSuffix(&type, kTypeSuffix)) {
    return Bad("no type, or of another version");
  }
  const auto entry = Types().find(std::string(type));
  if (entry == Types().end()) {
    return Bad("an unknown type");
  }
  record.type = entry->first;
  record.signer_kind = entry->second.signer;
  record.predicate = entry->second.make();
  CARNET_RETURN_IF_ERROR(FillFromJson(json["predicate"], &record.predicate.message()));
  CARNET_ASSIGN_OR_RETURN(record.subjects, ParseSubjects(json["subject"]));
  *spelled = json.dump();
  return absl::OkStatus();
}

// Fills type, signer kind, predicate and subjects, and refuses any text that the writer would not
// have written.
absl::Status ReadStatement(absl::string_view statement, Record& record) {
  if (statement.size() > kStatementBytesMax) {
    return Bad("the statement is over 1 MiB");
  }
  // White space between its tokens is its signer's affair.
  std::string without_space;
  if (!TakeWrittenStatement(statement, record)) {
    record = Record();
    CARNET_RETURN_IF_ERROR(ParseStatement(statement, record, &without_space));
  }
  const google::protobuf::Message& message = record.predicate.message();
  CARNET_RETURN_IF_ERROR(CheckCommon(CommonOf(record.predicate)));
  CARNET_RETURN_IF_ERROR(CheckSubjects(message, record.subjects));
  // Members that nobody read, and other spellings of a value, show here: the statement does not
  // come back.
  CARNET_ASSIGN_OR_RETURN(const std::string again, StatementText(message, record.subjects));
  return again == statement || again == without_space
             ? absl::OkStatus()
             : Bad("not in the form that its writer gives it");
}

// The same of a statement that passed it before.
absl::Status ReadKnownStatement(absl::string_view statement, Record& record) {
  if (statement.size() > kStatementBytesMax) {
    return Bad("the statement is over 1 MiB");
  }
  if (TakeWrittenStatement(statement, record)) {
    return absl::OkStatus();
  }
  record = Record();
  std::string ignored;
  return ParseStatement(statement, record, &ignored);
}

absl::Status AddSigner(const v1::SignedRecord& record, Record& opened) {
  CARNET_ASSIGN_OR_RETURN(opened.signer, crypto::ToEd25519PublicKey(AsBytes(record.public_key())));
  return absl::OkStatus();
}

}  // namespace

std::string RecordTypeOf(const google::protobuf::Message& predicate) {
  const google::protobuf::Descriptor* descriptor = predicate.GetDescriptor();
  std::string type = KebabCase(descriptor->name());
  return descriptor->file() == v1::Genesis::descriptor()->file() && Types().count(type) == 1
             ? type
             : std::string();
}

const v1::Common& CommonOf(const Predicate& predicate) {
  return Visit(predicate,
               [](const auto& message) -> const v1::Common& { return message.common(); });
}

absl::StatusOr<std::string> MakeStatement(const google::protobuf::Message& predicate,
                                          const std::vector<Subject>& subjects) {
  if (RecordTypeOf(predicate).empty()) {
    return Bad("no such type");
  }
  const google::protobuf::FieldDescriptor* field =
      predicate.GetDescriptor()->FindFieldByName("common");
  CARNET_RETURN_IF_ERROR(CheckCommon(
      dynamic_cast<const v1::Common&>(predicate.GetReflection()->GetMessage(predicate, field))));
  std::vector<Subject> named = subjects;
  if (named.empty()) {
    CARNET_ASSIGN_OR_RETURN(named, SubjectsOf(predicate));
  }
  CARNET_RETURN_IF_ERROR(CheckSubjects(predicate, named));
  CARNET_ASSIGN_OR_RETURN(std::string statement, StatementText(predicate, named));
  if (statement.size() > kStatementBytesMax) {
    return absl::ResourceExhaustedError("record: the statement is over 1 MiB");
  }
  return statement;
}

v1::SignedRecord SignRecord(std::string statement, const crypto::Ed25519KeyPair& key) {
  v1::SignedRecord record;
  record.set_signature(ToString(key.Sign(PreAuthEncoding(kPayloadType, statement))));
  record.set_public_key(ToString(key.public_key()));
  record.set_statement(std::move(statement));
  return record;
}

absl::Status VerifyRecordSignature(const v1::SignedRecord& record) {
  const auto key = crypto::ToEd25519PublicKey(AsBytes(record.public_key()));
  if (!key.ok() || record.signature().size() != crypto::kEd25519SignatureBytes) {
    return Bad("the key or the signature has a wrong length");
  }
  if (!crypto::Ed25519Verify(*key, PreAuthEncoding(kPayloadType, record.statement()),
                             AsBytes(record.signature()))) {
    return absl::UnauthenticatedError("record: the signature does not verify");
  }
  return absl::OkStatus();
}

absl::StatusOr<CheckedRecord> CheckRecord(const v1::SignedRecord& record) {
  // Nothing of a statement is looked at before its signature holds.
  CARNET_RETURN_IF_ERROR(VerifyRecordSignature(record));
  CheckedRecord checked;
  CARNET_RETURN_IF_ERROR(ReadStatement(record.statement(), checked.record));
  CARNET_ASSIGN_OR_RETURN(checked.entry, LeafEntry(record));
  checked.record.leaf_hash = LeafHash(AsBytes(checked.entry));
  CARNET_RETURN_IF_ERROR(AddSigner(record, checked.record));
  return checked;
}

absl::StatusOr<Record> OpenRecord(const v1::SignedRecord& record) {
  CARNET_ASSIGN_OR_RETURN(CheckedRecord checked, CheckRecord(record));
  return std::move(checked.record);
}

absl::StatusOr<Record> OpenVerifiedRecord(const v1::SignedRecord& record) {
  CARNET_ASSIGN_OR_RETURN(const std::string entry, LeafEntry(record));
  Record opened;
  CARNET_RETURN_IF_ERROR(OpenStoredRecord(record, LeafHash(AsBytes(entry)), opened));
  return opened;
}

absl::Status OpenStoredRecord(const v1::SignedRecord& record, const Digest& leaf_hash,
                              Record& opened) {
  CARNET_RETURN_IF_ERROR(ReadKnownStatement(record.statement(), opened));
  opened.leaf_hash = leaf_hash;
  return AddSigner(record, opened);
}

}  // namespace carnet::ledger
