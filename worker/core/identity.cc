#include "worker/core/identity.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "ledger/verifier/record.h"

namespace carnet::worker {
namespace {

absl::Status Untrusted(absl::string_view what) {
  return absl::UnauthenticatedError(absl::StrCat("enrolment: ", what));
}

bool SameBytes(ByteView a, absl::string_view b) {
  return AsText(a) == b;
}

absl::StatusOr<ledger::verifier::VerifiedRecord> CheckGenesis(
    const FederationFacts& facts, const v1::EnrollResponse& answer,
    const ledger::verifier::TreeHead& head) {
  CARNET_ASSIGN_OR_RETURN(auto record,
                          ledger::verifier::VerifyProvenRecord(answer.genesis(), head));
  const auto* genesis = record.As<v1::Genesis>();
  if (genesis == nullptr || answer.genesis().proof().index() != 0 ||
      record.leaf_hash != facts.genesis_leaf) {
    return Untrusted("record 0 is not the one that the join token names");
  }
  if (genesis->trust_domain() != facts.trust_domain ||
      !SameBytes(facts.ca_spki_sha256, genesis->ca_spki_sha256()) ||
      !SameBytes(record.public_key, genesis->statement_public_key())) {
    return Untrusted("record 0 contradicts the join token");
  }
  return record;
}

// Whether the log that the records name had this key: as its first, or handed over to it.
bool HadKey(const ledger::verifier::KeyHistory& keys, const ledger::verifier::VerifierKey& log) {
  const ledger::verifier::VerifierKey& named = keys.log();
  return named.name == log.name &&
         (named.public_key == log.public_key ||
          std::any_of(named.successors.begin(), named.successors.end(),
                      [&](const auto& key) { return key.public_key == log.public_key; }));
}

// The token's key, and each one that was followed from it.
bool HadKeys(const ledger::verifier::KeyHistory& keys, const ledger::verifier::VerifierKey& log) {
  return HadKey(keys, log) &&
         std::all_of(log.successors.begin(), log.successors.end(),
                     [&](const auto& followed) { return HadKey(keys, followed); });
}

absl::Status CheckEnrolled(const FederationFacts& facts, const OwnPublicKeys& keys,
                           const v1::EnrollResponse& answer, const ledger::verifier::TreeHead& head,
                           Identity* identity) {
  CARNET_ASSIGN_OR_RETURN(const auto record,
                          ledger::verifier::VerifyProvenRecord(answer.enrolled(), head));
  const auto* enrolled = record.As<v1::WorkerEnrolled>();
  if (enrolled == nullptr ||
      record.public_key != identity->keys->StatementKeyAt(answer.enrolled().proof().index())) {
    return Untrusted("worker-enrolled is not a record of the coordinator");
  }
  const Digest tls_spki_sha256 = crypto::Sha256(keys.tls_spki);
  if (enrolled->worker_id() != answer.worker_id() || !IsId("w", enrolled->worker_id()) ||
      enrolled->spiffe_id() != facts.spiffe_id.ToString() ||
      enrolled->slot() != facts.spiffe_id.slot() ||
      enrolled->region() != facts.spiffe_id.region() ||
      !SameBytes(tls_spki_sha256, enrolled->tls_spki_sha256()) ||
      !SameBytes(keys.statement, enrolled->statement_public_key()) ||
      !SameBytes(keys.wrapping, enrolled->wrapping_public_key())) {
    return Untrusted("worker-enrolled names another worker or other keys");
  }
  identity->worker_id = enrolled->worker_id();
  identity->supplier = enrolled->supplier();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ledger::verifier::VerifierKey> FollowLog(
    ledger::verifier::VerifierKey log,
    const google::protobuf::RepeatedPtrField<v1::ProvenRecord>& rotations) {
  for (const v1::ProvenRecord& proven : rotations) {
    CARNET_ASSIGN_OR_RETURN(const auto record, ledger::verifier::VerifyRecord(proven.record()));
    if (auto next = ledger::verifier::FollowLogKey(log, record); next.ok()) {
      log = *std::move(next);
    }
  }
  return log;
}

absl::Status FollowRotations(const google::protobuf::RepeatedPtrField<v1::ProvenRecord>& rotations,
                             const ledger::verifier::TreeHead& head,
                             ledger::verifier::KeyHistory* keys) {
  for (const v1::ProvenRecord& proven : rotations) {
    const std::uint64_t index = proven.proof().index();
    CARNET_ASSIGN_OR_RETURN(const auto record, ledger::verifier::VerifyProvenRecord(proven, head));
    if (index > keys->last_index()) {
      CARNET_RETURN_IF_ERROR(keys->Add(index, record));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCertificate(const FederationFacts& facts, const OwnPublicKeys& keys,
                              const v1::EnrollResponse& answer, absl::Time at) {
  CARNET_ASSIGN_OR_RETURN(const auto authority,
                          crypto::ParseCertificatePem(answer.ca_certificate_pem()));
  if (!authority.is_authority || authority.spki_sha256 != facts.ca_spki_sha256) {
    return Untrusted("the CA is not the one that the join token names");
  }
  absl::Time when = at;
  if (at == absl::InfinitePast()) {
    CARNET_ASSIGN_OR_RETURN(const auto own, crypto::ParseCertificatePem(answer.certificate_pem()));
    when = own.validity.not_before;
  }
  CARNET_ASSIGN_OR_RETURN(
      const auto own,
      crypto::VerifyCertificate(answer.certificate_pem(), answer.ca_certificate_pem(), when));
  if (own.spki != keys.tls_spki || own.spiffe_id != facts.spiffe_id || !own.client) {
    return Untrusted("the certificate is not for this worker's key and name");
  }
  return absl::OkStatus();
}

absl::StatusOr<Identity> EstablishIdentity(const FederationFacts& facts, const OwnPublicKeys& keys,
                                           const v1::EnrollResponse& answer, absl::Time at) {
  Identity identity(facts.spiffe_id);
  CARNET_ASSIGN_OR_RETURN(ledger::verifier::VerifierKey log,
                          ledger::verifier::ParseVerifierKey(facts.log_vkey));
  // That these are in the log is checked below, under the head that this makes believable.
  CARNET_ASSIGN_OR_RETURN(identity.log, FollowLog(std::move(log), answer.rotations()));
  CARNET_ASSIGN_OR_RETURN(const auto head,
                          ledger::verifier::VerifyHead(answer.head(), identity.log));
  CARNET_ASSIGN_OR_RETURN(const auto genesis, CheckGenesis(facts, answer, head.tree));
  const auto* genesis_predicate = genesis.As<v1::Genesis>();
  identity.home_jurisdiction = genesis_predicate->home_jurisdiction();
  CARNET_ASSIGN_OR_RETURN(identity.keys, ledger::verifier::KeyHistory::Create(genesis));
  CARNET_RETURN_IF_ERROR(FollowRotations(answer.rotations(), head.tree, &*identity.keys));
  if (!HadKeys(*identity.keys, identity.log)) {
    return Untrusted("the log never had the key that the join token names, or one that followed");
  }
  CARNET_RETURN_IF_ERROR(CheckEnrolled(facts, keys, answer, head.tree, &identity));
  CARNET_RETURN_IF_ERROR(CheckCertificate(facts, keys, answer, at));
  return identity;
}

}  // namespace carnet::worker
