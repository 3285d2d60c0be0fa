// Records: in-toto Statements v1 in DSSE envelopes with one Ed25519 signature, and the leaf that
// the log keeps of each (docs/formats.md). Pure and thread-safe.
#ifndef CARNET_LEDGER_RECORD_H_
#define CARNET_LEDGER_RECORD_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "carnet/v1/ledger.pb.h"
#include "crypto/ed25519.h"
#include "ledger/predicate.h"
#include "ledger/record_types.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace carnet::ledger {

inline constexpr std::size_t kStatementBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kLeafBytesMax = std::size_t{4} * 1024;
inline constexpr std::size_t kSubjectsMax = 1024;
inline constexpr std::size_t kSubjectNameBytesMax = 256;
inline constexpr std::size_t kNonceBytes = 32;
inline constexpr std::size_t kRequestIdBytes = 16;
inline constexpr char kPayloadType[] = "application/vnd.in-toto+json";
inline constexpr char kStatementType[] = "https://in-toto.io/Statement/v1";

// What a record is about: an artifact by its SHA-256. The name is for readers; matching is by
// digest alone.
struct Subject {
  std::string name;
  Digest sha256{};
  bool operator==(const Subject&) const = default;
};

// A record that was opened: its signature verifies and every rule below holds. Who owns `signer` is
// for the caller.
struct Record {
  std::string type;  // "round-opened"
  SignerKind signer_kind = SignerKind::kCoordinator;
  crypto::Ed25519PublicKey signer{};
  std::vector<Subject> subjects;
  Predicate predicate;
  Digest leaf_hash{};

  // The predicate as a T. Null: another type.
  template <typename T>
  const T* As() const {
    return predicate.As<T>();
  }
};

// "round-opened" for v1::RoundOpened; "" for a message that is no record.
std::string RecordTypeOf(const google::protobuf::Message& predicate);
// The predicate's `common`. Precondition: its kind is not kNone.
const v1::Common& CommonOf(const Predicate& predicate);

// The subjects that follow from a predicate, in the order in which they must stand. Empty for the
// types whose subject is something that the predicate does not hold (evidence-expired,
// worker-revoked, staging-*, job-started/-completed/ -stopped, round-closed, round-abandoned,
// evaluation-abandoned, task-failed, clock-accepted): their writer names one to three itself.
// Errors: INVALID_ARGUMENT a digest or key in the predicate has another length, or no record
// message.
absl::StatusOr<std::vector<Subject>> SubjectsOf(const google::protobuf::Message& predicate);

// The statement: JSON without white space and with sorted keys, of {_type, subject,
// predicateType "urn:carnet:<type>:v1", predicate}. Not RFC 8785: its way to write a large double
// reads back as an integer.
// subjects: empty to take SubjectsOf; for types where they follow from the predicate, anything
// else is refused.
// Errors: INVALID_ARGUMENT no record message, a nonce that is not 32 bytes, no `at`, a request id
// that is neither absent nor 16 bytes, missing or wrong subjects. RESOURCE_EXHAUSTED over
// kStatementBytesMax.
absl::StatusOr<std::string> MakeStatement(const google::protobuf::Message& predicate,
                                          const std::vector<Subject>& subjects = {});

// DSSE PAE (protocol.md v1.0.2): "DSSEv1 <n> <type> <n> <body>".
Bytes PreAuthEncoding(absl::string_view payload_type, absl::string_view body);

v1::SignedRecord SignRecord(std::string statement, const crypto::Ed25519KeyPair& key);

// Whether the signature is the key's over the PAE of the statement. Errors: INVALID_ARGUMENT wrong
// lengths. UNAUTHENTICATED it does not verify.
absl::Status VerifyRecordSignature(const v1::SignedRecord& record);

// Verifies and parses, strictly: signature; canonical-form-independent JSON (unknown, repeated,
// camelCase keys and nulls refused at every depth); closed types and version; subjects as
// SubjectsOf says; bounds; nonce, at and request id as in MakeStatement. Errors: INVALID_ARGUMENT,
// UNAUTHENTICATED (signature). Do not retry.
absl::StatusOr<Record> OpenRecord(const v1::SignedRecord& record);

// The same for a statement whose signature was verified before (it is in the log, which took it by
// OpenRecord).
absl::StatusOr<Record> OpenVerifiedRecord(const v1::SignedRecord& record);

// The leaf: canonical JSON of a Rekor hashedrekord 0.0.2 entry (SHA-256 of the PAE, signature,
// SPKI). Error INVALID_ARGUMENT: wrong lengths, or a statement that is empty or over
// kStatementBytesMax.
absl::StatusOr<std::string> LeafEntry(const v1::SignedRecord& record);

// The DSSE envelope as JSON, and back. Strict: one signature, canonical base64, payloadType as
// above, keyid absent or the hex SHA-256 of the public key's SPKI. The public key is not in an
// envelope: the reader brings it.
std::string EnvelopeJson(const v1::SignedRecord& record);
absl::StatusOr<v1::SignedRecord> ParseEnvelope(absl::string_view json,
                                               const crypto::Ed25519PublicKey& public_key);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_RECORD_H_
