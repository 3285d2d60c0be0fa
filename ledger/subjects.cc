// What each record type is about. A type without an overload here has a subject that its predicate
// does not hold.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/message_json.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/note.h"
#include "ledger/record.h"

namespace carnet::ledger {
namespace {

using Subjects = absl::StatusOr<std::vector<Subject>>;

// A field that holds a digest.
Subjects One(absl::string_view name, const std::string& sha256) {
  const absl::StatusOr<Digest> digest = ToDigest(AsBytes(sha256));
  if (!digest.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("record: the digest of ", name, " is not 32 bytes"));
  }
  return std::vector<Subject>{{.name = std::string(name), .sha256 = *digest}};
}

Subjects OneHashed(absl::string_view name, const std::string& bytes) {
  if (bytes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("record: no ", name));
  }
  return std::vector<Subject>{
      {.name = std::string(name), .sha256 = crypto::Sha256(AsBytes(bytes))}};
}

absl::StatusOr<Digest> HashOfJson(const google::protobuf::Message& message) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, MessageToSortedJson(message));
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  CARNET_ASSIGN_OR_RETURN(const std::string canonical, CanonicalJson(json));
  return crypto::Sha256(AsBytes(canonical));
}

Subjects OneAsJson(absl::string_view name, const google::protobuf::Message& message) {
  CARNET_ASSIGN_OR_RETURN(const Digest digest, HashOfJson(message));
  return std::vector<Subject>{{.name = std::string(name), .sha256 = digest}};
}

Subjects KeyIds(const google::protobuf::RepeatedPtrField<std::string>& key_ids) {
  std::vector<Subject> subjects;
  for (const std::string& id : key_ids) {
    subjects.push_back({.name = id, .sha256 = crypto::Sha256(AsBytes(id))});
  }
  if (subjects.empty()) {
    return absl::InvalidArgumentError("record: no key id");
  }
  return subjects;
}

// Every type without an overload of its own.
Subjects Derive(const google::protobuf::Message& /*predicate*/) {
  return std::vector<Subject>();
}
Subjects Derive(const v1::Genesis& genesis) {
  const absl::StatusOr<NoteKey> key = ParseVkey(genesis.log_vkey());
  if (!key.ok()) {
    return absl::InvalidArgumentError("record: genesis holds no vkey of a log");
  }
  return OneHashed("log-key", ToString(key->public_key));
}
Subjects Derive(const v1::UserEnrolled& user) {
  return OneHashed("public-key", user.public_key());
}
Subjects Derive(const v1::UserInvited& invited) {
  return One("token", invited.token_sha256());
}
Subjects Derive(const v1::UserRoleChanged& changed) {
  return OneHashed("public-key", changed.public_key());
}
Subjects Derive(const v1::UserRevoked& revoked) {
  return OneHashed("public-key", revoked.public_key());
}
Subjects Derive(const v1::Approval& approval) {
  return One(approval.kind(), approval.subject_sha256());
}
Subjects Derive(const v1::PolicyProposed& proposed) {
  if (AsText(crypto::Sha256(AsBytes(proposed.bundle_json()))) != proposed.bundle_sha256()) {
    return absl::InvalidArgumentError("record: bundle_sha256 is not that of the bundle");
  }
  return One("bundle", proposed.bundle_sha256());
}
Subjects Derive(const v1::PolicyExamined& examined) {
  if (AsText(crypto::Sha256(AsBytes(examined.report_json()))) != examined.report_sha256()) {
    return absl::InvalidArgumentError("record: report_sha256 is not that of the report");
  }
  return One("bundle", examined.bundle_sha256());
}
Subjects Derive(const v1::PolicyActivated& activated) {
  return One("bundle", activated.bundle_sha256());
}
Subjects Derive(const v1::PolicyWithdrawn& withdrawn) {
  return One("bundle", withdrawn.bundle_sha256());
}
Subjects Derive(const v1::SupplierRegistered& supplier) {
  return OneAsJson("supplier", supplier);
}
Subjects Derive(const v1::RegionRegistered& region) {
  return OneAsJson("region", region);
}
Subjects Derive(const v1::EvidenceRecorded& evidence) {
  return One("document", evidence.document_sha256());
}
Subjects Derive(const v1::EvidenceAccepted& accepted) {
  return One("document", accepted.document_sha256());
}
Subjects Derive(const v1::WorkerInvited& invited) {
  return One("token", invited.token_sha256());
}
Subjects Derive(const v1::WorkerEnrolled& worker) {
  CARNET_ASSIGN_OR_RETURN(std::vector<Subject> subjects, One("tls-key", worker.tls_spki_sha256()));
  CARNET_ASSIGN_OR_RETURN(const std::vector<Subject> statement,
                          OneHashed("statement-key", worker.statement_public_key()));
  CARNET_ASSIGN_OR_RETURN(const std::vector<Subject> wrapping,
                          OneHashed("wrapping-key", worker.wrapping_public_key()));
  subjects.push_back(statement.front());
  subjects.push_back(wrapping.front());
  return subjects;
}
Subjects Derive(const v1::DatasetRegistered& dataset) {
  return OneAsJson("dataset", dataset);
}
Subjects Derive(const v1::ShardStaged& staged) {
  return One("shard", staged.sha256());
}
Subjects Derive(const v1::KeyCreated& key) {
  return OneHashed("key-id", key.key_id());
}
Subjects Derive(const v1::KeyDestructionOrdered& keys) {
  return KeyIds(keys.key_ids());
}
Subjects Derive(const v1::KeyDestroyed& keys) {
  return KeyIds(keys.key_ids());
}
Subjects Derive(const v1::ShardWithdrawn& withdrawn) {
  return One(absl::StrCat(withdrawn.dataset(), "/", withdrawn.shard()), withdrawn.sha256());
}
Subjects Derive(const v1::TransferCut& cut) {
  return OneHashed("ticket", cut.ticket_id());
}
Subjects Derive(const v1::KeyRetained& key) {
  return OneHashed("key", key.key_id());
}
Subjects Derive(const v1::KeyRotated& rotated) {
  return OneHashed("public-key", rotated.new_public_key());
}
Subjects Derive(const v1::ErasureDone& done) {
  return OneHashed("vault-id", done.vault_id());
}
Subjects Derive(const v1::JobSubmitted& job) {
  CARNET_ASSIGN_OR_RETURN(const Digest digest, HashOfJson(job.spec()));
  if (AsText(digest) != job.spec_sha256()) {
    return absl::InvalidArgumentError("record: spec_sha256 is not that of the job spec");
  }
  return One("job-spec", job.spec_sha256());
}
Subjects Derive(const v1::RoundOpened& round) {
  return One("model", round.model_sha256());
}
Subjects Derive(const v1::Contribution& contribution) {
  return One("sealed-delta", contribution.sealed_sha256());
}
// The envelope that the worker sent, else the sealed delta. A rejection may know neither.
Subjects Derive(const v1::ContributionRejected& rejected) {
  if (!rejected.statement_sha256().empty()) {
    return One("statement", rejected.statement_sha256());
  }
  return rejected.sealed_sha256().empty() ? std::vector<Subject>()
                                          : One("sealed-delta", rejected.sealed_sha256());
}
Subjects Derive(const v1::Aggregate& aggregate) {
  return One("model", aggregate.model_sha256());
}
Subjects Derive(const v1::EvaluationOpened& evaluation) {
  return One("model", evaluation.model_sha256());
}
Subjects Derive(const v1::Evaluation& evaluation) {
  return One("model", evaluation.model_sha256());
}
Subjects Derive(const v1::Release& release) {
  return One("model", release.model_sha256());
}
Subjects Derive(const v1::LogRead& read) {
  return OneHashed("reader", read.reader());
}
Subjects Derive(const v1::BridgeVerdict& verdict) {
  if (AsText(crypto::Sha256(AsBytes(verdict.input()))) != verdict.input_sha256()) {
    return absl::InvalidArgumentError("record: input_sha256 is not that of the input");
  }
  return One("input", verdict.input_sha256());
}
Subjects Derive(const v1::Refusal& refusal) {
  std::vector<Subject> subjects;
  for (const v1::Decision& decision : refusal.decisions()) {
    CARNET_ASSIGN_OR_RETURN(const Digest digest, HashOfJson(decision));
    subjects.push_back({.name = absl::StrCat("decision-", subjects.size()), .sha256 = digest});
  }
  if (subjects.empty()) {
    return absl::InvalidArgumentError("record: a refusal without a decision");
  }
  return subjects;
}
Subjects Derive(const v1::CounterOpened& opened) {
  return OneAsJson("counter", opened);
}
Subjects Derive(const v1::PeopleCounted& counted) {
  return OneAsJson("people", counted);
}
Subjects Derive(const v1::ObligationDue& due) {
  return OneAsJson("obligation", due);
}
Subjects Derive(const v1::ObligationMet& met) {
  return One("document", met.document_sha256());
}
Subjects Derive(const v1::ObligationLate& late) {
  return OneHashed("obligation-id", late.obligation_id());
}

}  // namespace

absl::StatusOr<std::vector<Subject>> SubjectsOf(const google::protobuf::Message& predicate) {
#define CARNET_DERIVE(message, signer)                                                      \
  if (const auto* typed = dynamic_cast<const v1::message*>(&predicate); typed != nullptr) { \
    return Derive(*typed);                                                                  \
  }
  CARNET_RECORD_TYPES(CARNET_DERIVE)
#undef CARNET_DERIVE
  return absl::InvalidArgumentError("record: no such type");
}

}  // namespace carnet::ledger
